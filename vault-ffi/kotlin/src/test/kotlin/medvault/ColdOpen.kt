package medvault

import java.nio.ByteBuffer
import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.deleteRecursively
import kotlin.system.exitProcess
import kotlin.time.TimeSource
import kotlinx.coroutines.runBlocking

/**
 * A benchmark: `ColdOpenKt HOME [RUNS]`, with the passphrase in `MEDVAULT_PASSPHRASE`.
 *
 * Opens the vault `RUNS` times (20 unless told), each time afresh, and lists its records; then passes
 * 100 MiB into new vaults in a temporary folder, in the three ways there are. Prints one line of JSON,
 * times in microseconds, one number a run:
 * `open` (until the vault is there), `list` (all records of it), `write` (direct buffers of 1 MiB),
 * `add` (one array), `add_file` (a path), and `library_load` once. One run before the first is not
 * counted.
 */
fun main(args: Array<String>) {
    val passphrase = System.getenv("MEDVAULT_PASSPHRASE")
    if (args.isEmpty() || passphrase == null) {
        System.err.println("usage: MEDVAULT_PASSPHRASE=... ColdOpenKt HOME [RUNS]")
        exitProcess(2)
    }
    val runs = args.getOrNull(1)?.toInt() ?: 20
    val load = micros { libraryVersion() }
    val open = mutableListOf<Long>()
    val list = mutableListOf<Long>()
    var records = 0
    repeat(runs + 1) { run ->
        var vault: Vault? = null
        val opened = micros { vault = runBlocking { openVault(args[0], Unlock.Passphrase(passphrase), Platform()) } }
        val listed = micros { records = runBlocking { vault!!.records(RecordFilter()).size } }
        runBlocking { vault!!.lock() }
        vault!!.close()
        if (run > 0) {
            open += opened
            list += listed
        }
    }
    val folder = Files.createTempDirectory("medvault-bench")
    try {
        val passed = Passing(folder)
        println(
            """{"library_load":$load,"open":$open,"list":$list,"records":$records,"bytes":$BYTES,""" +
                """"write":${passed.write},"add":${passed.add},"add_file":${passed.addFile}}""",
        )
    } finally {
        @OptIn(kotlin.io.path.ExperimentalPathApi::class)
        folder.deleteRecursively()
    }
}

private const val CHUNK = 1 shl 20
private const val BYTES = 100 * CHUNK
private const val PASSES = 3

/** 100 MiB into a vault, each time another content, for the same one would not be added again. */
private class Passing(folder: Path) {
    val write = mutableListOf<Long>()
    val add = mutableListOf<Long>()
    val addFile = mutableListOf<Long>()

    init {
        val made = runBlocking { createVault("${folder.resolve("home")}", "Bench", Unlock.KeyStore, Platform(memoryKeyStore())) }
        made.vault.use { vault ->
            repeat(PASSES + 1) { pass ->
                val times = listOf(byWrite(vault, pass), byAdd(vault, pass), byFile(vault, folder, pass))
                if (pass > 0) listOf(write, add, addFile).zip(times) { all, one -> all += one }
            }
        }
    }

    private fun content(kind: Int, pass: Int) = ByteArray(BYTES).also { java.util.Random((kind * 100 + pass).toLong()).nextBytes(it) }

    private fun byWrite(vault: Vault, pass: Int): Long {
        val buffer = ByteBuffer.allocateDirect(BYTES).put(content(0, pass)).flip()
        return micros {
            vault.addStream("bench.bin").use { writer ->
                for (from in 0 until BYTES step CHUNK) writer.write(buffer.slice(from, CHUNK))
                runBlocking { writer.finish() }
            }
        }
    }

    private fun byAdd(vault: Vault, pass: Int): Long {
        val content = content(1, pass)
        return micros { runBlocking { vault.add(content, "bench.bin") } }
    }

    private fun byFile(vault: Vault, folder: Path, pass: Int): Long {
        val file = Files.write(folder.resolve("bench.bin"), content(2, pass))
        return micros { runBlocking { vault.addFile("$file", null).await() } }
    }
}

private inline fun micros(what: () -> Unit): Long {
    val start = TimeSource.Monotonic.markNow()
    what()
    return start.elapsedNow().inWholeMicroseconds
}
