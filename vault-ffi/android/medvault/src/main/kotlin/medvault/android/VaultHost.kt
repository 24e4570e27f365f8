package medvault.android

import android.content.Context
import android.util.Log
import java.io.File
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import medvault.KeyStore
import medvault.LogLevel
import medvault.LogLine
import medvault.LogSink
import medvault.NewVault
import medvault.Platform
import medvault.Unlock
import medvault.Vault
import medvault.createVault
import medvault.hasVault
import medvault.openVault

/**
 * The app's one vault, for activities, services and workers alike. It lies where no device backup
 * takes it: readers refuse a vault that was put back to an older state, and [Vault.backup] makes
 * copies that may be put back.
 */
object VaultHost {
    private val mutex = Mutex()
    private var opened: Vault? = null

    /** The vault's folder. */
    fun folder(context: Context) = File(context.noBackupFilesDir, "vault")

    /** Whether there is a vault. */
    fun exists(context: Context) = hasVault(folder(context).path)

    /** Makes the vault. Show the 24 words that come with it once, and have them written down. */
    suspend fun create(context: Context, name: String, keys: KeyStore = AndroidKeyStore()): NewVault =
        mutex.withLock {
            createVault(folder(context).path, name, Unlock.KeyStore, platform(context, keys))
                .also { opened = it.vault }
        }

    /** The vault, opened with the key store when it is not open. */
    suspend fun vault(context: Context, keys: KeyStore = AndroidKeyStore()): Vault =
        mutex.withLock {
            val vault = opened
                ?: openVault(folder(context).path, Unlock.KeyStore, platform(context, keys)).also { opened = it }
            if (vault.isLocked()) vault.unlock(Unlock.KeyStore)
            vault
        }

    private fun platform(context: Context, keys: KeyStore) =
        Platform(keyStore = keys, log = SystemLog, network = ConnectionPolicy(context))
}

/** Log lines to the system's log. They hold codes and numbers, nothing about anyone's health. */
object SystemLog : LogSink {
    private const val TAG = "medvault"

    override fun write(line: LogLine) {
        val text = "${line.event} ${line.text}"
        when (line.level) {
            LogLevel.ERROR -> Log.e(TAG, text)
            LogLevel.WARN -> Log.w(TAG, text)
            LogLevel.INFO -> Log.i(TAG, text)
            LogLevel.DEBUG -> Log.d(TAG, text)
        }
    }
}
