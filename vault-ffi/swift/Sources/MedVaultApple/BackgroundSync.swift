#if os(iOS) && canImport(BackgroundTasks)
import BackgroundTasks
import Foundation
import MedVault
import UIKit

/// Keeps the vault up to date while the app is not used: a background refresh of at most 30 seconds,
/// when the system finds time for one.
///
/// The identifier stands in the app's `Info.plist` under `BGTaskSchedulerPermittedIdentifiers`, and
/// `fetch` among its `UIBackgroundModes`. Call `register` before the app has finished launching, and
/// `schedule` whenever it goes to the background.
public final class BackgroundSync: Sendable {
    /// What the system gives is about 30 seconds; the rest is for opening and closing.
    private static let deadlineMs: UInt64 = 20_000

    private let identifier: String
    private let open: @Sendable () async throws -> Vault
    private let done: @Sendable (Result<SyncReport, Error>) -> Void

    /// - Parameters:
    ///   - open: gives the app's one vault, opened with the key store and without asking anybody.
    ///   - done: hears what came of it, for a notification perhaps.
    public init(
        identifier: String,
        open: @escaping @Sendable () async throws -> Vault,
        done: @escaping @Sendable (Result<SyncReport, Error>) -> Void
    ) {
        self.identifier = identifier
        self.open = open
        self.done = done
    }

    /// Tells the system what to call.
    public func register() {
        BGTaskScheduler.shared.register(forTaskWithIdentifier: identifier, using: nil) { task in
            self.run(task)
        }
    }

    /// Asks for the next refresh, not before `seconds` from now.
    public func schedule(seconds: TimeInterval = 60 * 60) {
        let request = BGAppRefreshTaskRequest(identifier: identifier)
        request.earliestBeginDate = Date(timeIntervalSinceNow: seconds)
        // fails where the person has switched background refresh off; then there is none
        try? BGTaskScheduler.shared.submit(request)
    }

    private func run(_ task: BGTask) {
        schedule()
        let ended = Once()
        task.expirationHandler = { ended.run { task.setTaskCompleted(success: false) } }
        Task {
            let outcome: Result<SyncReport, Error>
            do {
                // stops by itself at its deadline, with what was done so far kept
                outcome = .success(try await open().sync(deadlineMs: Self.deadlineMs))
            } catch {
                outcome = .failure(error)
            }
            done(outcome)
            let finished = (try? outcome.get().finished) ?? false
            ended.run { task.setTaskCompleted(success: finished) }
        }
    }
}

/// Runs the node while the app is in front, and stops it in time before the app is suspended: a
/// suspended app's sockets are dead when it comes back.
@MainActor
public final class ForegroundNode {
    private let vault: Vault
    private let options: NodeOptions
    /// Starting and stopping, one after the other.
    private var last: Task<Void, Never>?
    /// Hears why the node did not start or stop.
    public var failed: (@MainActor (Error) -> Void)?

    public init(vault: Vault, options: NodeOptions = NodeOptions()) {
        self.vault = vault
        self.options = options
    }

    /// For `sceneDidBecomeActive`.
    public func start() {
        next { vault, options in _ = try await vault.startNode(options: options) }
    }

    /// For `sceneDidEnterBackground`. The system is asked for the few seconds that this may take.
    public func stop() {
        let time = MoreTime(name: "MedVault")
        let stopping = next { vault, _ in try await vault.stopNode() }
        Task { @MainActor in
            await stopping.value
            time.end()
        }
    }

    @discardableResult
    private func next(
        _ act: @escaping @Sendable (Vault, NodeOptions) async throws -> Void
    ) -> Task<Void, Never> {
        let (before, vault, options) = (last, vault, options)
        let task = Task { @MainActor in
            await before?.value
            do { try await act(vault, options) } catch { failed?(error) }
        }
        last = task
        return task
    }
}

/// Time to finish something after the app left the front.
@MainActor
private final class MoreTime {
    private var id = UIBackgroundTaskIdentifier.invalid

    init(name: String) {
        id = UIApplication.shared.beginBackgroundTask(withName: name) { [weak self] in self?.end() }
    }

    func end() {
        guard id != .invalid else { return }
        UIApplication.shared.endBackgroundTask(id)
        id = .invalid
    }
}

/// Runs the first of several blocks.
private final class Once: @unchecked Sendable {
    private let lock = NSLock()
    private var done = false

    func run(_ block: () -> Void) {
        lock.lock()
        let first = !done
        done = true
        lock.unlock()
        if first { block() }
    }
}
#endif
