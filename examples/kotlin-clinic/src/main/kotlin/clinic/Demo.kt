package clinic

import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.ExperimentalPathApi
import kotlin.io.path.deleteRecursively
import medvault.DepositLimit
import medvault.MedVaultException
import medvault.NodeOptions
import medvault.OnRequest
import medvault.Platform
import medvault.RecordFilter
import medvault.RevokeLevel
import medvault.ShareRequest
import medvault.ShareScope
import medvault.Unlock
import medvault.Vault
import medvault.await
import medvault.code
import medvault.createVault
import medvault.memoryKeyStore
import medvault.reason

/** A patient and a clinic in one process, with a vault each. Checks every step and stops at the first that is not as promised. */
internal class Demo private constructor(private val patient: Vault, private val clinic: Vault) {
    private suspend fun meet() {
        chapter("Two people, two vaults")
        val (mira, larkspur) = patient.info() to clinic.info()
        println("${mira.name.padEnd(18)} ${mira.vaultId}\n${larkspur.name.padEnd(18)} ${larkspur.vaultId}")
        println("Mira gets the clinic's card, and compares the fingerprint that the clinic reads out:")
        println("  ${larkspur.fingerprint}")
        patient.addContact("clinic", larkspur.card)
        patient.verifyContact("clinic", larkspur.fingerprint)
    }

    private suspend fun addRecords() {
        chapter("Mira's records go in, each sealed before it touches the disk")
        val report = patient.add(sample("history.json"), "history.json")
        println("${report.added} records added")
        patient.records(RecordFilter(categories = listOf("lab"), limit = 4u)).forEach { println(Clinic.line("Mira", it)) }
        println("...")
    }

    private suspend fun share(): String {
        chapter("She looks at what a grant would open, and gives it")
        val scope = ShareScope(categories = listOf("lab"))
        val preview = patient.previewShare(scope)
        println("${preview.included.size} laboratory results would become readable")
        for (kept in preview.withheld) println("stays closed: ${kept.title} (${kept.reason})")
        patient.startNode(NodeOptions(localOnly = true))
        val shared = patient.share(ShareRequest(listOf("clinic"), scope, purpose = "TREAT"))
        val ticket = shared.tickets.single().ticket
        println("a ticket for the clinic: ${ticket.take(40)}... (${ticket.length} characters)")
        with(Clinic(clinic)) {
            accept(ticket)
            sync()
            list()
        }
        promised(clinic.sharedRecords(MIRA, RecordFilter()).size == preview.included.size)
        return shared.grant
    }

    private suspend fun read() {
        chapter("The clinic reads one")
        val record = clinic.sharedRecords(MIRA, RecordFilter(text = "HbA1c")).first()
        val content = clinic.sharedContent(MIRA, record.id, null)
        println(content.decodeToString().lines().take(6).joinToString("\n") + "\n...")
        promised(content.contentEquals(patient.content(record.id)))
    }

    private suspend fun onRequest() {
        chapter("The medication only on request: no key leaves before it stands in Mira's log")
        val scope = ShareScope(categories = listOf("medication"))
        val terms = OnRequest(opens = 3uL, mayDeposit = true)
        val shared = patient.share(ShareRequest(listOf("clinic"), scope, purpose = "TREAT", onRequest = terms))
        with(Clinic(clinic)) {
            accept(shared.tickets.single().ticket)
            sync()
            agree(null)
            agree(shared.grant)
            sync()
        }
        val record = clinic.sharedRecords(MIRA, scope.let { RecordFilter(categories = it.categories) }).first()
        println(Clinic.line(MIRA, record))
        promised(!record.opens)
        promised(clinic.sharedContent(MIRA, record.id, "TREAT").contentEquals(patient.content(record.id)))
        val opens = patient.grants().single { it.id == shared.grant }.opens
        println("read; Mira's log counts $opens open of 3")
        promised(opens == 1uL)
    }

    private suspend fun result(folder: Path) {
        chapter("The clinic sends a new result; Mira looks at it and takes it in")
        patient.setDepositLimit("clinic", DepositLimit(bytes = 1_000_000uL, perDay = 10u))
        val file = Files.write(folder.resolve("new-result.json"), sample("new-result.json"))
        Clinic(clinic).deposit(MIRA, file)
        val waiting = patient.deposits().single()
        val detail = patient.depositDetail(waiting.id)
        println("waiting, from ${detail.sender}: ${detail.records.joinToString { it.title }}")
        println("${patient.acceptDeposit(waiting.id).added} record accepted")
        promised(patient.deposits().isEmpty())
    }

    private suspend fun takeBack(grant: String) {
        chapter("Mira takes the laboratory results back")
        val receipt = patient.revoke(grant, RevokeLevel.REKEY, null).await().single()
        println(receipt.text.trimEnd())
        val later = patient.add(sample("new-result.json").decodeToString().replace("\"final\"", "\"amended\"").encodeToByteArray(), "later.json")
        Clinic(clinic).sync()
        val seen = clinic.sharedRecords(MIRA, RecordFilter()).map { it.id }
        promised(later.records.isNotEmpty() && later.records.none { it in seen })
        println("what came later does not reach the clinic")
    }

    private suspend fun prove() {
        chapter("Mira's log")
        for (event in patient.auditLog().takeLast(8)) println("${event.index}  ${event.text}")
        val check = patient.verifyAudit()
        println("${check.entries} entries, ${if (check.intact) "intact" else check.problem}")
        promised(check.intact)
        patient.stopNode()
        patient.lock()
        val refusal = runCatching { patient.records(RecordFilter()) }.exceptionOrNull() as? MedVaultException
        println("locked: ${refusal?.reason} (${refusal?.code})")
        promised(refusal is MedVaultException.Locked)
        println("\nEvery step was as promised.")
    }

    companion object {
        private const val MIRA = "Mira"

        /** Plays it through in a temporary folder. */
        @OptIn(ExperimentalPathApi::class)
        suspend fun play() {
            val folder = Files.createTempDirectory("clinic-demo")
            try {
                val patient = createVault("${folder.resolve("mira")}", MIRA, Unlock.KeyStore, Platform(memoryKeyStore())).vault
                val clinic = createVault("${folder.resolve("clinic")}", "Larkspur Practice", Unlock.KeyStore, Platform(memoryKeyStore())).vault
                patient.use {
                    clinic.use {
                        with(Demo(patient, clinic)) {
                            meet()
                            addRecords()
                            val grant = share()
                            read()
                            onRequest()
                            result(folder)
                            takeBack(grant)
                            prove()
                        }
                    }
                }
            } finally {
                folder.deleteRecursively()
            }
        }

        private fun chapter(title: String) = println("\n== $title")

        private fun promised(kept: Boolean) = check(kept) { "this step was not as promised" }

        private fun sample(name: String): ByteArray =
            checkNotNull(Demo::class.java.getResourceAsStream("/$name")).use { it.readBytes() }
    }
}
