import Foundation
import Testing

@testable import ClusterSource

/// The transcoder from YAML to JSON: scalars, documents, lists, anchors, and line numbers.
@Suite struct FilesYAMLTests {
    private let folder: FilesFolder

    init() throws {
        folder = try FilesFolder()
    }

    private func texts(_ yaml: String) throws -> FilesTexts {
        try FilesTexts(yaml: folder.write(yaml, to: "a.yaml"))
    }

    // MARK: Scalars

    /// A scalar and its JSON.
    struct Scalar: Sendable, CustomTestStringConvertible {
        var yaml: String
        var json: String

        init(_ yaml: String, _ json: String) {
            (self.yaml, self.json) = (yaml, json)
        }

        var testDescription: String { yaml }
    }

    static let scalars = [
        Scalar("true", "true"), Scalar("True", "true"), Scalar("TRUE", "true"), Scalar("tRUE", "\"tRUE\""),
        Scalar("false", "false"), Scalar("False", "false"), Scalar("FALSE", "false"),
        Scalar("null", "null"), Scalar("Null", "null"), Scalar("NULL", "null"), Scalar("~", "null"),
        Scalar("", "null"), Scalar("nUll", "\"nUll\""), Scalar("~~", "\"~~\""),
        // The booleans of YAML 1.1 are strings.
        Scalar("yes", "\"yes\""), Scalar("no", "\"no\""), Scalar("on", "\"on\""), Scalar("off", "\"off\""),
        Scalar("y", "\"y\""), Scalar("N", "\"N\""),
        Scalar("0", "0"), Scalar("80", "80"), Scalar("-1", "-1"), Scalar("+5", "5"), Scalar("-0", "-0"),
        Scalar("1_000", "1000"), Scalar("0x50", "80"), Scalar("0o17", "15"), Scalar("017", "15"),
        Scalar("0b11", "3"), Scalar("-0x10", "-16"),
        Scalar("1.5", "1.5"), Scalar("1e3", "1e3"), Scalar("-2.5E-7", "-2.5E-7"),
        Scalar("9223372036854775808", "9223372036854775808"),
        // These are not JSON numbers.
        Scalar(".5", "\".5\""), Scalar("1.", "\"1.\""), Scalar(".inf", "\".inf\""), Scalar("09", "\"09\""),
        Scalar("0x", "\"0x\""), Scalar("0x+5", "\"0x+5\""), Scalar("+", "\"+\""),
        Scalar("1e", "\"1e\""), Scalar("1:30", "\"1:30\""), Scalar("_1", "\"_1\""), Scalar("--1", "\"--1\""),
        Scalar("0x8000000000000000", "\"0x8000000000000000\""),
        Scalar("10.0.0.1", "\"10.0.0.1\""), Scalar("10.0.0.0/8", "\"10.0.0.0/8\""), Scalar("fd00::1", "\"fd00::1\""),
        Scalar("2026-11-21", "\"2026-11-21\""), Scalar("7b976cd46f", "\"7b976cd46f\""), Scalar("1e2a", "\"1e2a\""),
        Scalar("cart-1", "\"cart-1\""), Scalar("ü", "\"ü\""), Scalar("a b  c", "\"a b  c\""),
        // Quotes.
        Scalar("'true'", "\"true\""), Scalar("\"5\"", "\"5\""), Scalar("''", "\"\""), Scalar("'it''s'", "\"it's\""),
        Scalar(#""a\tb\"c\\d\x01\u20ac""#, #""a\u0009b\"c\\d\u0001€""#),
        Scalar("|\n  a\n  b\n", #""a\u000ab\u000a""#), Scalar(">-\n  a\n  b\n", "\"a b\""),
        // Tags.
        Scalar("!!str 5", "\"5\""), Scalar("! 5", "\"5\""), Scalar("!!int 5", "5"), Scalar("!!int 0x10", "16"),
        Scalar("!!bool true", "true"), Scalar("!!null ~", "null"), Scalar("!!float 1.5", "1.5"),
        Scalar("!!map {}", "{}"), Scalar("!!seq []", "[]"),
    ]

    @Test(arguments: scalars)
    func resolvesScalarAsKubernetesDoes(_ scalar: Scalar) throws {
        let texts = try texts("a: \(scalar.yaml)")
        #expect(texts.documents.map(\.string) == ["{\"a\":\(scalar.json)}"])
        let parsed = try JSONSerialization.jsonObject(with: Data(texts.documents.first?.json ?? []))
        #expect(parsed is [String: Any])
    }

    // MARK: Structure

    @Test func separatesDocuments() throws {
        let texts = try texts(
            """
            # A comment.
            kind: Pod
            metadata: {name: a, "x y": [1, {b: c}, []]}
            ---
            ---
            # Nothing.
            ---
            apiVersion: v1
            kind: Service
            1: number
            true: word
            ...
            """
        )
        #expect(
            texts.documents.map(\.string) == [
                #"{"kind":"Pod","metadata":{"name":"a","x y":[1,{"b":"c"},[]]}}"#,
                #"{"apiVersion":"v1","kind":"Service","1":"number","true":"word"}"#,
            ]
        )
        #expect(
            texts.heads == [
                DocumentHead(apiVersion: nil, kind: "Pod", line: 2),
                DocumentHead(apiVersion: "v1", kind: "Service", line: 8),
            ]
        )
        #expect(texts.items.isEmpty)
    }

