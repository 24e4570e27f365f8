package medvault

import java.nio.ByteBuffer
import java.nio.file.Files
import java.nio.file.Path
import java.security.GeneralSecurityException
import java.security.SecureRandom
import java.util.Random
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.fail

/** A test of suspending calls, with an end to its patience. */
internal fun vaultTest(test: suspend CoroutineScope.() -> Unit) =
    runBlocking { withTimeout(90.seconds) { test() } }

/** A key store as an app for a desktop has it: AES in Galois/counter mode under a key of its own. */
internal class AesKeyStore(private val key: SecretKey = KeyGenerator.getInstance("AES").run { init(256); generateKey() }) : KeyStore {
    var opened = 0
        private set

    override fun seal(secret: ByteArray): ByteArray {
        val cipher = Cipher.getInstance("AES/GCM/NoPadding")
        cipher.init(Cipher.ENCRYPT_MODE, key)
        return cipher.iv + cipher.doFinal(secret)
    }

    override fun unseal(sealed: ByteArray): ByteArray {
        if (sealed.size < 12) throw KeyStoreException.Refused("too short")
        val cipher = Cipher.getInstance("AES/GCM/NoPadding")
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(128, sealed, 0, 12))
        return try {
            cipher.doFinal(sealed, 12, sealed.size - 12).also { opened++ }
        } catch (error: GeneralSecurityException) {
            throw KeyStoreException.Refused("sealed under another key")
        }
    }
}

/** Someone with a vault of their own. */
internal class Person(val home: Path, val vault: Vault, val words: String, val keys: AesKeyStore) : AutoCloseable {
    override fun close() = vault.close()
}

/** A new vault under the key store, in a folder of its own. */
internal suspend fun person(folder: Path, name: String, network: NetworkPolicy? = null, log: LogSink? = null): Person {
    val keys = AesKeyStore()
    val home = folder.resolve(name)
    val made = createVault("$home", name, Unlock.KeyStore, Platform(keys, log, network))
    return Person(home, made.vault, made.recoveryWords, keys)
}

/** Each gets the other's card and compares the fingerprint. */
internal suspend fun introduce(one: Person, other: Person) {
    for ((from, to) in listOf(one to other, other to one)) {
        val info = from.vault.info()
        to.vault.addContact(info.name, info.card)
        to.vault.verifyContact(info.name, info.fingerprint)
    }
}

/** That the call fails with this variant, and what it failed with. */
internal suspend inline fun <reified E : MedVaultException> refused(call: suspend () -> Any?): E {
    val outcome = try {
        call()
    } catch (error: MedVaultException) {
        if (error is E) return error
        fail("another variant: $error", error)
    }
    fail("it went through: $outcome")
}

/** The only record that was added. */
internal fun AddReport.only(): String {
    assertEquals(1, records.size, "$this")
    return records.single()
}

/** `size` bytes that look random, the same for the same seed. */
internal fun noise(size: Int, seed: Long = 1): ByteArray = ByteArray(size).also { Random(seed).nextBytes(it) }

/** A file of `size` bytes. */
internal fun bigFile(path: Path, size: Int): Path = Files.write(path, noise(size, size.toLong()))

/** Memory outside the heap, as [RecordWriter.write] wants it. */
internal fun direct(bytes: ByteArray): ByteBuffer =
    ByteBuffer.allocateDirect(bytes.size).put(bytes).flip()

/** Unpredictable texts and bytes are not worth much when they cannot be had again. */
internal fun random(name: String): Random {
    val seed = System.getProperty("medvault.seed")?.toLong() ?: SecureRandom().nextLong()
    println("$name: -Dmedvault.seed=$seed")
    return Random(seed)
}
