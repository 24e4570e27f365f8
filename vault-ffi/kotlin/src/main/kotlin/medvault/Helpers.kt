package medvault

import java.io.InputStream
import java.nio.ByteBuffer
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.withContext

/** The case, for programs: the same as `medvault --json` prints. */
val MedVaultException.code: String
    get() = when (this) {
        is MedVaultException.InvalidInput -> code
        is MedVaultException.NotFound -> code
        is MedVaultException.Identity -> code
        is MedVaultException.Storage -> code
        is MedVaultException.Network -> code
        is MedVaultException.Refused -> code
        is MedVaultException.Integrity -> code
        is MedVaultException.Locked -> code
        is MedVaultException.Cancelled -> code
        is MedVaultException.Failed -> code
    }

/** One line for people. */
val MedVaultException.reason: String
    get() = when (this) {
        is MedVaultException.InvalidInput -> reason
        is MedVaultException.NotFound -> reason
        is MedVaultException.Identity -> reason
        is MedVaultException.Storage -> reason
        is MedVaultException.Network -> reason
        is MedVaultException.Refused -> reason
        is MedVaultException.Integrity -> reason
        is MedVaultException.Locked -> reason
        is MedVaultException.Cancelled -> reason
        is MedVaultException.Failed -> reason
    }

/** A listener from a lambda. It is called on a thread of the library. */
fun progressListener(hears: (done: ULong, total: ULong) -> Unit): ProgressListener =
    object : ProgressListener {
        override fun progress(done: ULong, total: ULong) = hears(done, total)
    }

/**
 * Waits for the work and closes it, which also stops the work when the coroutine was cancelled;
 * `result` alone would leave it running.
 */
suspend fun AddWork.await(): AddReport = use { it.result() }

/** Waits for the work and closes it; stops it when the coroutine is cancelled. */
suspend fun FileWork.await(): FileReport = use { it.result() }

/** Waits for the work and closes it; stops it when the coroutine is cancelled. */
suspend fun RevokeWork.await(): List<Receipt> = use { it.result() }

/** Waits for the work and closes it; stops it when the coroutine is cancelled. */
suspend fun DepositWork.await(): DepositSent = use { it.result() }

/** Waits for the work and closes it; stops it when the coroutine is cancelled. */
suspend fun RestoreWork.await(): RestoreReport = use { it.result() }

/**
 * Adds all that a stream holds, as what Android's `ContentResolver` opens, a mebibyte at a time and
 * on a thread for input and output. The stream is left open. When this fails or is cancelled, nothing
 * is added.
 */
suspend fun Vault.addFrom(stream: InputStream, name: String): AddReport =
    addStream(name).use { writer ->
        withContext(Dispatchers.IO) {
            val bytes = ByteArray(CHUNK)
            val buffer = ByteBuffer.allocateDirect(CHUNK)
            while (true) {
                ensureActive()
                val length = stream.read(bytes)
                if (length < 0) break
                buffer.clear().put(bytes, 0, length).flip()
                writer.write(buffer)
            }
        }
        writer.finish()
    }

private const val CHUNK = 1 shl 20
