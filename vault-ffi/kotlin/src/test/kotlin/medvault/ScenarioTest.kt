package medvault

import java.nio.ByteBuffer
import java.nio.file.Files
import java.nio.file.Path
import java.util.concurrent.atomic.AtomicInteger
import org.junit.jupiter.api.AfterAll
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeAll
import org.junit.jupiter.api.MethodOrderer
import org.junit.jupiter.api.Order
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestInstance
import org.junit.jupiter.api.TestMethodOrder
import org.junit.jupiter.api.io.TempDir

/** The whole story of a patient and a clinic, each step after the one before. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@TestMethodOrder(MethodOrderer.OrderAnnotation::class)
internal class ScenarioTest {
    private lateinit var folder: Path

    private lateinit var patient: Vault
    private lateinit var clinic: Vault
    private lateinit var words: String
    private val patientKeys = AesKeyStore()
    private val clinicKeys = AesKeyStore()
    private val ids = mutableMapOf<String, String>()
    private lateinit var labs: ShareResult
    private lateinit var asked: ShareResult

    private val patientHome get() = "${folder.resolve("patient")}"
    private val clinicHome get() = "${folder.resolve("clinic")}"

    @BeforeAll
    fun folder(@TempDir folder: Path) {
        this.folder = folder
    }

    @AfterAll
    fun close() = vaultTest {
        for (vault in listOf(patient, clinic)) {
            vault.lock()
            vault.close()
        }
    }

    @Test
    @Order(1)
    fun `two vaults are made, one under a passphrase and one under a key store`() = vaultTest {
        assertFalse(hasVault(patientHome))
        val made = createVault(patientHome, "Juno", Unlock.Passphrase(PASSPHRASE), Platform(keyStore = patientKeys))
        patient = made.vault
        words = made.recoveryWords
        assertEquals(24, words.trim().split(Regex("\\s+")).size)
        checkRecoveryWords(words)
        assertTrue(hasVault(patientHome))
        clinic = createVault(clinicHome, "Larkspur Practice", Unlock.KeyStore, Platform(clinicKeys)).vault
        val info = patient.info()
        assertEquals("Juno", info.name)
        assertEquals(0uL, info.records)
        assertFalse(patient.isLocked())
    }

    @Test
    @Order(2)
    fun `records go in as bytes, as a file and as a stream`() = vaultTest {
        ids["patient"] = patient.add(Fhir.patient, "patient.json").only()
        for ((name, bytes) in listOf("metformin" to Fhir.metformin, "influenza" to Fhir.influenza, "hiv" to Fhir.hiv)) {
            ids[name] = patient.add(bytes, "$name.json").only()
        }
        val file = folder.resolve("results.json")
        Files.write(file, Fhir.bundle(Fhir.hba1c, Fhir.glucose))
        val heard = AtomicInteger()
        val report = patient.addFile("$file", progressListener { _, _ -> heard.incrementAndGet() }).await()
        assertEquals(2uL, report.added)
        assertTrue(report.refused.isEmpty())
        assertTrue(heard.get() > 0)

        val letter = "Dear colleague, ".encodeToByteArray() + noise(3_000_000)
        patient.addStream("letter.bin").use { writer ->
            val buffer = ByteBuffer.allocateDirect(700_000)
            for (from in letter.indices step buffer.capacity()) {
                val length = minOf(buffer.capacity(), letter.size - from)
                buffer.clear().put(letter, from, length).flip()
                writer.write(buffer)
            }
            ids["letter"] = writer.finish().only()
        }
        assertArrayEquals(letter, patient.content(ids.getValue("letter")))
        assertArrayEquals(Fhir.patient, patient.content(ids.getValue("patient")))
        val again = patient.add(Fhir.patient, "patient.json")
        assertEquals(0uL to 1uL, again.added to again.known)
    }

    @Test
    @Order(3)
    fun `lists are filtered`() = vaultTest {
        suspend fun titles(filter: RecordFilter) = patient.records(filter).map { it.title }.toSet()
        assertEquals(7, patient.records(RecordFilter()).size)
        assertEquals(setOf("HbA1c", "Fasting glucose", "HIV screening test"), titles(RecordFilter(categories = listOf("lab"))))
        assertEquals(setOf("Influenza vaccine"), titles(RecordFilter(kinds = listOf("Immunization"))))
        assertEquals(setOf("HbA1c"), titles(RecordFilter(codes = listOf("4548-4"))))
        assertEquals(setOf("HIV screening test"), titles(RecordFilter(labels = listOf("HIV"))))
        assertEquals(setOf("Fasting glucose"), titles(RecordFilter(text = "glucose")))
        assertEquals(setOf("HbA1c", "Metformin 500 mg", "Influenza vaccine"),
            titles(RecordFilter(since = "2024-01-01", until = "2024-12-31")))
        val pages = (0u until 7u).map { patient.records(RecordFilter(offset = it, limit = 1u)).single().id }
        assertEquals(patient.records(RecordFilter()).map { it.id }, pages)

        val glucose = patient.records(RecordFilter(text = "glucose")).single()
        ids["glucose"] = glucose.id
        ids["hba1c"] = patient.records(RecordFilter(codes = listOf("4548-4"))).single().id
        assertEquals("2025-03-18", glucose.date)
        assertTrue(glucose.opens)
        assertFalse(glucose.sensitive)
        assertTrue(patient.record(ids.getValue("hiv")).summary.sensitive)
    }

    @Test
    @Order(4)
    fun `a record has versions, a range, and goes to a file`() = vaultTest {
        val id = ids.getValue("glucose")
        val corrected = Fhir.glucose.decodeToString().replace("6.4", "6.5").encodeToByteArray()
        assertEquals(id, patient.update(id, corrected).id)
        val detail = patient.record(id)
        assertEquals(2, detail.versions.size)
        assertArrayEquals(corrected, patient.content(id))
        val letter = ids.getValue("letter")
        val whole = patient.content(letter)
        assertArrayEquals(whole.copyOfRange(2_000_001, 2_000_101), patient.contentRange(letter, 2_000_001uL, 100u))
        val out = folder.resolve("letter.out")
        val written = patient.contentToFile(letter, "$out", null).await()
        assertEquals(whole.size.toULong(), written.bytes)
        assertArrayEquals(whole, Files.readAllBytes(out))
    }

    @Test
    @Order(5)
    fun `cards are exchanged and fingerprints compared`() = vaultTest {
        val (ours, theirs) = patient.info() to clinic.info()
        val card = inspectCard(theirs.card)
        assertEquals("Larkspur Practice", card.name)
        assertEquals(theirs.fingerprint, card.fingerprint)
        assertFalse(patient.addContact("clinic", theirs.card).verified)
        refused<MedVaultException> { patient.verifyContact("clinic", ours.fingerprint) }
        assertTrue(patient.verifyContact("clinic", theirs.fingerprint).verified)
        clinic.addContact("juno", ours.card)
        clinic.verifyContact("juno", ours.fingerprint)
        assertEquals(listOf("clinic"), patient.contacts().map { it.name })
    }

    @Test
    @Order(6)
    fun `a preview says what becomes readable, and a grant gives just that`() = vaultTest {
        patient.startNode(NodeOptions(localOnly = true))
        val scope = ShareScope(categories = listOf("lab"))
        val preview = patient.previewShare(scope)
        assertEquals(setOf("hba1c", "glucose").map(ids::getValue).toSet(), preview.included.map { it.id }.toSet())
        assertEquals(listOf("HIV screening test"), preview.withheld.map { it.title })
        labs = patient.share(ShareRequest(readers = listOf("clinic"), scope = scope, purpose = "TREAT"))
        assertEquals(listOf("clinic"), labs.tickets.map { it.reader })
        val grant = patient.grants().single()
        assertEquals(labs.grant, grant.id)
        assertEquals(GrantStatus.ACTIVE, grant.status)
        assertEquals(labs.tickets.single().ticket.isEmpty(), patient.ticket(labs.grant, "clinic").isEmpty())
    }

    @Test
    @Order(7)
    fun `the clinic accepts the ticket, syncs and reads`() = vaultTest {
        val sender = clinic.acceptTicket(labs.tickets.single().ticket, "juno")
        assertEquals("juno", sender.name)
        val synced = clinic.syncSender("juno")
        assertEquals(2u, synced.records)
        val shared = clinic.sharedRecords("juno", RecordFilter())
        assertEquals(setOf("HbA1c", "Fasting glucose"), shared.map { it.title }.toSet())
        assertTrue(shared.all { it.opens })
        assertArrayEquals(Fhir.hba1c, clinic.sharedContent("juno", ids.getValue("hba1c"), null))
        val out = folder.resolve("hba1c.json")
        clinic.sharedContentToFile("juno", ids.getValue("hba1c"), null, "$out", null).await()
        assertArrayEquals(Fhir.hba1c, Files.readAllBytes(out))
        refused<MedVaultException> { clinic.sharedContent("juno", ids.getValue("hiv"), null) }
        assertTrue(checkNotNull(patient.nodeStatus()).headsSent > 0uL)
    }

    @Test
    @Order(8)
    fun `a standing grant follows what comes later`() = vaultTest {
        ids["creatinine"] = patient.add(Fhir.creatinine, "creatinine.json").only()
        val report = clinic.sync(30_000uL)
        assertTrue(report.finished, "${report.problems}")
        assertEquals(3u, report.senders.single { it.name == "juno" }.records)
        assertArrayEquals(Fhir.creatinine, clinic.sharedContent("juno", ids.getValue("creatinine"), null))
    }

    @Test
    @Order(9)
    fun `on request, a key is given after the agreement and leaves a trace`() = vaultTest {
        val influenza = ids.getValue("influenza")
        asked = patient.share(
            ShareRequest(
                readers = listOf("clinic"),
                scope = ShareScope(records = listOf(influenza)),
                purpose = "TREAT",
                onRequest = OnRequest(opens = 5uL, mayDeposit = true),
            ),
        )
        clinic.acceptTicket(asked.tickets.single().ticket, null)
        clinic.syncSender("juno")
        refused<MedVaultException.NotFound> { clinic.sharedContent("juno", influenza, "TREAT") }
        val agreement = clinic.agreements().single { it.grant == asked.grant }
        assertFalse(agreement.accepted)
        assertTrue(agreement.mayDeposit)
        clinic.acceptAgreement(asked.grant)
        clinic.syncSender("juno")
        val summary = clinic.sharedRecords("juno", RecordFilter(kinds = listOf("Immunization"))).single()
        assertFalse(summary.opens)
        assertArrayEquals(Fhir.influenza, clinic.sharedContent("juno", influenza, "TREAT"))
        assertEquals(1uL, patient.grants().single { it.id == asked.grant }.opens)
        val trace = patient.auditLog().filter { it.grant == asked.grant }
        assertTrue(trace.any { it.outcome == "opened" && influenza in it.records }, "$trace")
    }

    @Test
    @Order(10)
    fun `the clinic sends a result and the patient takes it in`() = vaultTest {
        patient.setDepositLimit("clinic", DepositLimit(1_000_000uL, 10u))
        assertEquals(10u, patient.contacts().single().depositLimit?.perDay)
        clinic.syncSender("juno")
        val result = Fhir.lab("potassium-2025", "2823-3", "Potassium", "2025-06-02", 4.2, "mmol/L")
        val sent = clinic.deposit("juno", listOf(DepositItem.Bytes(result, "potassium.json")), "your result").await()
        assertEquals(1uL, sent.records)
        assertNotNull(sent.delivered)
        val waiting = patient.deposits().single()
        assertEquals("clinic", waiting.sender)
        val detail = patient.depositDetail(waiting.id)
        assertEquals("your result", detail.message)
        assertEquals(listOf("Potassium"), detail.records.map { it.title })
        val id = patient.acceptDeposit(waiting.id).only()
        assertArrayEquals(result, patient.content(id))
        assertTrue(patient.deposits().isEmpty())
    }

    @Test
    @Order(11)
    fun `what is revoked says what was opened, and shows nothing new`() = vaultTest {
        val receipt = patient.revoke(labs.grant, RevokeLevel.REKEY, null).await().single()
        assertEquals(labs.grant, receipt.grant)
        assertEquals("R2", receipt.level)
        assertEquals(listOf("clinic"), receipt.readers)
        assertTrue("clinic" in receipt.text)
        assertNull(receipt.opened)
        val asRequested = patient.revokeContact("clinic", RevokeLevel.STOP, null).await()
        assertEquals(1uL, asRequested.single { it.grant == asked.grant }.opened)
        assertEquals(setOf(GrantStatus.REVOKED), patient.grants().map { it.status }.toSet())

        val later = patient.add(Fhir.lab("sodium-2025", "2951-2", "Sodium", "2025-07-01", 140.0, "mmol/L"), "sodium.json").only()
        refused<MedVaultException.Refused> { clinic.syncSender("juno") }
        refused<MedVaultException> { clinic.sharedContent("juno", later, null) }
        assertTrue(clinic.sharedRecords("juno", RecordFilter()).none { it.id == later })
    }

    @Test
    @Order(12)
    fun `the log tells the story and proves it`() = vaultTest {
        val log = patient.auditLog()
        val check = patient.verifyAudit()
        assertTrue(check.intact, "${check.problem}")
        // a request and its receipt are one event
        assertTrue(log.size.toULong() in check.entries - 1u..check.entries, "${log.size} of ${check.entries}")
        assertEquals(log.map { it.index }.distinct().sorted(), log.map { it.index })
        assertTrue(log.any { it.grant == labs.grant })
        val blocks = patient.verifyBlocks(deep = true)
        assertTrue(blocks.missing.isEmpty() && blocks.unreadable.isEmpty())
    }

    @Test
    @Order(13)
    fun `a backup and the words bring everything back`() = vaultTest {
        val copy = folder.resolve("copy.car")
        val written = patient.backup("$copy", null).await()
        assertEquals(Files.size(copy), written.bytes.toLong())
        patient.stopNode()
        assertNull(patient.nodeStatus())
        val home = "${folder.resolve("recovered")}"
        recoverVault(home, words, listOf("$copy"), Unlock.KeyStore, Platform(AesKeyStore())).use { recovered ->
            assertEquals(patient.info().vaultId, recovered.info().vaultId)
            val all = RecordFilter()
            assertEquals(patient.records(all).map { it.id }.toSet(), recovered.records(all).map { it.id }.toSet())
            assertArrayEquals(Fhir.hba1c, recovered.content(ids.getValue("hba1c")))
            recovered.lock()
        }
    }

    @Test
    @Order(14)
    fun `a locked vault tells nothing until the key store opens it`() = vaultTest {
        patient.rememberInKeyStore()
        patient.lock()
        assertTrue(patient.isLocked())
        assertEquals("locked", refused<MedVaultException.Locked> { patient.records(RecordFilter()) }.code)
        refused<MedVaultException.Identity> { patient.unlock(Unlock.Passphrase("not it")) }
        patient.unlock(Unlock.KeyStore)
        assertEquals(1, patientKeys.opened)
        assertArrayEquals(Fhir.patient, patient.content(ids.getValue("patient")))
        patient.changePassphrase("quite another one")
        patient.forgetKeyStore()
        patient.lock()
        refused<MedVaultException.Identity> { patient.unlock(Unlock.KeyStore) }
        patient.unlock(Unlock.Passphrase("quite another one"))
        assertEquals("Juno", patient.info().name)
    }

    private companion object {
        const val PASSPHRASE = "a passphrase for a test"
    }
}
