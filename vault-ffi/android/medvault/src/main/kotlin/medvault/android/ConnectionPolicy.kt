package medvault.android

import android.content.Context
import android.net.ConnectivityManager
import android.net.NetworkCapabilities
import medvault.NetworkPolicy
import medvault.NetworkUse

/**
 * Everything over networks that are not metered, little over those that are, nothing offline.
 *
 * @param everythingOnMetered whether the person allows contents and deposits there too; asked each time.
 */
class ConnectionPolicy(
    context: Context,
    private val everythingOnMetered: () -> Boolean = { false },
) : NetworkPolicy {
    private val connectivity = context.applicationContext.getSystemService(ConnectivityManager::class.java)

    override fun allowed(): NetworkUse {
        val network = connectivity.activeNetwork ?: return NetworkUse.NOTHING
        val can = connectivity.getNetworkCapabilities(network) ?: return NetworkUse.NOTHING
        return when {
            !can.hasCapability(NetworkCapabilities.NET_CAPABILITY_INTERNET) -> NetworkUse.NOTHING
            can.hasCapability(NetworkCapabilities.NET_CAPABILITY_NOT_METERED) -> NetworkUse.EVERYTHING
            everythingOnMetered() -> NetworkUse.EVERYTHING
            else -> NetworkUse.SMALL_ONLY
        }
    }
}
