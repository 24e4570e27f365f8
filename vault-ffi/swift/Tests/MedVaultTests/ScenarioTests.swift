import Foundation
import XCTest

@testable import MedVault

/// The whole story of a patient and a clinic, each with a vault and a node of their own on 127.0.0.1.
final class ScenarioTests: XCTestCase {
    func testAPatientAndAClinic() async throws {
        let folder = try temporaryFolder()
        let (patientKeys, clinicKeys, log) = (KeysInMemory(), KeysInMemory(), MemoryLog())

        // two vaults
        let home = folder.appendingPathComponent("patient").path
        XCTAssertFalse(hasVault(path: home))
        let made = try await createVault(
            path: home, name: "Juno", unlock: .keyStore,
            platform: Platform(keyStore: patientKeys, log: log.sink()))
        let patient = made.vault
        XCTAssertEqual(made.recoveryWords.split(separator: " ").count, 24)
        try checkRecoveryWords(words: made.recoveryWords)
        XCTAssertTrue(hasVault(path: home))
        let clinic = try await createVault(
            path: folder.appendingPathComponent("clinic").path, name: "Larkspur Practice",
            unlock: .keyStore, platform: Platform(keyStore: clinicKeys)
        ).vault

        // records, as a file and as bytes
        let file = folder.appendingPathComponent("hba1c.json")
        try hba1c.write(to: file)
        let progress = Heard()
        let added = try await patient.addFile(path: file.path, listener: progress).result()
        XCTAssertEqual(added.added, 1)
        XCTAssertTrue(added.refused.isEmpty)
        _ = try await patient.add(content: hiv, name: "hiv.json")
        _ = try await patient.add(content: influenza, name: "influenza.json")
        let labs = try await patient.records(filter: RecordFilter(categories: ["lab"]))
        XCTAssertEqual(Set(labs.map(\.title)), ["HbA1c", "HIV screening test"])
        let record = try XCTUnwrap(labs.first { $0.title == "HbA1c" })
        let content = try await patient.content(id: record.id)
        XCTAssertEqual(content, hba1c)

        // cards, and fingerprints compared
        let (ours, theirs) = (try await patient.info(), try await clinic.info())
        XCTAssertEqual(try inspectCard(text: theirs.card).fingerprint, theirs.fingerprint)
        _ = try await patient.addContact(name: "clinic", card: theirs.card)
        let contact = try await patient.verifyContact(name: "clinic", fingerprint: theirs.fingerprint)
        XCTAssertTrue(contact.verified)
        _ = try await clinic.addContact(name: "juno", card: ours.card)
        _ = try await clinic.verifyContact(name: "juno", fingerprint: ours.fingerprint)

        // a grant; the sensitive record stays closed
        _ = try await patient.startNode(options: NodeOptions(localOnly: true))
        let scope = ShareScope(categories: ["lab"])
        let preview = try await patient.previewShare(scope: scope)
        XCTAssertEqual(preview.included.map(\.id), [record.id])
        XCTAssertEqual(preview.withheld.map(\.title), ["HIV screening test"])
        let shared = try await patient.share(
            request: ShareRequest(readers: ["clinic"], scope: scope, purpose: "TREAT"))
        let ticket = try XCTUnwrap(shared.tickets.first).ticket

        // the clinic reads
        let sender = try await clinic.acceptTicket(ticket: ticket, name: "juno")
        XCTAssertEqual(sender.name, "juno")
        let synced = try await clinic.sync(deadlineMs: 30_000)
        XCTAssertTrue(synced.finished, "\(synced.problems)")
        let readable = try await clinic.sharedRecords(sender: "juno", filter: RecordFilter())
        XCTAssertEqual(readable.map(\.id), [record.id])
        let read = try await clinic.sharedContent(sender: "juno", id: record.id, purpose: nil)
        XCTAssertEqual(read, hba1c)

        // and sends a result back
        try await patient.setDepositLimit(
            name: "clinic", limit: DepositLimit(bytes: 1_000_000, perDay: 10))
        let sent = try await clinic.deposit(
            to: "juno", items: [.bytes(content: potassium, name: "potassium.json")],
            message: "your result"
        ).result()
        XCTAssertEqual(sent.records, 1)
        let waiting = try await patient.deposits()
        XCTAssertEqual(waiting.map(\.sender), ["clinic"])
        let taken = try await patient.acceptDeposit(id: try XCTUnwrap(waiting.first).id)
        XCTAssertEqual(taken.added, 1)

        // taken back, with a receipt
        let receipts = try await patient.revoke(
            grant: shared.grant, level: .rekey, listener: nil
        ).result()
        let receipt = try XCTUnwrap(receipts.first)
        XCTAssertEqual(receipt.grant, shared.grant)
        XCTAssertFalse(receipt.text.isEmpty)
        let grants = try await patient.grants()
        XCTAssertEqual(grants.map(\.status), [.revoked])
        do {
            _ = try await clinic.syncSender(name: "juno")
            XCTFail("the clinic still follows")
        } catch MedVaultError.Refused(let code, let reason) {
            XCTAssertFalse(code.isEmpty || reason.isEmpty)
        }

        // the log tells it, and holds
        let check = try await patient.verifyAudit()
        XCTAssertTrue(check.intact, check.problem ?? "")
        let events = try await patient.auditLog()
        XCTAssertEqual(UInt64(events.count), check.entries)
        XCTAssertTrue(events.contains { $0.grant == shared.grant })

        // what the app's log holds says nothing about health
        let lines = log.lines().map(\.text).joined(separator: "\n")
        for word in ["Juno", "HbA1c", "HIV", "clinic"] { XCTAssertFalse(lines.contains(word), lines) }

        // locked, it tells nothing; the key store opens it again
        try await patient.stopNode()
        try await patient.lock()
        do {
            _ = try await patient.records(filter: RecordFilter())
            XCTFail("a locked vault answers")
        } catch MedVaultError.Locked {}
        try await patient.unlock(unlock: .keyStore)
        let again = try await patient.info()
        XCTAssertEqual(again.vaultId, ours.vaultId)
        try await patient.lock()
        try await clinic.lock()
    }

