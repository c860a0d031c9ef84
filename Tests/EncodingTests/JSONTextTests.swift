import Encoding
import FlowModel
import Foundation
import Testing

/// Names that an attacker could choose to break a line, a string or a buffer.
struct JSONTextTests {
    private static let hostile: [String] = [
        "", "\"", "\\", "\\\"", "a\"b\\c/d", "line\nbreak\r\n", "\t\u{8}\u{c}", "\u{0}", "\u{1f}\u{7f}\u{80}",
        "\u{2028}\u{2029}", "😀 ünïcödé 日本語", "e\u{301}", "not\u{feff}first", "\u{fffd}", "a\u{fffd}\"\u{0}\u{2028}",
        "\u{10ffff}", "</script>", "\\u0041",
        String(repeating: "n", count: 250), String(repeating: "\u{1}", count: 41),
        String(repeating: "x", count: 15), String(repeating: "x", count: 62), String(repeating: "x", count: 63),
        String(repeating: "x", count: 64), String(repeating: "x", count: 65),
    ]

    @Test(arguments: hostile)
    func encodesHostileNamesAsOneValidLine(text: String) throws {
        let endpoint = Endpoint(
            kind: .workload,
            name: text,
            aggregatedName: text + "*",
            namespace: text,
            labels: LabelSet(sorted: [text, "k=" + text])
        )
        let end = FlowRecord.End(nil, 1, endpoint)
        let service = ServicePort(namespace: text, name: "s" + text, portName: text + "p", port: 80)
        let trace = PolicyTrace(action: .deny, enforced: [text, "0|" + text], pending: [text + "|-1"])
        let record = Sample.record(
            source: end,
            destination: end,
            service: service,
            policies: .init(enforced: trace, pending: trace),
            drops: .init(inbound: 1, outbound: 0, reason: DropReason(name: text, isDecision: true))
        )
        let line = Sample.line(of: record, extendedFields: true)
        #expect(line.utf8.count { $0 == UInt8(ascii: "\n") } == 1)
        #expect(line.utf8.allSatisfy { $0 >= 0x20 || $0 == UInt8(ascii: "\n") })
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
        let parsed = try #require(object as? [String: Any])
        for prefix in ["source", "dest"] {
            // Compared as scalars: String equality would also accept another normal form.
            expectSame(parsed["\(prefix)_name"], text)
            expectSame(parsed["\(prefix)_name_aggr"], text + "*")
            expectSame(parsed["\(prefix)_namespace"], text)
            let labels = (parsed["\(prefix)_labels"] as? [String: [String]])?["labels"]
            #expect(labels?.count == 2)
            expectSame(labels?.first, text)
            expectSame(labels?.last, "k=" + text)
        }
        expectSame(parsed["dest_service_namespace"], text)
        expectSame(parsed["dest_service_name"], "s" + text)
        expectSame(parsed["dest_service_port"], text + "p")
        #expect(parsed["dest_service_port_num"] as? Int == 80)
        let policies = try #require(parsed["policies"] as? [String: [String]])
        #expect(policies["enforced_policies"]?.count == 2)
        expectSame(policies["enforced_policies"]?.first, text)
        expectSame(policies["enforced_policies"]?.last, "0|" + text)
        #expect(policies["pending_policies"]?.count == 1)
        expectSame(policies["pending_policies"]?.first, text + "|-1")
        expectSame(parsed["drop_reason"], text)
    }

    private func expectSame(_ value: Any?, _ text: String) {
        #expect((value as? String).map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
    }

    @Test(arguments: [
        ("\n", #"\n"#), ("\t", #"\t"#), ("\r", #"\r"#), ("\u{8}", #"\b"#), ("\u{c}", #"\f"#), ("\u{0}", #"\u0000"#),
        ("\u{f}", #"\u000f"#), ("\u{10}", #"\u0010"#), ("\u{1f}", #"\u001f"#), ("\u{1b}", #"\u001b"#),
        ("\"", #"\""#), ("\\", #"\\"#), ("/", "/"), ("\u{7f}", "\u{7f}"), ("é", "é"), ("\u{2028}", "\u{2028}"),
    ])
    func escapesControlCharactersAndQuotes(text: String, escaped: String) {
        let endpoint = Endpoint(kind: .host, name: "h", aggregatedName: text)
        let end = FlowRecord.End(nil, nil, endpoint)
        let line = Sample.line(of: Sample.record(source: end))
        #expect(line.contains("\"source_name_aggr\":\"\(escaped)\","))
    }
}
