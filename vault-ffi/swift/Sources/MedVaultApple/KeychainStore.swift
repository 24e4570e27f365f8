#if canImport(Security) && canImport(LocalAuthentication)
import CryptoKit
import Foundation
import LocalAuthentication
import MedVault
import Security

/// The library's key store, in the Keychain.
///
/// Each `seal` makes a new AES key, which never leaves this device: it is in no backup and in no iCloud
/// Keychain. What it sealed, the library keeps in the vault's folder. The library calls both functions
/// on a thread of its own, so they may wait for the person.
public final class KeychainStore: KeyStore {
    /// When the key may be used.
    public enum Access: Sendable {
        /// From the first unlock of the device after it was started, also in the background.
        case afterFirstUnlock
        /// Only after Face ID or Touch ID, with the line that the person is shown. Not in the
        /// background. The key is gone for good once a face or a finger is added or removed.
        case biometry(reason: String)
    }

    /// Length of the name of a key, which stands before what it sealed.
    private static let nameLength = 16

    private let service: String
    private let accessGroup: String?
    private let access: Access

    /// - Parameters:
    ///   - service: one for each vault, such as `org.example.app.vault`.
    ///   - accessGroup: a Keychain group that the app shares with its extensions.
    public init(service: String, accessGroup: String? = nil, access: Access = .afterFirstUnlock) {
        self.service = service
        self.accessGroup = accessGroup
        self.access = access
    }

    public func seal(secret: Data) throws -> Data {
        let name = Data(UUID().bytes)
        let key = SymmetricKey(size: .bits256)
        try add(key.withUnsafeBytes { Data($0) }, name: name)
        do {
            guard let sealed = try AES.GCM.seal(secret, using: key, authenticating: name).combined else {
                throw KeyStoreError.Unavailable(reason: "nothing was sealed")
            }
            return name + sealed
        } catch is CryptoKitError {
            throw KeyStoreError.Unavailable(reason: "the secret could not be sealed")
        }
    }

    public func unseal(sealed: Data) throws -> Data {
        guard sealed.count > Self.nameLength else {
            throw KeyStoreError.Unavailable(reason: "this was sealed by another key store")
        }
        let name = Data(sealed.prefix(Self.nameLength))
        let key = SymmetricKey(data: try find(name: name))
        do {
            let box = try AES.GCM.SealedBox(combined: sealed.dropFirst(Self.nameLength))
            return try AES.GCM.open(box, using: key, authenticating: name)
        } catch {
            throw KeyStoreError.Unavailable(reason: "this was altered, or sealed with another key")
        }
    }

    /// Deletes all keys of this service. For when the vault's folder is deleted: whatever they sealed
    /// never opens again.
    public func removeAll() throws {
        let status = SecItemDelete(base() as CFDictionary)
        guard status == errSecSuccess || status == errSecItemNotFound else { throw refusal(status) }
    }

    private func base() -> [CFString: Any] {
        var query: [CFString: Any] = [
            kSecClass: kSecClassGenericPassword,
            kSecAttrService: service,
            kSecUseDataProtectionKeychain: true,
        ]
        if let accessGroup { query[kSecAttrAccessGroup] = accessGroup }
        return query
    }

    private func item(name: Data) -> [CFString: Any] {
        var query = base()
        query[kSecAttrAccount] = name.map { String(format: "%02x", $0) }.joined()
        return query
    }

    private func add(_ key: Data, name: Data) throws {
        var query = item(name: name)
        query[kSecValueData] = key
        switch access {
        case .afterFirstUnlock:
            query[kSecAttrAccessible] = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
        case .biometry:
            var error: Unmanaged<CFError>?
            guard let control = SecAccessControlCreateWithFlags(
                nil, kSecAttrAccessibleWhenPasscodeSetThisDeviceOnly, .biometryCurrentSet, &error)
            else {
                error?.release()
                throw KeyStoreError.Unavailable(reason: "this device has no passcode or no biometry")
            }
            query[kSecAttrAccessControl] = control
        }
        let status = SecItemAdd(query as CFDictionary, nil)
        guard status == errSecSuccess else { throw refusal(status) }
    }

    private func find(name: Data) throws -> Data {
        var query = item(name: name)
        query[kSecReturnData] = true
        if case .biometry(let reason) = access {
            let context = LAContext()
            context.localizedReason = reason
            query[kSecUseAuthenticationContext] = context
        }
        var found: CFTypeRef?
        let status = SecItemCopyMatching(query as CFDictionary, &found)
        guard status == errSecSuccess, let key = found as? Data else { throw refusal(status) }
        return key
    }

    private func refusal(_ status: OSStatus) -> KeyStoreError {
        switch status {
        case errSecUserCanceled, errSecAuthFailed:
            return .Refused(reason: "the person did not agree")
        case errSecInteractionNotAllowed:
            return .Refused(reason: "the device is locked, or nobody can be asked now")
        case errSecItemNotFound:
            return .Unavailable(reason: "the key is gone: another device, or the biometry has changed")
        case errSecMissingEntitlement:
            return .Unavailable(reason: "the app is not entitled to this Keychain group")
        default:
            return .Unavailable(reason: "the Keychain says \(status)")
        }
    }
}

extension UUID {
    /// Its 16 bytes.
    fileprivate var bytes: [UInt8] { withUnsafeBytes(of: uuid) { Array($0) } }
}
#endif
