package medvault

import java.nio.charset.CharacterCodingException
import java.nio.file.Files
import java.nio.file.Path
import java.util.Random
import kotlinx.coroutines.CancellationException
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertThrows
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.fail
import org.junit.jupiter.api.io.TempDir

/** Texts and bytes from anywhere: nothing but [MedVaultException] ever comes out, and nothing breaks. */
internal class HostileInputTest {
    @TempDir
    lateinit var folder: Path

    @Test
    fun `hostile texts to every call`() = vaultTest {
        val random = random("hostile texts")
        person(folder, "Juno").use { juno ->
            val before = juno.vault.add(Fhir.patient, "patient.json").only()
            val calls = calls(juno)
            var refusals = 0
            for (text in texts(random, juno)) {
                for ((name, call) in calls) if (!survives("$name(${shown(text)})") { call(text) }) refusals++
            }
            assertTrue(refusals > calls.size * 10, "only $refusals refused")
            assertTrue(juno.vault.content(before).contentEquals(Fhir.patient))
            assertTrue(juno.vault.verifyAudit().intact)
        }
    }

    @Test
    fun `hostile bytes as content, as files and as copies`() = vaultTest {
        val random = random("hostile bytes")
        person(folder, "Juno").use { juno ->
            val vault = juno.vault
            val id = vault.add(Fhir.patient, "patient.json").only()
            for ((n, bytes) in contents(random).withIndex()) {
                val file = "${Files.write(folder.resolve("hostile-$n"), bytes)}"
                survives("add $n") { vault.add(bytes, "hostile") }
                survives("add_file $n") { vault.addFile(file, null).await() }
                survives("update $n") { vault.update(id, bytes) }
                survives("accept_grant_file $n") { vault.acceptGrantFile(file, null) }
                survives("add_deposit_file $n") { vault.addDepositFile(file) }
                survives("restore $n") { vault.restore(file, null).await() }
                survives("recover $n") {
                    recoverVault("${folder.resolve("recover-$n")}", juno.words, listOf(file), Unlock.KeyStore, Platform(AesKeyStore())).close()
                }
            }
            assertTrue(vault.verifyAudit().intact)
            assertEquals("Juno", vault.info().name)
        }
    }

    @Test
    fun `numbers at their ends`() = vaultTest {
        person(folder, "Juno").use { juno ->
            val vault = juno.vault
            val id = vault.add(Fhir.patient, "patient.json").only()
            for (offset in listOf(0uL, 1uL, ULong.MAX_VALUE / 2u, ULong.MAX_VALUE)) {
                for (length in listOf(0u, 1u, UInt.MAX_VALUE)) survives("range $offset $length") { vault.contentRange(id, offset, length) }
            }
            assertTrue(vault.records(RecordFilter(offset = UInt.MAX_VALUE, limit = UInt.MAX_VALUE)).isEmpty())
            for (deadline in listOf(0uL, 1uL)) survives("sync $deadline") { vault.sync(deadline) }
            introduce(juno, person(folder, "Clinic"))
            survives("limit") { vault.setDepositLimit("Clinic", DepositLimit(ULong.MAX_VALUE, UInt.MAX_VALUE)) }
            survives("limit") { vault.setDepositLimit("Clinic", DepositLimit(0uL, 0u)) }
            for (end in listOf(0uL, 1uL, ULong.MAX_VALUE)) {
                val terms = OnRequest(notBefore = end, opens = end, opensPerDay = end)
                survives("share $end") {
                    vault.share(ShareRequest(listOf("Clinic"), ShareScope(everything = true), expires = end, onRequest = terms))
                }
            }
            survives("many") { vault.remove(List(100_000) { id }) }
            assertTrue(vault.verifyAudit().intact)
        }
    }

    /** Half a surrogate pair is no text: the binding itself refuses it, before the library is called. */
    @Test
    fun `half a surrogate pair`() {
        assertThrows(CharacterCodingException::class.java) { inspectCard("\uD83D") }
    }