    func testWhatAKeyStoreThrowsReachesTheApp() async throws {
        let folder = try temporaryFolder()
        do {
            _ = try await createVault(
                path: folder.appendingPathComponent("vault").path, name: "Juno", unlock: .keyStore,
                platform: Platform(keyStore: NoKeys()))
            XCTFail("a vault without a key")
        } catch MedVaultError.Identity(_, let reason) {
            XCTAssertTrue(reason.contains("nobody agreed"), reason)
        }
    }

    private func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("medvault-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        addTeardownBlock { try? FileManager.default.removeItem(at: folder) }
        return folder
    }

    // small FHIR resources about Juno Amberfield, who does not exist
    private let hba1c = ScenarioTests.lab(id: "hba1c", loinc: "4548-4", title: "HbA1c", value: "7.1")
    private let potassium = ScenarioTests.lab(id: "potassium", loinc: "2823-3", title: "Potassium", value: "4.2")
    private let hiv = ScenarioTests.lab(
        id: "hiv", loinc: "75622-1", title: "HIV screening test", value: "0",
        meta: #""meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]},"#)
    private let influenza = Data(
        #"{"resourceType":"Immunization","id":"influenza","status":"completed","vaccineCode":{"coding":[{"system":"http://hl7.org/fhir/sid/cvx","code":"140"}],"text":"Influenza vaccine"},"patient":{"reference":"Patient/juno"},"occurrenceDateTime":"2024-10-08"}"#
            .utf8)

    private static func lab(
        id: String, loinc: String, title: String, value: String, meta: String = ""
    ) -> Data {
        Data(
            """
            {"resourceType":"Observation","id":"\(id)","status":"final",\(meta)
             "category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],
             "code":{"coding":[{"system":"http://loinc.org","code":"\(loinc)"}],"text":"\(title)"},
             "subject":{"reference":"Patient/juno"},"effectiveDateTime":"2024-03-12","valueQuantity":{"value":\(value)}}
            """.utf8)
    }
}

/// A key store that keeps what it was given and hands out a name for it.
private final class KeysInMemory: KeyStore, @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [Data: Data] = [:]

    func seal(secret: Data) throws -> Data {
        let name = Data(UUID().uuidString.utf8)
        lock.withLock { kept[name] = secret }
        return name
    }

    func unseal(sealed: Data) throws -> Data {
        guard let secret = lock.withLock({ kept[sealed] }) else {
            throw KeyStoreError.Unavailable(reason: "sealed elsewhere")
        }
        return secret
    }
}

/// A key store that nobody unlocks.
private final class NoKeys: KeyStore {
    func seal(secret: Data) throws -> Data { throw KeyStoreError.Refused(reason: "nobody agreed") }
    func unseal(sealed: Data) throws -> Data { throw KeyStoreError.Refused(reason: "nobody agreed") }
}

/// Counts how often progress was reported.
private final class Heard: ProgressListener, @unchecked Sendable {
    private let lock = NSLock()
    private(set) var times = 0

    func progress(done: UInt64, total: UInt64) { lock.withLock { times += 1 } }
}
