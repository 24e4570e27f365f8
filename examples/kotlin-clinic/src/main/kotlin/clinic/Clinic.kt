package clinic

import java.nio.file.Files
import java.nio.file.InvalidPathException
import java.nio.file.Path
import java.time.Instant
import medvault.AgreementSummary
import medvault.DepositItem
import medvault.Platform
import medvault.RecordFilter
import medvault.RecordSummary
import medvault.Unlock
import medvault.Vault
import medvault.await
import medvault.createVault
import medvault.openVault

/** What a clinic does with its vault. Each act prints what came of it. */
internal class Clinic(private val vault: Vault) : AutoCloseable {
    override fun close() = vault.close()

    /** Shows what a patient needs to share with this clinic. */
    suspend fun card() {
        val info = vault.info()
        println("${info.card}\n\nTo compare with the patient, aloud:\n${info.fingerprint}")
    }

    /** Accepts a ticket. Needs no network. */
    suspend fun accept(ticket: String) {
        val sender = vault.acceptTicket(textOf(ticket), null)
        println("${sender.patient} shares with you, here under the name ${sender.name}")
    }

    /** Asks every patient's node what is new. */
    suspend fun sync() {
        val report = vault.sync(60_000uL)
        for (sender in report.senders) {
            val offers = if (sender.offers > 0u) ", ${sender.offers} waiting for your agreement" else ""
            println("${sender.name}: head ${sender.head}, ${sender.records} records$offers")
        }
        report.problems.forEach { println("not all went well: $it") }
        if (!report.finished) println("time ran out; sync again")
    }

    /** Lists what patients ask agreement to, or agrees to one. */
    suspend fun agree(grant: String?) {
        val agreements = vault.agreements()
        if (grant == null) {
            for (one in agreements) {
                println("${one.grant}  ${one.sender}  ${if (one.accepted) "accepted" else "not accepted yet"}")
                println("    " + terms(one))
            }
            if (agreements.isEmpty()) println("no agreements")
            return
        }
        val chosen = agreements.filter { it.grant.startsWith(grant) }.singleOrNull()
            ?: throw NotThere("no one agreement begins with `$grant`")
        vault.acceptAgreement(chosen.grant)
        println("agreed; ${chosen.sender} has your signature")
    }

    /** Lists all that is shared. */
    suspend fun list() {
        val shared = shared()
        if (shared.isEmpty()) println("nothing is shared")
        for ((sender, record) in shared) println(line(sender, record))
    }

    /** Prints a record, by its id or the beginning of it. Where the grant is on request, this asks for the key. */
    suspend fun read(id: String) {
        val (sender, record) = shared().filter { (_, record) -> record.id.startsWith(id) }.singleOrNull()
            ?: throw NotThere("no one record begins with `$id`")
        System.out.write(vault.sharedContent(sender, record.id, null))
        System.out.flush()
    }

    /** Sends a file to a patient and waits for the receipt of the patient's node. */
    suspend fun deposit(to: String, file: Path) {
        val sent = vault.deposit(to, listOf(DepositItem.File("$file")), null).await()
        val what = "${sent.records} record${if (sent.records == 1uL) "" else "s"}, ${sent.bytes} bytes"
        println(if (sent.delivered != null) "$what delivered to $to" else "$what not delivered yet")
    }

    private suspend fun shared(): List<Pair<String, RecordSummary>> =
        vault.senders().flatMap { sender -> vault.sharedRecords(sender.name, RecordFilter()).map { sender.name to it } }

    companion object {
        /** Makes the vault and shows the words that bring it back. */
        suspend fun make(home: Path, name: String, passphrase: String) {
            val made = createVault("$home", name, Unlock.Passphrase(passphrase), Platform())
            made.vault.close()
            println("$name has a vault in $home. Write these words down; they are shown this once:\n")
            made.recoveryWords.trim().split(" ").chunked(6).forEach { println("  " + it.joinToString(" ")) }
        }

        /** Opens the vault. */
        suspend fun open(home: Path, passphrase: String) =
            Clinic(openVault("$home", Unlock.Passphrase(passphrase), Platform()))

        /** A record in one line. */
        fun line(sender: String, record: RecordSummary): String {
            val key = if (record.opens) "" else "  (the key is asked for)"
            return listOf(record.id.take(8), (record.date ?: "-").padEnd(10), record.category.padEnd(12), sender, record.title)
                .joinToString("  ") + key
        }

        /** What an agreement asks for, in one line. */
        private fun terms(agreement: AgreementSummary): String = listOfNotNull(
            "each key is asked for and logged",
            agreement.purpose?.let { "purpose $it" },
            agreement.opens?.let { "at most $it opens" },
            agreement.opensPerDay?.let { "at most $it a day" },
            agreement.expires?.let { "until ${Instant.ofEpochSecond(it.toLong())}" },
            "results may be sent back".takeIf { agreement.mayDeposit },
        ).joinToString(", ")

        /** The text itself, or what is in the file that it names. */
        private fun textOf(given: String): String {
            val file = try {
                Path.of(given)
            } catch (_: InvalidPathException) {
                return given
            }
            return if (given.length < 4096 && Files.isRegularFile(file)) Files.readString(file) else given
        }
    }
}
