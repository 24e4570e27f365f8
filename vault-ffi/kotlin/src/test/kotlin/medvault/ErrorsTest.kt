package medvault

import java.nio.ByteBuffer
import java.nio.file.Files
import java.nio.file.Path
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** Every failure has a variant and a code, and leaves the vault as it was. */
internal class ErrorsTest {
    @TempDir
    lateinit var folder: Path

    @Test
    fun `a vault opens under its passphrase only`() = vaultTest {
        val home = "${folder.resolve("home")}"
        createVault(home, "Juno", Unlock.Passphrase("the right one"), Platform()).vault.use { it.lock() }
        val wrong = refused<MedVaultException.Identity> { openVault(home, Unlock.Passphrase("the wrong one"), Platform()) }
        assertEquals("wrong-passphrase", wrong.code)
        assertFalse("the wrong one" in wrong.reason)
        refused<MedVaultException> { openVault(home, Unlock.KeyStore, Platform()) }
        refused<MedVaultException.Identity> { openVault(home, Unlock.KeyStore, Platform(AesKeyStore())) }
        openVault(home, Unlock.Passphrase("the right one"), Platform()).use { assertEquals("Juno", it.info().name) }
    }

    @Test
    fun `a folder without a vault, and one with`() = vaultTest {
        val nothing = "${folder.resolve("nothing")}"
        refused<MedVaultException.Storage> { openVault(nothing, Unlock.Passphrase("x"), Platform()) }
        assertFalse(Files.exists(Path.of(nothing)))
        person(folder, "Juno").use { juno ->
            refused<MedVaultException.Storage> { createVault("${juno.home}", "Again", Unlock.KeyStore, Platform(AesKeyStore())) }
            assertEquals("Juno", juno.vault.info().name)
        }
        val file = Files.createFile(folder.resolve("file"))
        refused<MedVaultException> { createVault("$file", "Juno", Unlock.KeyStore, Platform(AesKeyStore())) }
    }

    @Test
    fun `what is unknown is not found`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val vault = juno.vault
            val known = vault.add(Fhir.patient, "patient.json").only()
            val unknown = (if (known.startsWith("a")) "b" else "a") + known.drop(1)
            assertEquals("no-record", refused<MedVaultException.NotFound> { vault.record(unknown) }.code)
            refused<MedVaultException.NotFound> { vault.content(unknown) }
            refused<MedVaultException.NotFound> { vault.contentRange(unknown, 0uL, 10u) }
            refused<MedVaultException.NotFound> { vault.update(unknown, Fhir.patient) }
            refused<MedVaultException.NotFound> { vault.remove(listOf(unknown)) }
            refused<MedVaultException.NotFound> { vault.contentToFile(unknown, "${folder.resolve("o")}", null).await() }
            refused<MedVaultException.NotFound> { vault.ticket(unknown, "nobody") }
            refused<MedVaultException.NotFound> { vault.verifyContact("nobody", "words") }
            refused<MedVaultException.NotFound> { vault.syncSender("nobody") }
            refused<MedVaultException.NotFound> { vault.depositDetail(unknown) }
            refused<MedVaultException> { vault.addFile("${folder.resolve("no such file")}", null).await() }
            assertEquals(1, vault.records(RecordFilter()).size)
        }
    }

    @Test
    fun `what cannot be used is invalid`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val vault = juno.vault
            assertEquals("not-a-card", refused<MedVaultException> { inspectCard("hello") }.code)
            refused<MedVaultException> { checkRecoveryWords("one two three") }
            assertEquals("not-a-card", refused<MedVaultException> { vault.addContact("clinic", "hello") }.code)
            assertEquals("not-a-ticket", refused<MedVaultException> { vault.acceptTicket("hello", null) }.code)
            refused<MedVaultException.InvalidInput> { vault.records(RecordFilter(since = "yesterday")) }
            assertEquals("no-setting", refused<MedVaultException.NotFound> { vault.setSetting("no.such.setting", listOf("x")) }.code)
            refused<MedVaultException> { vault.share(ShareRequest(readers = listOf("nobody"), scope = ShareScope(everything = true))) }
            assertTrue(vault.grants().isEmpty())
        }
    }

    @Test
    fun `readers whose fingerprint nobody compared are refused`() = vaultTest {
        person(folder, "Juno").use { juno ->
            person(folder, "Clinic").use { clinic ->
                juno.vault.addContact("clinic", clinic.vault.info().card)
                val request = ShareRequest(readers = listOf("clinic"), scope = ShareScope(everything = true))
                refused<MedVaultException.Refused> { juno.vault.share(request) }
                val wanted = request.copy(evenUnverified = true)
                assertEquals(1, juno.vault.share(wanted).tickets.size)
            }
        }
    }

    @Test
    fun `use closes, and a closed object says so`() = vaultTest {
        val juno = person(folder, "Juno")
        val writer = juno.vault.use { vault -> vault.addStream("left open") }
        assertThrows(IllegalStateException::class.java) { juno.vault.isLocked() }
        writer.use { it.cancel() }
        assertThrows(IllegalStateException::class.java) { writer.write(direct(noise(10))) }
        openVault("${juno.home}", Unlock.KeyStore, Platform(juno.keys)).use { vault ->
            assertTrue(vault.records(RecordFilter()).isEmpty())
            vault.addStream("letter.bin").use { open ->
                assertThrows(IllegalArgumentException::class.java) { open.write(ByteBuffer.allocate(10)) }
                open.write(direct(noise(10)))
                open.writeChunk(noise(10))
                val report = open.finish()
                assertEquals(1uL, report.added)
                assertEquals(report, open.finish())
                refused<MedVaultException> { open.write(direct(noise(10))) }
            }
        }
    }
}
