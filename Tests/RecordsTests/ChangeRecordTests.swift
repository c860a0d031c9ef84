import Foundation
import Records
import Testing

/// Changes as JSON.
struct ChangeRecordTests {
    private static func record(_ text: String, isFull: Bool) -> ChangeRecord {
        var record = ChangeRecord(
            time: isFull ? 1_764_424_800.123456 : 1_764_424_800,
            auditID: text,
            user: text,
            verb: "patch",
            kind: "NetworkPolicy",
            outcome: "done",
            dryRun: isFull,
            basis: "compared",
            summary: text
        )
        guard isFull else { return record }
        (record.receivedAt, record.role, record.impersonatedUser) = (0.5, .policy, text)
        (record.resource, record.group, record.namespace, record.name) = (text, text, text, text)
        (record.names, record.remaining, record.finalizers, record.isRemoval) = ([text, "b"], [], [text], false)
        (record.subresource, record.code, record.message, record.moreChanges) = (text, -1, text, 3)
        (record.state, record.resourceVersion) = (text, text)
        record.changes = [
            .init(path: text, before: nil, after: text), .init(path: "", before: text, after: nil),
            .init(path: "a", before: nil, after: nil),
        ]
        return record
    }

    @Test(
        arguments: [
            "", "plain", "\"quoted\" \\ and / slashes", "\u{0}\u{1}\u{8}\t\n\u{b}\u{c}\r\u{1f}\u{7f}",
            "ä 😀 \u{2028}\u{202e}",
            "{\"a\":[1,\"b\"]}", String(repeating: "long \"", count: 5_000),
        ],
        [false, true]
    )
    func jsonEqualsThatOfJSONEncoder(_ text: String, isFull: Bool) throws {
        let record = Self.record(text, isFull: isFull)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        #expect(record.json == String(decoding: try encoder.encode(record), as: UTF8.self))
        #expect(try JSONDecoder().decode(ChangeRecord.self, from: Data(record.json.utf8)) == record)
    }

    /// The record has all members, so that the test fails if a new member is not written.
    @Test func writesAllMembers() throws {
        let members = Mirror(reflecting: Self.record("x", isFull: true)).children.compactMap(\.label)
        let json = Self.record("x", isFull: true).json
        for member in members where member != "verdictsChanged" { #expect(json.contains("\"\(member)\":")) }
    }
}