    @Test func reportsListItemsOneByOne() throws {
        let texts = try texts(
            """
            apiVersion: v1
            items:
            - kind: Pod
              metadata:
                name: a
            - {kind: Pod, items: [1]}
            -
            - 5
            kind: List
            metadata: {resourceVersion: ""}
            """
        )
        #expect(
            texts.items.map(\.string) == [
                #"{"kind":"Pod","metadata":{"name":"a"}}"#, #"{"kind":"Pod","items":[1]}"#, "null", "5",
            ]
        )
        #expect(texts.items.map(\.line) == [3, 6, 7, 8])
        #expect(
            texts.documents.map(\.string)
                == [#"{"apiVersion":"v1","items":[],"kind":"List","metadata":{"resourceVersion":""}}"#]
        )
        #expect(texts.heads == [DocumentHead(apiVersion: "v1", kind: "List", line: 1)])
    }

    @Test func expandsAliases() throws {
        let texts = try texts(
            """
            items:
            - a: &labels {x: &word yes, y: [*word]}
            - b: *labels
              c: *word
            """
        )
        #expect(
            texts.items.map(\.string) == [
                #"{"a":{"x":"yes","y":["yes"]}}"#, #"{"b":{"x":"yes","y":["yes"]},"c":"yes"}"#,
            ]
        )
        // An anchor may be given anew.
        let again = try self.texts("{a: &x 1, b: *x, c: &x 2, d: *x}")
        #expect(again.documents.map(\.string) == [#"{"a":1,"b":1,"c":2,"d":2}"#])
    }

    /// Documents with merge keys and their JSON.
    static let merges = [
        Scalar("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3, e: 4}\n", #"{"a":{"b":1,"c":2},"d":{"c":3,"e":4,"b":1}}"#),
        // A key of the mapping itself takes precedence, wherever it stands.
        Scalar("a: &x {b: 1}\nd: {b: 2, <<: *x}\n", #"{"a":{"b":1},"d":{"b":2}}"#),
        Scalar("a: &x {b: 1}\nd: {<<: *x}\n", #"{"a":{"b":1},"d":{"b":1}}"#),
        Scalar("a: &x {}\nd: {<<: *x}\n", #"{"a":{},"d":{}}"#),
        // The first of several merged mappings takes precedence.
        Scalar(
            "a: &x {b: 1, c: 1}\ny: &y {c: 2, d: 2}\ne:\n  <<: [*x, *y, {d: 3, f: 3}]\n",
            #"{"a":{"b":1,"c":1},"y":{"c":2,"d":2},"e":{"b":1,"c":1,"d":2,"f":3}}"#
        ),
        Scalar("e: {<<: {b: 1}, <<: {b: 2, c: 2}}\n", #"{"e":{"b":1,"c":2}}"#),
        // A merged mapping may itself have merge keys and an anchor.
        Scalar(
            "a: &x {b: {c: [1, '}\"']}}\nd: &y {<<: *x, e: 1}\nf: {<<: *y}\n",
            #"{"a":{"b":{"c":[1,"}\""]}},"d":{"e":1,"b":{"c":[1,"}\""]}},"f":{"e":1,"b":{"c":[1,"}\""]}}}"#
        ),
        Scalar("a: {<<: &x {b: 1}}\nd: *x\n", #"{"a":{"b":1},"d":{"b":1}}"#),
        // A quoted << is an ordinary key.
        Scalar("a: {'<<': 1}\n", #"{"a":{"<<":1}}"#),
        Scalar("<<: {kind: Pod, apiVersion: v1}\n", #"{"kind":"Pod","apiVersion":"v1"}"#),
    ]

    @Test(arguments: merges)
    func expandsMergeKeys(_ test: Scalar) throws {
        #expect(try texts(test.yaml).documents.map(\.string) == [test.json])
    }

    @Test func readsKindFromMergedMapping() throws {
        let head = try #require(try texts("<<: {kind: Pod}\napiVersion: v1\n").heads.first)
        #expect(head == DocumentHead(apiVersion: "v1", kind: "Pod", line: 1))
    }

    @Test func limitsExpansionOfNestedMerges() throws {
        var yaml = "a0: &a0 {\((0..<50).map { "k\($0): x" }.joined(separator: ", "))}\n"
        for level in 1...20 {
            yaml += "a\(level): &a\(level) {<<: *a\(level - 1), x: *a\(level - 1), y: *a\(level - 1)}\n"
        }
        let error = try #require(throws: FileFault.self) { try texts(yaml) }
        #expect(error.reason.contains("expand to more than 16 MiB"), "\(error)")
    }

    @Test func skipsEmptyDocuments() throws {
        let texts = try texts("---\n---\n# Nothing.\n--- null\n--- ~\n...\n---\nkind: Pod\n---\n")
        #expect(texts.documents.map(\.string) == [#"{"kind":"Pod"}"#])
        #expect(texts.heads.map(\.line) == [8])
    }

    @Test func mapsOffsetsToLines() throws {
        let yaml = """
            kind: Pod
            metadata:
              name: a
              labels:
                x: |
                  many
                  lines
                y: "z"
            spec: {a: [1,
              2]}
            """
        let text = try #require(try texts(yaml).documents.first)
        for (word, line) in [("\"kind\"", 1), ("\"name\"", 3), ("\"many", 5), ("\"y\"", 8), ("\"z\"", 8), ("2", 10)] {
            let range = try #require(text.string.range(of: word))
            let offset = text.string.utf8.distance(from: text.string.startIndex, to: range.lowerBound)
            #expect(text.line(at: offset) == line, "\(word)")
        }
        #expect(text.line(at: 0) == 1)
        #expect(text.line(at: 1 << 20) == 10)
    }

    // MARK: Faults

    /// A text that is not an inventory, and its message.
    struct Fault: Sendable, CustomTestStringConvertible {
        var yaml: String
        var line: Int
        var reason: String

        init(_ yaml: String, _ line: Int, _ reason: String) {
            (self.yaml, self.line, self.reason) = (yaml, line, reason)
        }

        var testDescription: String { reason }
    }

    static let faults = [
        Fault("a:\n\tc: d\n", 2, "no value begins with"), Fault("a: [1,\n2\nb: c", 3, "expected ',' or ']'"),
        Fault("a: \"x\n\n", 3, "unexpected end of stream"), Fault("a: b: c\n", 1, "mapping values are not allowed"),
        Fault("a: 1\nb: 2\na: 3\n", 3, "the key a is there twice"),
        Fault("a: *x\n", 1, "the alias *x has no anchor"), Fault("a: &x [*x]\n", 1, "the alias *x has no anchor"),
        Fault("a: &x 1\n---\nb: *x", 3, "the alias *x has no anchor"),
        Fault("a: &x 1\nc:\n  <<: *x\n", 3, "the value of << must be a mapping"),
        Fault("c:\n  <<: 1\n", 2, "the value of << must be a mapping"),
        Fault("c:\n  <<:\n", 2, "the value of << must be a mapping"),
        Fault("c:\n  <<: [{a: 1}, 2]\n", 2, "the value of << must be a mapping"),
        Fault("<<: {kind: List, items: []}\n", 2, "the items of a list must be written in the list"),
        Fault("a:\n  b: !!binary aGk=\n", 2, "!!binary is not supported"),
        Fault("a: !!timestamp 2026-11-21\n", 1, "!!timestamp is not supported"),
        Fault("a: !!set {b}\n", 1, "!!set is not supported"), Fault("a: !mine b\n", 1, "!mine is not supported"),
        Fault("a: !!int five\n", 1, "!!int is not supported for 'five'"),
        Fault("a: !!bool yes\n", 1, "!!bool is not supported for 'yes'"),
        Fault("? [a]\n: b\n", 1, "a key must be a scalar"), Fault("x: &x a\n*x : b\n", 2, "an alias as a key"),
        Fault("a: &x []\nkind: List\nitems: *x\n", 3, "the items of a list must be written in the list"),
        Fault("- a\n- b\n", 1, "an object (a mapping"), Fault("a: b\n---\nhello\n", 3, "an object (a mapping"),
        Fault("a: b\n---\n'~'\n", 3, "an object (a mapping"), Fault("a: @b\n", 1, "no value begins with"),
        Fault("%YAML 3.0\n---\na: b\n", 1, "incompatible YAML document"), Fault("a: \"\\xq\"\n", 1, "hexdecimal"),
        Fault("a: " + String(repeating: "[", count: 5000), 1, "nesting"),
    ]

    @Test(arguments: faults)
    func rejectsInvalidInventoryWithLine(_ fault: Fault) throws {
        let error = try #require(throws: FileFault.self) { try texts(fault.yaml) }
        #expect(error.line == fault.line, "\(error)")
        #expect(error.reason.contains(fault.reason), "\(error)")
    }

    @Test func reportsLineOfInvalidUTF8() throws {
        let lines = (1...30_000).map { "k\($0): v\n" }.joined()
        let path = try folder.write(Array(lines.utf8) + Array("x: ".utf8) + [0xff, 0xfe, 0x0a], to: "a.yaml")
        let error = try #require(throws: FileFault.self) { try FilesTexts(yaml: path) }
        #expect(error.line == 30_001, "\(error)")
        #expect(error.reason.contains("UTF-8"), "\(error)")
    }

    @Test func limitsExpansionOfNestedAliases() throws {
        var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...20 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            yaml += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let error = try #require(throws: FileFault.self) { try texts(yaml) }
        #expect(error.reason.contains("expand to more than 16 MiB"), "\(error)")
    }

    @Test func limitsDepthOfNestedAliases() throws {
        let yaml = "a0: &a0 []\n" + (1...2000).map { "a\($0): &a\($0) [*a\($0 - 1)]\n" }.joined()
        let error = try #require(throws: FileFault.self) { try texts(yaml) }
        #expect(error.reason.contains("levels deep"), "\(error)")
    }

    @Test func findsDuplicateAmongManyKeys() throws {
        let keys = (1...5000).map { "k\($0): v\n" }.joined()
        #expect(try texts(keys).documents.count == 1)
        for twice in [1, 16, 17, 5000] {
            let error = try #require(throws: FileFault.self) { try texts(keys + "k\(twice): v\n") }
            #expect(error == FileFault(line: 5001, reason: "the key k\(twice) is there twice"))
        }
    }
}
