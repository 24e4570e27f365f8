package medvault

import java.nio.ByteBuffer
import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.deleteRecursively
import kotlin.system.exitProcess
import kotlin.time.TimeSource
import kotlinx.coroutines.runBlocking

/**
 * A benchmark, told by variables: `MEDVAULT_BENCH_HOME` and `MEDVAULT_BENCH_PASSPHRASE` of the vault,
 * `MEDVAULT_BENCH_RUNS` (10), `MEDVAULT_BENCH_BYTES` (100 MiB).
 *
 * Opens the vault again and again, each time afresh, and lists its records; then hands the bytes over to
 * new vaults in a temporary folder, in the three ways there are. Prints one line of JSON, times in
 * microseconds, one number a run:
 * `open` (until the vault is there), `page` (its first 50 records), `list` (all of them), `add` (one
 * array), `stream` (direct buffers of 1 MiB), `path` (a file), and `library_load` once. One run before
 * the first is not counted.
 */
fun main() {
    val home = System.getenv("MEDVAULT_BENCH_HOME")
    val passphrase = System.getenv("MEDVAULT_BENCH_PASSPHRASE")
    if (home == null || passphrase == null) {
        System.err.println("set MEDVAULT_BENCH_HOME and MEDVAULT_BENCH_PASSPHRASE")
        exitProcess(2)
    }
    val runs = System.getenv("MEDVAULT_BENCH_RUNS")?.toInt() ?: 10
    val bytes = System.getenv("MEDVAULT_BENCH_BYTES")?.toInt() ?: (100 * CHUNK)
    val load = micros { libraryVersion() }
    val open = mutableListOf<Long>()
    val page = mutableListOf<Long>()
    val list = mutableListOf<Long>()
    var records = 0
    repeat(runs + 1) { run ->
        var vault: Vault? = null
        val opened = micros { vault = runBlocking { openVault(home, Unlock.Passphrase(passphrase), Platform()) } }
        val paged = micros { runBlocking { vault!!.records(RecordFilter(limit = 50u)) } }
        val listed = micros { records = runBlocking { vault!!.records(RecordFilter()).size } }
        runBlocking { vault!!.lock() }
        vault!!.close()
        if (run > 0) {
            open += opened
            page += paged
            list += listed
        }
    }
    val folder = Files.createTempDirectory("medvault-bench")
    try {
        val passed = Passing(folder, bytes)
        println(
            """{"library_load":$load,"open":$open,"page":$page,"list":$list,"records":$records,""" +
                """"bytes":$bytes,"add":${passed.add},"stream":${passed.write},"path":${passed.addFile}}""",
        )
    } finally {
        @OptIn(kotlin.io.path.ExperimentalPathApi::class)
        folder.deleteRecursively()
    }
}

private const val CHUNK = 1 shl 20
private const val PASSES = 3

/** Bytes into a vault, each time another content, for the same one would not be added again. */
private class Passing(folder: Path, private val bytes: Int) {
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

    private fun content(kind: Int, pass: Int) = ByteArray(bytes).also { java.util.Random((kind * 100 + pass).toLong()).nextBytes(it) }

    private fun byWrite(vault: Vault, pass: Int): Long {
        val buffer = ByteBuffer.allocateDirect(bytes).put(content(0, pass)).flip()
        return micros {
            vault.addStream("bench.bin").use { writer ->
                for (from in 0 until bytes step CHUNK) writer.write(buffer.slice(from, CHUNK))
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
