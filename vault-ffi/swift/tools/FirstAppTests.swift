import Foundation
import XCTest

@testable import MedVault

/// Runs the first app of docs/MOBILE.md, which `check` lays beside this file.
final class FirstAppTests: XCTestCase {
    func testBothSides() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("medvault-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        addTeardownBlock { try? FileManager.default.removeItem(at: folder) }

        let patient = try await HealthRecords.open(
            folder: folder.appendingPathComponent("patient"), name: "Juno",
            platform: Platform(keyStore: memoryKeyStore())
        ) { words in XCTAssertEqual(words.split(separator: " ").count, 24) }
        let clinic = try await HealthRecords.open(
            folder: folder.appendingPathComponent("clinic"), name: "Larkspur Practice",
            platform: Platform(keyStore: memoryKeyStore())
        ) { _ in }

        let file = folder.appendingPathComponent("hba1c.json")
        try Data(result.utf8).write(to: file)
        let added = try await patient.add(file: file)
        XCTAssertEqual(added.added, 1)
        _ = try await patient.goOnline(localOnly: true)
        try await patient.addContact(name: "clinic", card: try await clinic.card())
        let preview = try await patient.preview(category: "lab")
        XCTAssertEqual(preview.included.count, 1)
        let shared = try await patient.share(contact: "clinic", category: "lab")
        let codes = try qrParts(text: shared.tickets[0].ticket, longest: 1_000)
        XCTAssertNil(try joinQrParts(scanned: codes.dropLast()))
        let ticket = try XCTUnwrap(joinQrParts(scanned: codes.shuffled()))
        XCTAssertEqual(ticket, shared.tickets[0].ticket)
        let readable = try await clinic.accept(ticket: ticket)
        XCTAssertEqual(readable.map(\.title), ["HbA1c"])
        let receipt = try await patient.takeBack(grant: shared.grant)
        XCTAssertTrue(receipt.contains("R2"), receipt)
        let synced = try await patient.sync(seconds: 20)
        XCTAssertTrue(synced.finished)
        try await patient.goOffline()
        try await patient.lock()
        do {
            _ = try await patient.list()
            XCTFail("a locked vault answers")
        } catch {
            XCTAssertEqual(explain(error), "Unlock the vault first.")
        }
        try await clinic.lock()
    }

    private let result = """
        {"resourceType": "Observation", "id": "hba1c", "status": "final",
         "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
         "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}], "text": "HbA1c"},
         "subject": {"reference": "Patient/juno"}, "effectiveDateTime": "2024-03-12", "valueQuantity": {"value": 7.1}}
        """
}
