#if canImport(Darwin)
import Foundation
import MedVault

/// Where the vault lies.
public enum VaultFolder {
    /// Why there is no folder.
    public enum Failure: Error {
        /// The app is not entitled to this App Group.
        case noSuchGroup
    }

    /// The folder of the vault: in the container of an App Group, so that extensions use the same, or
    /// in Application Support. It is made here, kept out of device backups, and readable from the first
    /// unlock of the device on.
    ///
    /// Why no device backup: a vault that was put back to an older state would show its readers an
    /// older history, and they refuse it. `Vault.backup` makes copies that may be put back.
    public static func url(appGroup: String? = nil, name: String = "vault") throws -> URL {
        let files = FileManager.default
        var parent: URL
        if let appGroup {
            guard let container = files.containerURL(forSecurityApplicationGroupIdentifier: appGroup) else {
                throw Failure.noSuchGroup
            }
            parent = container.appending(path: "Library/Application Support", directoryHint: .isDirectory)
        } else {
            parent = try files.url(
                for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        }
        parent.append(path: "MedVault", directoryHint: .isDirectory)
        try files.createDirectory(at: parent, withIntermediateDirectories: true)
        #if os(iOS)
        // files made in here later take over the class
        try files.setAttributes(
            [.protectionKey: FileProtectionType.completeUntilFirstUserAuthentication],
            ofItemAtPath: parent.path(percentEncoded: false))
        #endif
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        try parent.setResourceValues(values)
        return parent.appending(path: name, directoryHint: .isDirectory)
    }
}
#endif
