package clinic

import java.nio.file.Path
import kotlin.system.exitProcess
import kotlinx.coroutines.runBlocking
import medvault.MedVaultException
import medvault.code
import medvault.reason

private const val HELP = """A clinic's vault on the command line.

  run init NAME         make the clinic's vault
  run card              show its contact card and fingerprint, for patients
  run accept TICKET     accept a patient's ticket: the text, or a file with it
  run sync              ask the patients' nodes what is new
  run agree [GRANT]     list the agreements that patients ask for, or accept one
  run list              list what patients share
  run read ID           print a record; the beginning of its id does
  run deposit TO FILE   send a patient a file
  run demo              play it all through, the patient too

CLINIC_HOME is the vault's folder (./clinic-home unless set). The passphrase is asked for, or taken
from CLINIC_PASSPHRASE."""

fun main(args: Array<String>) {
    val code = try {
        runBlocking { command(args.toList()) }
    } catch (error: MedVaultException) {
        System.err.println("clinic: ${error.reason} (${error.code})")
        1
    } catch (error: NotThere) {
        System.err.println("clinic: ${error.message}")
        1
    } catch (error: Usage) {
        System.err.println("clinic: ${error.message}\n\n$HELP")
        2
    }
    exitProcess(code)
}

/** The command line was not understood. */
internal class Usage(message: String) : Exception(message)

/** Nothing goes by that id, or several things do. */
internal class NotThere(message: String) : Exception(message)

private suspend fun command(args: List<String>): Int {
    val rest = args.drop(1)
    fun takes(range: IntRange) {
        if (rest.size !in range) throw Usage("`${args[0]}` was given ${rest.size} words")
    }
    val home = Path.of(System.getenv("CLINIC_HOME") ?: "clinic-home")
    suspend fun clinic(does: suspend Clinic.() -> Unit) = Clinic.open(home, passphrase()).use { it.does() }
    when (args.firstOrNull()) {
        null, "help", "--help" -> println(HELP)
        "init" -> takes(1..1).also { Clinic.make(home, rest[0], passphrase()) }
        "card" -> takes(0..0).also { clinic { card() } }
        "accept" -> takes(1..1).also { clinic { accept(rest[0]) } }
        "sync" -> takes(0..0).also { clinic { sync() } }
        "agree" -> takes(0..1).also { clinic { agree(rest.firstOrNull()) } }
        "list" -> takes(0..0).also { clinic { list() } }
        "read" -> takes(1..1).also { clinic { read(rest[0]) } }
        "deposit" -> takes(2..2).also { clinic { deposit(rest[0], Path.of(rest[1])) } }
        "demo" -> takes(0..0).also { Demo.play() }
        else -> throw Usage("there is no command `${args[0]}`")
    }
    return 0
}

private fun passphrase(): String {
    System.getenv("CLINIC_PASSPHRASE")?.let { return it }
    val console = System.console() ?: throw Usage("no terminal to ask for the passphrase; set CLINIC_PASSPHRASE")
    val typed = console.readPassword("Passphrase: ") ?: throw Usage("no passphrase")
    return String(typed)
}
