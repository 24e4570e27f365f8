package medvault.android

import android.content.Context
import androidx.work.BackoffPolicy
import androidx.work.Constraints
import androidx.work.CoroutineWorker
import androidx.work.ExistingPeriodicWorkPolicy
import androidx.work.NetworkType
import androidx.work.PeriodicWorkRequestBuilder
import androidx.work.WorkManager
import androidx.work.WorkerParameters
import java.util.concurrent.TimeUnit
import medvault.MedVaultException

/**
 * Keeps the vault up to date while the app is not used: renews the head, ends grants whose time is
 * over, fetches what is new from senders. WorkManager finds the moment and waits for the network.
 */
class SyncWorker(context: Context, parameters: WorkerParameters) : CoroutineWorker(context, parameters) {
    override suspend fun doWork(): Result {
        if (!VaultHost.exists(applicationContext)) return Result.success()
        return try {
            val report = VaultHost.vault(applicationContext).sync(DEADLINE_MS)
            if (report.finished) Result.success() else Result.retry()
        } catch (_: MedVaultException.Network) {
            Result.retry()
        } catch (_: MedVaultException.Storage) {
            // in use by another process, or the disk is full
            Result.retry()
        } catch (_: MedVaultException) {
            // locked until the person confirms, or something that the app shows when it is opened
            Result.failure()
        }
    }

    companion object {
        /** A worker may run for ten minutes; what is left is for opening and for the system. */
        private const val DEADLINE_MS: ULong = 480_000uL
        private const val NAME = "medvault-sync"

        /** Has the vault synced every `hours` from now on. Call it each time the app starts. */
        fun schedule(context: Context, hours: Long = 6) {
            val request = PeriodicWorkRequestBuilder<SyncWorker>(hours, TimeUnit.HOURS)
                .setConstraints(Constraints.Builder().setRequiredNetworkType(NetworkType.CONNECTED).build())
                .setBackoffCriteria(BackoffPolicy.EXPONENTIAL, 10, TimeUnit.MINUTES)
                .build()
            WorkManager.getInstance(context)
                .enqueueUniquePeriodicWork(NAME, ExistingPeriodicWorkPolicy.UPDATE, request)
        }

        /** Ends that. */
        fun cancel(context: Context) {
            WorkManager.getInstance(context).cancelUniqueWork(NAME)
        }
    }
}
