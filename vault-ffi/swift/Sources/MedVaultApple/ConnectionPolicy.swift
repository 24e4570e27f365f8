#if canImport(Network)
import Foundation
import MedVault
import Network

/// Everything over Wi-Fi and cables, little over mobile data and in Low Data Mode, nothing offline.
public final class ConnectionPolicy: NetworkPolicy, @unchecked Sendable {
    private let monitor = NWPathMonitor()
    private let lock = NSLock()
    private var use = NetworkUse.nothing
    private let everythingOnMobileData: Bool

    /// - Parameter everythingOnMobileData: the person allows contents and deposits over mobile data too.
    public init(everythingOnMobileData: Bool = false) {
        self.everythingOnMobileData = everythingOnMobileData
        monitor.pathUpdateHandler = { [weak self] path in self?.take(path) }
        monitor.start(queue: DispatchQueue(label: "medvault.connection"))
        take(monitor.currentPath)
    }

    deinit { monitor.cancel() }

    public func allowed() -> NetworkUse {
        lock.lock()
        defer { lock.unlock() }
        return use
    }

    private func take(_ path: NWPath) {
        let costly = path.isExpensive || path.isConstrained
        lock.lock()
        defer { lock.unlock() }
        if path.status != .satisfied {
            use = .nothing
        } else if costly && !everythingOnMobileData {
            use = .smallOnly
        } else {
            use = .everything
        }
    }
}
#endif
