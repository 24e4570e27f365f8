package medvault.android

import android.os.Build
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.KeyProperties
import android.security.keystore.StrongBoxUnavailableException
import android.security.keystore.UserNotAuthenticatedException
import java.security.GeneralSecurityException
import java.security.ProviderException
import java.security.SecureRandom
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import medvault.KeyStore
import medvault.KeyStoreException

/** Lets the person confirm one use of a key. Called on a thread of the library, and may wait. */
fun interface Confirmation {
    /**
     * Returns the cipher, allowed to be used once.
     *
     * @throws KeyStoreException.Refused when the person does not agree.
     */
    fun confirm(cipher: Cipher): Cipher
}

/**
 * The library's key store, in the Android Keystore: AES-256-GCM under a key that never leaves the
 * device's secure hardware, in StrongBox where there is one.
 *
 * Each [seal] makes a new key; what it sealed, the library keeps in the vault's folder. Keys go when
 * the app is removed or [removeAll] is called, and are in no backup.
 *
 * @param name one for each vault of the app.
 * @param confirmation asked before each use, [BiometricConfirmation] for example. Such a key cannot
 *   be used in the background, and is gone for good once a finger or a face is added.
 */
class AndroidKeyStore(
    private val name: String = "vault",
    private val confirmation: Confirmation? = null,
) : KeyStore {
    override fun seal(secret: ByteArray): ByteArray = refusing {
        val id = ByteArray(ID_LENGTH).also(SecureRandom()::nextBytes)
        val cipher = Cipher.getInstance(TRANSFORMATION)
        cipher.init(Cipher.ENCRYPT_MODE, newKey(alias(id)))
        val allowed = confirmed(cipher)
        allowed.updateAAD(id)
        id + allowed.iv + allowed.doFinal(secret)
    }

    override fun unseal(sealed: ByteArray): ByteArray = refusing {
        if (sealed.size <= ID_LENGTH + IV_LENGTH) {
            throw KeyStoreException.Unavailable("this was sealed by another key store")
        }
        val id = sealed.copyOf(ID_LENGTH)
        val key = keys().getKey(alias(id), null) as? SecretKey
            ?: throw KeyStoreException.Unavailable("the key is gone: another device, or the app was installed anew")
        val cipher = Cipher.getInstance(TRANSFORMATION)
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, sealed, ID_LENGTH, IV_LENGTH))
        val allowed = confirmed(cipher)
        allowed.updateAAD(id)
        val from = ID_LENGTH + IV_LENGTH
        allowed.doFinal(sealed, from, sealed.size - from)
    }

    /** Deletes all keys of this name. For when the vault's folder is deleted: nothing opens again. */
    fun removeAll() = refusing {
        val keys = keys()
        for (alias in keys.aliases().toList()) {
            if (alias.startsWith(prefix())) keys.deleteEntry(alias)
        }
    }

    private fun prefix() = "medvault.$name."

    private fun alias(id: ByteArray) = prefix() + id.joinToString("") { "%02x".format(it) }

    private fun keys() = java.security.KeyStore.getInstance(PROVIDER).apply { load(null) }

    private fun confirmed(cipher: Cipher) = confirmation?.confirm(cipher) ?: cipher

    private fun newKey(alias: String): SecretKey =
        try {
            generate(spec(alias).setIsStrongBoxBacked(true).build())
        } catch (_: StrongBoxUnavailableException) {
            generate(spec(alias).build())
        }

    private fun generate(spec: KeyGenParameterSpec): SecretKey =
        KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER).run {
            init(spec)
            generateKey()
        }

    private fun spec(alias: String): KeyGenParameterSpec.Builder {
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val spec = KeyGenParameterSpec.Builder(alias, purposes)
            .setKeySize(256)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
        if (confirmation != null) {
            spec.setUserAuthenticationRequired(true).setInvalidatedByBiometricEnrollment(true)
            if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
                spec.setUserAuthenticationParameters(0, KeyProperties.AUTH_BIOMETRIC_STRONG)
            }
        }
        return spec
    }

    private companion object {
        const val PROVIDER = "AndroidKeyStore"
        const val TRANSFORMATION = "AES/GCM/NoPadding"
        /** Length of the name of a key, which stands before what it sealed. */
        const val ID_LENGTH = 16
        const val IV_LENGTH = 12
        const val TAG_BITS = 128
    }
}

/** Says what failed in the words of the library. Messages of the system are left out. */
private inline fun <T> refusing(act: () -> T): T =
    try {
        act()
    } catch (_: KeyPermanentlyInvalidatedException) {
        throw KeyStoreException.Unavailable("the key is gone: fingers or faces were added or removed")
    } catch (_: UserNotAuthenticatedException) {
        throw KeyStoreException.Refused("the device is locked, or nobody has confirmed")
    } catch (error: GeneralSecurityException) {
        throw KeyStoreException.Unavailable("the Android Keystore failed: ${error.javaClass.simpleName}")
    } catch (error: ProviderException) {
        throw KeyStoreException.Unavailable("the Android Keystore failed: ${error.javaClass.simpleName}")
    }
