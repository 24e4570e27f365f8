// The declarations of WorkManager that SyncWorker uses, so that ./check can compile it where Google's
// repository cannot be reached. They stand for androidx.work:work-runtime and ship nowhere.
@file:Suppress("unused", "UNUSED_PARAMETER")

package androidx.work

import android.content.Context
import java.util.concurrent.TimeUnit

class WorkerParameters private constructor()

abstract class ListenableWorker(val applicationContext: Context) {
    abstract class Result {
        companion object {
            @JvmStatic fun success(): Result = declared()
            @JvmStatic fun retry(): Result = declared()
            @JvmStatic fun failure(): Result = declared()
        }
    }
}

abstract class CoroutineWorker(context: Context, parameters: WorkerParameters) : ListenableWorker(context) {
    abstract suspend fun doWork(): Result
}

enum class NetworkType { NOT_REQUIRED, CONNECTED, UNMETERED }

enum class BackoffPolicy { EXPONENTIAL, LINEAR }

enum class ExistingPeriodicWorkPolicy { KEEP, UPDATE, CANCEL_AND_REENQUEUE }

class Constraints private constructor() {
    class Builder {
        fun setRequiredNetworkType(type: NetworkType): Builder = declared()
        fun build(): Constraints = declared()
    }
}

class PeriodicWorkRequest private constructor() {
    class Builder {
        fun setConstraints(constraints: Constraints): Builder = declared()
        fun setBackoffCriteria(policy: BackoffPolicy, delay: Long, unit: TimeUnit): Builder = declared()
        fun build(): PeriodicWorkRequest = declared()
    }
}

inline fun <reified W : ListenableWorker> PeriodicWorkRequestBuilder(
    interval: Long,
    unit: TimeUnit,
): PeriodicWorkRequest.Builder = declared()

interface Operation

abstract class WorkManager {
    abstract fun enqueueUniquePeriodicWork(
        name: String,
        policy: ExistingPeriodicWorkPolicy,
        request: PeriodicWorkRequest,
    ): Operation

    abstract fun cancelUniqueWork(name: String): Operation

    companion object {
        @JvmStatic fun getInstance(context: Context): WorkManager = declared()
    }
}

@PublishedApi
internal fun declared(): Nothing = throw UnsupportedOperationException("declared only")
