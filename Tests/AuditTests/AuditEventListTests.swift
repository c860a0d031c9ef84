import Audit
import Foundation
import Testing

/// Bodies of requests of the webhook backend of API servers.
@Suite struct AuditEventListTests {
    private func list(_ items: [String]) -> String {
        #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["# + items.joined(separator: ",")
            + "]}"
    }

    private func read(_ text: String) throws -> (lines: [String], items: [AuditEventList.Item]) {
        let bytes = Array(text.utf8)
        let list = try AuditEventList(in: bytes.span)
        var lines: [UInt8] = []
        let items = list.items.map { list.line($0, in: bytes, to: &lines) }
        return (String(decoding: lines, as: UTF8.self).split(separator: "\n").map(String.init), items)
    }

    /// An item as an API server sends it: only the list has a kind and a version.
    private func item(_ line: Line) -> String {
        "{" + line.text.dropFirst(#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#.utf8.count)
    }

    @Test func convertsItemsToLogLines() throws {
        let first = Line(id: "a", sent: #"{"spec":{}}"#)
        let second = Line(id: "b")
        // One item with its kind, one without.
        let (lines, items) = try read(list([item(first), second.text]))
        #expect(lines == [first.text, second.text])
        #expect(Set(items).count == 2)
        #expect(items.allSatisfy { if case .event = $0 { true } else { false } })
    }

    @Test func preservesRecordedEvents() throws {
        let recorded = try Fixture.lines("writes.log").map { String(decoding: $0, as: UTF8.self) }
        let prefix = #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","#
        try #require(recorded.allSatisfy { $0.hasPrefix(prefix) })
        let (lines, items) = try read(list(recorded.map { "{" + $0.dropFirst(prefix.utf8.count) }))
        let secrets = items.filter { $0 == .secret }.count
        #expect(lines.count == recorded.count - secrets)
        #expect(Set(lines).isSubset(of: recorded))
        #expect(!items.contains(.malformed))
    }

    @Test func joinsIndentedItemIntoOneLine() throws {
        let pretty = item(Line(id: "a")).replacing(",", with: ",\r\n  ")
        let (lines, _) = try read(list([pretty]).replacing(":[", with: ": [\n"))
        #expect(lines.count == 1)
        let event = try AuditEvent(in: Array(lines[0].utf8).span, 0..<lines[0].utf8.count)
        #expect(event.auditID == "a")
    }

    @Test func givesSameStageOfRequestOneKey() throws {
        let a = Line(id: "a")
        let lines = [
            a, Line(id: "a", code: 409), Line(id: "a", stage: "Panic"), Line(id: "b"),
            Line(id: "a", received: "2026-11-28T14:00:00.000002Z"),
        ]
        let items = try read(list(lines.map(item))).items
        #expect(items[0] == items[1])
        #expect(Set(items).count == 4)
        // The journal uses the same key.
        let bytes = a.bytes
        #expect(try .event(key: AuditPlaces(in: bytes.span, 0..<bytes.count).key(in: bytes)) == items[0])
    }

    @Test func omitsMalformedAndSecretItems() throws {
        let items = [
            "{}", "null", "17", "[]", #"{"kind":"Pod","auditID":"a","stage":"Panic","verb":"get"}"#,
            #"{"apiVersion":"v1","auditID":"a","stage":"Panic","verb":"get"}"#,
            item(Line(id: "s", resource: "secrets", group: "")), item(Line(id: "ok")),
        ]
        let (lines, results) = try read(list(items))
        #expect(lines == [Line(id: "ok").text])
        #expect(results.filter { $0 == .malformed }.count == 6)
        #expect(results[6] == .secret)
    }

    @Test(arguments: [
        "", "null", "[]", "{}", #"{"kind":"EventList"}"#,
        #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","items":[]}"#,
        #"{"kind":"EventList","apiVersion":"v1","items":[]}"#,
        #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[}"#,
        #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{}]"#,
        #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]} {}"#,
        #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[""# + "\u{1}" + #""]}"#,
        #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":["# + String(repeating: "[", count: 100_000),
    ])
    func rejectsInvalidList(_ text: String) {
        #expect(throws: AuditError.self) { try read(text) }
    }

    @Test func rejectsLongListAndOmitsLongEvents() throws {
        let head = #"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":["#
        let most = head + String(repeating: "0,", count: AuditEventList.limit - 1) + "0"
        #expect(try read(most + "]}").items.count == AuditEventList.limit)
        #expect(throws: AuditError.self) { try read(most + ",0]}") }
        let (lines, items) = try read(
            list([
                item(Line(id: "long", sent: "\"\(String(repeating: "x", count: AuditLines.limit))\"")),
                item(Line(id: "ok")),
                item(Line(id: "10M", sent: "\"\(String(repeating: "x", count: 10 << 20))\"")),
            ])
        )
        #expect(items[0] == .malformed)
        #expect(lines.count == 2)
    }

    @Test func rejectsTruncatedText() throws {
        let bytes = Array(list([item(Line(id: "a", sent: #"{"a":["\"b\\",1.5e3,null]}"#)), item(Line(id: "b"))]).utf8)
        for end in 0..<bytes.count {
            let part = Array(bytes[..<end])
            #expect(throws: AuditError.self) { try AuditEventList(in: part.span) }
        }
    }
}
