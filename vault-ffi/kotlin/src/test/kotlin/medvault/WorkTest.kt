package medvault

import java.io.ByteArrayInputStream
import java.io.IOException
import java.io.InputStream
import java.io.SequenceInputStream
import java.nio.file.Files
import java.nio.file.Path
import java.security.MessageDigest
import java.util.concurrent.ConcurrentLinkedQueue
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.launch
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** Long works: big contents, progress, cancelling; and many callers at once. */
internal class WorkTest {
    @TempDir
    lateinit var folder: Path

    @Test
    fun `a hundred mebibytes by path, with progress`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val file = bigFile(folder.resolve("scan.bin"), BIG)
            val heard = ConcurrentLinkedQueue<Pair<ULong, ULong>>()
            val work = juno.vault.addFile("$file", progressListener { done, total -> heard += done to total })
            val id = work.result().only()
            assertTrue(work.isFinished())
            assertEquals(work.progress().total, work.progress().done)
            work.close()
            assertTrue(heard.size > 1, "$heard")
            assertEquals(heard.map { it.first }.sorted(), heard.map { it.first })
            assertTrue(heard.all { (done, total) -> total == 0uL || done <= total }, "$heard")
            assertEquals("too-long", refused<MedVaultException.InvalidInput> { juno.vault.content(id) }.code)
            val out = folder.resolve("scan.out")
            juno.vault.contentToFile(id, "$out", null).await()
            assertEquals(-1L, Files.mismatch(file, out))
        }
    }

    @Test
    fun `a hundred mebibytes through direct buffers`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val digest = MessageDigest.getInstance("SHA-256")
            val id = juno.vault.addStream("scan.bin").use { writer ->
                repeat(BIG / CHUNK) { chunk ->
                    val bytes = noise(CHUNK, chunk.toLong())
                    digest.update(bytes)
                    writer.write(direct(bytes))
                }
                writer.finish().only()
            }
            assertEquals(BIG.toULong(), juno.vault.record(id).summary.bytes)
            val out = folder.resolve("scan.out")
            juno.vault.contentToFile(id, "$out", null).await()
            assertArrayEquals(digest.digest(), MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(out)))
        }
    }

    @Test
    fun `a stream of the app's own is added`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val bytes = noise(3_000_001)
            val id = juno.vault.addFrom(ByteArrayInputStream(bytes), "letter.bin").only()
            assertArrayEquals(bytes, juno.vault.content(id))

            val breaks = SequenceInputStream(
                ByteArrayInputStream(noise(2_000_000, 2)),
                object : InputStream() {
                    override fun read(): Int = throw IOException("the card was pulled out")
                },
            )
            val error = runCatching { juno.vault.addFrom(breaks, "scan.bin") }.exceptionOrNull()
            assertEquals("the card was pulled out", error?.message)
            juno.vault.add(Fhir.patient, "patient.json")
            assertEquals(2, juno.vault.records(RecordFilter()).size)
        }
    }

    @Test
    fun `many streams at once`() = vaultTest {
        person(folder, "Juno").use { juno ->
            coroutineScope {
                repeat(40) { n ->
                    launch { juno.vault.addFrom(ByteArrayInputStream(noise(2_000_000, n.toLong())), "photo $n") }
                }
            }
            assertEquals(40, juno.vault.records(RecordFilter()).size)
        }
    }

    @Test
    fun `a stream that is open holds nobody up`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val writers = List(3) { juno.vault.addStream("photo $it") }
            for ((n, writer) in writers.withIndex()) writer.writeChunk(noise(1000, n.toLong()))
            assertEquals(1uL, juno.vault.add(Fhir.patient, "patient.json").added)
            assertEquals(1, juno.vault.records(RecordFilter()).size)
            for (writer in writers) writer.use { assertEquals(1uL, it.finish().added) }
            assertEquals(4, juno.vault.records(RecordFilter()).size)
        }
    }

    @Test
    fun `what is cancelled leaves nothing`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val file = bigFile(folder.resolve("scan.bin"), BIG)
            juno.vault.addFile("$file", null).use { work ->
                work.cancel()
                refused<MedVaultException.Cancelled> { work.result() }
                assertTrue(work.isFinished())
            }
            juno.vault.addStream("scan.bin").use { writer ->
                writer.write(direct(noise(CHUNK)))
                writer.cancel()
                refused<MedVaultException> { writer.finish() }
            }
            assertTrue(juno.vault.records(RecordFilter()).isEmpty())
            assertEquals(0uL, juno.vault.info().records)
        }
    }

    @Test
    fun `a coroutine that is cancelled takes its work with it`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val file = bigFile(folder.resolve("scan.bin"), BIG)
            val work = juno.vault.addFile("$file", null)
            val waiting = launch(Dispatchers.Default) { work.await() }
            while (work.progress().done == 0uL && !work.isFinished()) Thread.sleep(1)
            waiting.cancelAndJoin()
            // the vault is free again once the work has seen it
            juno.vault.add(Fhir.patient, "patient.json")
            assertEquals(listOf("Patient"), juno.vault.records(RecordFilter()).map { it.kind })
        }
    }

    @Test
    fun `locking ends what runs`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val file = bigFile(folder.resolve("scan.bin"), BIG)
            val work = juno.vault.addFile("$file", null)
            val outcome = async { runCatching { work.await() } }
            while (work.progress().done == 0uL && !work.isFinished()) Thread.sleep(1)
            juno.vault.lock()
            val error = outcome.await().exceptionOrNull()
            assertTrue(error is MedVaultException.Cancelled || error is MedVaultException.Locked, "$error")
            juno.vault.unlock(Unlock.KeyStore)
            assertTrue(juno.vault.records(RecordFilter()).isEmpty())
        }
    }

    @Test
    fun `many coroutines and threads at once`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val vault = juno.vault
            coroutineScope {
                repeat(8) { writer ->
                    launch(Dispatchers.IO) {
                        repeat(3) { n -> vault.add(Fhir.lab("w$writer-$n", "4548-4", "HbA1c", "2024-03-12", 5.0 + n, "%"), "$writer.json") }
                    }
                }
                repeat(8) {
                    launch(Dispatchers.Default) {
                        repeat(5) { for (record in vault.records(RecordFilter())) vault.content(record.id) }
                    }
                }
                val plain = List(4) { Thread { repeat(1000) { vault.isLocked() } }.apply { start() } }
                plain.forEach(Thread::join)
            }
            assertEquals(24, vault.records(RecordFilter()).size)
            assertTrue(vault.verifyAudit().intact)
            assertFalse(vault.isLocked())
        }
    }

    private companion object {
        const val CHUNK = 1 shl 20
        const val BIG = 100 shl 20
    }
}
