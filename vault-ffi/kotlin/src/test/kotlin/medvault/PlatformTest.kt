package medvault

import java.nio.file.Path
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** What the app provides: key store, network policy, log. Also when it misbehaves. */
internal class PlatformTest {
    @TempDir
    lateinit var folder: Path

    @Test
    fun `no network means no connection`() = vaultTest {
        val asked = AtomicInteger()
        var allowed = NetworkUse.NOTHING
        val policy = object : NetworkPolicy {
            override fun allowed(): NetworkUse = allowed.also { asked.incrementAndGet() }
        }
        person(folder, "Juno").use { juno ->
            person(folder, "Clinic", policy).use { clinic ->
                introduce(juno, clinic)
                juno.vault.startNode(NodeOptions(localOnly = true))
                val id = juno.vault.add(Fhir.hba1c, "hba1c.json").only()
                val ticket = juno.vault.share(ShareRequest(readers = listOf("Clinic"), scope = ShareScope(everything = true))).tickets.single().ticket
                clinic.vault.acceptTicket(ticket, "juno")
                assertEquals(0, asked.get())
                for (call in listOf<suspend () -> Any>(
                    { clinic.vault.syncSender("juno") },
                    { clinic.vault.startNode(NodeOptions(localOnly = true)) },
                    { clinic.vault.deposit("juno", listOf(DepositItem.Bytes(Fhir.glucose, "glucose.json")), null).await() },
                )) {
                    val error = runCatching { call() }.exceptionOrNull()
                    assertTrue(error is MedVaultException.Network || error is MedVaultException.Refused, "$error")
                }
                assertTrue(asked.get() >= 3)
                val status = checkNotNull(juno.vault.nodeStatus())
                assertEquals(listOf(0uL, 0uL, 0uL), listOf(status.headsSent, status.blocksSent, status.keysGiven))

                allowed = NetworkUse.EVERYTHING
                clinic.vault.syncSender("juno")
                assertTrue(clinic.vault.sharedContent("juno", id, null).contentEquals(Fhir.hba1c))
                allowed = NetworkUse.NOTHING
                val report = clinic.vault.sync(5_000uL)
                assertTrue(report.senders.isEmpty(), "$report")
                juno.vault.stopNode()
            }
        }
    }

    @Test
    fun `a fixed policy is one too`() = vaultTest {
        person(folder, "Juno", fixedNetwork(NetworkUse.NOTHING)).use { juno ->
            refused<MedVaultException> { juno.vault.startNode(NodeOptions(localOnly = true)) }
        }
    }

    @Test
    fun `log lines reach the app and hold no names`() = vaultTest {
        val lines = ConcurrentLinkedQueue<LogLine>()
        val sink = object : LogSink {
            override fun write(line: LogLine) { lines += line }
        }
        person(folder, "Amberfield", log = sink).use { juno ->
            juno.vault.add(Fhir.hba1c, "hba1c.json")
            juno.vault.startNode(NodeOptions(localOnly = true))
            juno.vault.stopNode()
        }
        assertTrue(lines.isNotEmpty())
        assertFalse(lines.any { line -> listOf("Amberfield", "HbA1c", "hba1c").any { it in line.text } }, "$lines")
        assertTrue(lines.all { it.event.isNotEmpty() && it.time > 0uL })
    }

    @Test
    fun `an app that throws where it must not does no harm`() = vaultTest {
        val log = object : LogSink {
            override fun write(line: LogLine): Unit = throw IllegalStateException("log")
        }
        val policy = object : NetworkPolicy {
            override fun allowed(): NetworkUse = throw IllegalStateException("policy")
        }
        person(folder, "Juno", policy, log).use { juno ->
            val file = bigFile(folder.resolve("letter.bin"), 1 shl 20)
            val listener = progressListener { _, _ -> throw IllegalStateException("progress") }
            val report = runCatching { juno.vault.addFile("$file", listener).await() }
            assertTrue(report.isSuccess || report.exceptionOrNull() is MedVaultException, "$report")
            refused<MedVaultException> { juno.vault.startNode(NodeOptions(localOnly = true)) }
            juno.vault.add(Fhir.hba1c, "hba1c.json")
            assertEquals("Juno", juno.vault.info().name)
        }
    }

    @Test
    fun `a key store may refuse, be gone, or give something else`() = vaultTest {
        val juno = person(folder, "Juno").apply { vault.use { it.lock() } }
        val home = "${juno.home}"
        fun store(opens: (ByteArray) -> ByteArray) = object : KeyStore {
            override fun seal(secret: ByteArray): ByteArray = throw KeyStoreException.Unavailable("no screen lock")
            override fun unseal(sealed: ByteArray): ByteArray = opens(sealed)
        }
        val bad = listOf(
            store { throw KeyStoreException.Refused("the person said no") },
            store { throw KeyStoreException.Unavailable("gone") },
            store { throw IllegalStateException("not declared") },
            store { ByteArray(0) },
            store { noise(32) },
            store { noise(1 shl 20) },
            AesKeyStore(),
            memoryKeyStore(),
        )
        for (keys in bad) refused<MedVaultException.Identity> { openVault(home, Unlock.KeyStore, Platform(keys)) }
        refused<MedVaultException> {
            createVault("${folder.resolve("other")}", "Other", Unlock.KeyStore, Platform(bad.first()))
        }
        assertFalse(hasVault("${folder.resolve("other")}"))
        openVault(home, Unlock.KeyStore, Platform(juno.keys)).use { assertEquals("Juno", it.info().name) }
    }
}