    /** Every call that takes text, with that text in every place. */
    private fun calls(juno: Person): List<Pair<String, suspend (String) -> Any?>> {
        val vault = juno.vault
        val scratch = folder.resolve("scratch")
        Files.createDirectories(scratch)
        var made = 0
        // a path from a text, below a folder of the test
        fun below(text: String) = "$scratch/${made++}/$text"
        val bytes = DepositItem.Bytes(Fhir.hba1c, "hba1c.json")
        return listOf(
            "has_vault" to { hasVault(below(it)) },
            "inspect_card" to { inspectCard(it) },
            "check_recovery_words" to { checkRecoveryWords(it) },
            "create_vault" to { createVault(below(it), it, Unlock.KeyStore, Platform(AesKeyStore())).vault.close() },
            "open_vault" to { openVault(below(it), Unlock.KeyStore, Platform(AesKeyStore())).close() },
            "recover_vault" to { recoverVault(below(it), it, listOf(below(it)), Unlock.KeyStore, Platform(AesKeyStore())).close() },
            "set_setting key" to { vault.setSetting(it, listOf(it)) },
            "set_setting value" to { vault.setSetting("serve.listen", listOf(it)); vault.setSetting("serve.listen", emptyList()) },
            "add" to { vault.add(Fhir.patient, it) },
            "add_file" to { vault.addFile(below(it), null).await() },
            "add_stream" to { name -> vault.addStream(name).use { it.cancel() } },
            "records" to { vault.records(RecordFilter(listOf(it), listOf(it), listOf(it), listOf(it), it)) },
            "records since" to { vault.records(RecordFilter(since = it, until = it)) },
            "record" to { vault.record(it) },
            "content" to { vault.content(it) },
            "content_range" to { vault.contentRange(it, 0uL, 1u) },
            "content_to_file" to { vault.contentToFile(it, below(it), null).await() },
            "label" to { vault.label(listOf(it), listOf(it), listOf(it)) },
            "update" to { vault.update(it, Fhir.patient) },
            "remove" to { vault.remove(listOf(it, it)) },
            "add_contact" to { vault.addContact(it, it) },
            "add_contact name" to { vault.addContact(it, vault.info().card) },
            "verify_contact" to { vault.verifyContact(it, it) },
            "set_deposit_limit" to { vault.setDepositLimit(it, DepositLimit(1uL, 1u)) },
            "preview_share" to { vault.previewShare(scope(it)) },
            "preview_share preset" to { vault.previewShare(ShareScope(preset = it)) },
            "share" to { vault.share(ShareRequest(listOf(it), scope(it), purpose = it, onRequest = OnRequest(agents = listOf(it)), evenUnverified = true)) },
            "ticket" to { vault.ticket(it, it) },
            "grant_to_file" to { vault.grantToFile(it, it, below(it), null).await() },
            "revoke" to { vault.revoke(it, RevokeLevel.REKEY, null).await() },
            "revoke_contact" to { vault.revokeContact(it, RevokeLevel.STOP, null).await() },
            "accept_ticket" to { vault.acceptTicket(it, it) },
            "accept_grant_file" to { vault.acceptGrantFile(below(it), it) },
            "forget_sender" to { vault.forgetSender(it) },
            "sync_sender" to { vault.syncSender(it) },
            "shared_records" to { vault.sharedRecords(it, RecordFilter(text = it)) },
            "shared_content" to { vault.sharedContent(it, it, it) },
            "shared_content_to_file" to { vault.sharedContentToFile(it, it, it, below(it), null).await() },
            "shared_content_range" to { vault.sharedContentRange(it, it, it, 0uL, 1u) },
            "accept_agreement" to { vault.acceptAgreement(it) },
            "decline_agreement" to { vault.declineAgreement(it) },
            "deposit" to { vault.deposit(it, listOf(bytes, DepositItem.File(below(it))), it).await() },
            "deposit_to_file" to { vault.depositToFile(it, listOf(DepositItem.Bytes(Fhir.hba1c, it)), it, below(it)).await() },
            "deposit_detail" to { vault.depositDetail(it) },
            "accept_deposit" to { vault.acceptDeposit(it) },
            "decline_deposit" to { vault.declineDeposit(it) },
            "add_deposit_file" to { vault.addDepositFile(below(it)) },
            "export" to { vault.export(ExportForm.entries.first(), RecordFilter(text = it), below(it), null).await() },
            "backup" to { vault.backup(below(it), null).await() },
            "restore" to { vault.restore(below(it), null).await() },
            "unlock" to { vault.unlock(Unlock.Passphrase(it)) },
        )
    }

    private fun scope(text: String): ShareScope {
        val all = listOf(text)
        return ShareScope(false, all, all, all, all, text, text, all, all, text)
    }

    private suspend fun texts(random: Random, juno: Person): List<String> {
        val card = juno.vault.info().card
        return listOf(
            "", " ", "\u0000", "a\u0000b", "\n", "../..", "-", "--help", "%s%n", "\u202E\uFEFF", "\uFFFF",
            "ä".repeat(300), "\uD83D\uDE00", "a".repeat(26), "a".repeat(52), "medvault-card:", "medvault-ticket:",
            card.dropLast(1), card.replaceRange(card.length / 2, card.length / 2 + 1, "*"), card + card,
            "abandon ".repeat(24).trim(), "9".repeat(400), "2024-13-45", "[".repeat(10_000), "x".repeat(2_000_000),
        ) + List(5) { random.ints(random.nextLong(1, 60), 0, 0xD800).toArray().joinToString("") { it.toChar().toString() } }
    }

    private fun contents(random: Random): List<ByteArray> = listOf(
        ByteArray(0), ByteArray(1), ByteArray(70_000), "{".repeat(100_000).encodeToByteArray(),
        """{"resourceType": "Observation"""".encodeToByteArray(), """{"resourceType": ""}""".encodeToByteArray(),
        "MSH|^~\\&|".encodeToByteArray(), "PK\u0003\u0004".encodeToByteArray() + noise(100),
        ByteArray(128) + "DICM".encodeToByteArray() + noise(100), "%PDF-1.7\n".encodeToByteArray(),
        Fhir.patient.copyOf(Fhir.patient.size / 2), byteArrayOf(-1, -2, -3),
    ) + List(5) { ByteArray(random.nextInt(2000)).also(random::nextBytes) }

    /** Whether it went through. Anything but a [MedVaultException] ends the test. */
    private suspend fun survives(what: String, call: suspend () -> Any?): Boolean =
        try {
            call()
            true
        } catch (error: MedVaultException) {
            assertTrue(error.code.matches(Regex("[a-z0-9-]+")), "$what: ${error.code}")
            assertTrue(error.code != "panicked", "$what: $error")
            assertTrue(error.reason.isNotBlank() && error.reason.length < 2000, "$what: ${error.reason.length} characters")
            false
        } catch (error: CancellationException) {
            throw error
        } catch (error: Throwable) {
            fail("$what: $error", error)
        }

    private fun shown(text: String) = if (text.length > 40) "${text.take(40)}… ${text.length}" else text
}
