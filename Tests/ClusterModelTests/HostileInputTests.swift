import ClusterModel
import FlowModel
import Foundation
import Testing

/// Input that is large, deeply nested, or malformed.
struct HostileInputTests {
    @Test func decodesPodWithFiveMegabyteAnnotation() throws {
        for filler in ["x", #"\""#, "é", #"\u0041"#] {
            let value = String(repeating: filler, count: 5_000_000 / filler.utf8.count)
            let text =
                #"{"metadata":{"annotations":{"a":"\#(value)"},"name":"a","namespace":"n"},"status":{"podIP":"10.0.0.1"}}"#
            #expect(try ObjectDecoder.object(text, as: .pod)?.facts["addresses"] == ["10.0.0.1"])
            let line = Array(#"{"type":"ADDED","object":\#(text)}"#.utf8 + [0x0a])
            #expect(WatchOutcome(Chunking.each(65_536).pieces(of: line), kind: .pod).text.count == 2)
        }
    }

    @Test func decodesLineOfTwoMegabytes() throws {
        let labels = (0..<60_000).map { #""label-\#($0)":"value-of-the-label""# }.joined(separator: ",")
        let line = #"{"type":"ADDED","object":{"metadata":{"name":"a","labels":{\#(labels)}}}}"#
        #expect(line.utf8.count > 2_000_000)
        let outcome = WatchOutcome(Chunking.each(100_000).pieces(of: Array("\(line)\n".utf8)), kind: .pod)
        guard case .upsert(let object, _)? = outcome.events.first else { return #expect(Bool(false)) }
        #expect(object.metadata.labels.count == 60_000)
        #expect(object.metadata.labels == object.metadata.labels.sorted())
    }

    @Test(arguments: ["[", #"{"a":"#, #"[{"a":"#]) func rejectsDeepNesting(_ open: String) throws {
        let deep = String(repeating: open, count: 100_000)
        for rest in [#""spec":\#(deep)"#, #""metadata":{"name":"a","x":\#(deep)"#, #""spec":{"containers":\#(deep)"#] {
            let text = #"{"metadata":{"name":"a"},\#(rest)"#
            let error = try #require(throws: ObjectIssue.self) { try ObjectDecoder.object(text, as: .pod) }
            #expect(error.reason.contains("too deeply nested") || error.reason.contains("a string does not end"))
            #expect(error.path.count <= 40)
            let events = WatchOutcome([Array(#"{"type":"ADDED","object":\#(text)"#.utf8 + [0x0a])], kind: .pod).events
            guard case .unusable? = events.first else { return #expect(Bool(false)) }
        }
        #expect(ListOutcome([Array(deep.utf8)], kind: .pod).items.isEmpty)
        #expect(ListOutcome([Array(#"{"kind":"PodList","items":[\#(deep)"#.utf8)], kind: .pod).items.isEmpty)
        #expect(throws: ObjectIssue.self) { try ObjectDecoder.objects(in: Array(deep.utf8).span) }
    }

    /// Names that no server assigns; they are decoded to valid text.
    @Test(
        arguments: [
            (#"a\"b"#, Array("a\"b".utf8)), (#"a\u0000\u001b[31m"#, Array("a\u{0}\u{1b}[31m".utf8)),
            (#"\ud800"#, [0xef, 0xbf, 0xbd]),
            (#"\\\/\n"#, Array("\\/\n".utf8)), ("\u{202e}é\u{301}", Array("\u{202e}é\u{301}".utf8)),
        ] as [(String, [UInt8])]
    ) func decodesUnusualNames(_ name: String, _ expected: [UInt8]) throws {
        let text = #"{"metadata":{"name":"\#(name)","labels":{"\#(name)":"\#(name)"}}}"#
        let metadata = try #require(try ObjectDecoder.object(text, as: .pod)?.metadata)
        for found in [metadata.name, metadata.labels[0].key, metadata.labels[0].value] {
            #expect(Array(found.utf8) == expected)
        }
        try Self.expectValidText(metadata)
    }

    @Test func replacesInvalidUTF8InNames() throws {
        for bytes in [[0xff, 0xfe], [0xc3], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]] as [[UInt8]] {
            let text =
                Array(#"{"metadata":{"name":"a"#.utf8) + bytes + Array(#"","labels":{"k":""#.utf8) + bytes
                + Array(#""}}}"#.utf8)
            let metadata = try #require(try ObjectDecoder.object(from: text.span, as: .pod)?.metadata)
            #expect(metadata.name.hasPrefix("a\u{fffd}"))
            try Self.expectValidText(metadata)
        }
    }

    @Test(arguments: [
        #"{"metadata":{"name":"a"#, "{\"metadata\":{\"name\":\"a\nb\"}}", "{\"metadata\":{\"name\":\"\u{1}\"}}",
        "\u{0}\u{0}\u{0}", "{\"metadata\":{\"name\":\"a\"}}\u{0}",
    ]) func rejectsTextThatIsNotJSON(_ text: String) {
        #expect(throws: ObjectIssue.self) { try ObjectDecoder.object(text, as: .pod) }
    }

    /// Writes texts of an object with another encoder and reads them back.
    static func expectValidText(_ metadata: ObjectMetadata) throws {
        let texts =
            [metadata.name, metadata.namespace ?? "", metadata.uid ?? "", metadata.resourceVersion ?? ""]
            + metadata.labels.flatMap { [$0.key, $0.value] }
        let data = try JSONSerialization.data(withJSONObject: texts)
        #expect(try JSONSerialization.jsonObject(with: data) as? [String] == texts)
    }
}
