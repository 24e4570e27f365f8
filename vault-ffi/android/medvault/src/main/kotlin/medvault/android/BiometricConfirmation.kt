package medvault.android

import android.app.Activity
import android.hardware.biometrics.BiometricManager
import android.hardware.biometrics.BiometricPrompt
import android.os.Build
import android.os.CancellationSignal
import android.os.Looper
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ExecutionException
import javax.crypto.Cipher
import medvault.KeyStoreException

/**
 * Asks for a finger or a face with the system's own dialogue, and waits for it.
 *
 * @param activity gives the activity in front, or `null` when there is none: then it refuses.
 * @param title the line above, such as "Open your health records".
 * @param cancel the text of the button that ends it.
 */
class BiometricConfirmation(
    private val title: String,
    private val cancel: String,
    private val activity: () -> Activity?,
) : Confirmation {
    override fun confirm(cipher: Cipher): Cipher {
        check(Looper.myLooper() != Looper.getMainLooper()) { "this waits for the person: not on the main thread" }
        val front = activity() ?: throw KeyStoreException.Refused("nobody can be asked now")
        val answer = CompletableFuture<Cipher>()
        val stop = CancellationSignal()
        front.runOnUiThread {
            try {
                prompt(front, answer).authenticate(
                    BiometricPrompt.CryptoObject(cipher), stop, front.mainExecutor, Listener(answer),
                )
            } catch (failed: RuntimeException) {
                answer.completeExceptionally(failed)
            }
        }
        return try {
            answer.get()
        } catch (failed: ExecutionException) {
            throw failed.cause as? KeyStoreException
                ?: KeyStoreException.Unavailable("this device has no biometry that keys can be bound to")
        } catch (_: InterruptedException) {
            stop.cancel()
            Thread.currentThread().interrupt()
            throw KeyStoreException.Refused("it was interrupted")
        }
    }

    private fun prompt(front: Activity, answer: CompletableFuture<Cipher>): BiometricPrompt {
        val builder = BiometricPrompt.Builder(front)
            .setTitle(title)
            .setNegativeButton(cancel, front.mainExecutor) { _, _ -> answer.completeExceptionally(disagreed()) }
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            builder.setAllowedAuthenticators(BiometricManager.Authenticators.BIOMETRIC_STRONG)
        }
        return builder.build()
    }

    private class Listener(private val answer: CompletableFuture<Cipher>) : BiometricPrompt.AuthenticationCallback() {
        override fun onAuthenticationSucceeded(result: BiometricPrompt.AuthenticationResult) {
            val cipher = result.cryptoObject?.cipher
            if (cipher != null) answer.complete(cipher) else answer.completeExceptionally(disagreed())
        }

        override fun onAuthenticationError(code: Int, text: CharSequence) {
            answer.completeExceptionally(
                when (code) {
                    BiometricPrompt.BIOMETRIC_ERROR_NO_BIOMETRICS,
                    BiometricPrompt.BIOMETRIC_ERROR_HW_NOT_PRESENT,
                    -> KeyStoreException.Unavailable("no finger and no face is set up on this device")
                    BiometricPrompt.BIOMETRIC_ERROR_LOCKOUT,
                    BiometricPrompt.BIOMETRIC_ERROR_LOCKOUT_PERMANENT,
                    -> KeyStoreException.Refused("too many attempts")
                    else -> disagreed()
                },
            )
        }
    }
}

private fun disagreed() = KeyStoreException.Refused("the person did not agree")
