import Foundation
import Testing

@testable import ClusterModel

/// The grammar of RFC 8259: valid and invalid values, and the contents of strings and numbers.
struct JSONReaderTests {
    static let values = [
        "0", "-0", "7", "-12", "0.5", "-0.0", "1e3", "1E+3", "1.5e-3", "123456789012345678901234567890", "1e400",
        #""""#, #""a""#, #""\"\\\/\b\f\n\r\t""#, #""\u00e9\uD83D\uDE00""#, "\"\u{7f}é😀\"", "true", "false", "null",
        "[]", "[ ]", "[1]", "[1,2]", "[ [ ] , { } ]", "{}", "{ }", #"{"":0}"#, #"{"a":1,"a":2}"#,
        " \t\r\n{ \"a\" : [ 1 , true ] }\n ", #"{"a":{"b":[{"c":null}]}}"#,
    ]

    static let nonValues = [
        "", " ", "01", "-", "-01", "+1", ".5", "1.", "1.e3", "1e", "1e+", "0x10", "1_0", "Infinity", "NaN", "1 2", "00",
        "'a'", "\"", "\"a", #""\""#, #""\x""#, #""\u12""#, #""\u12g4""#, "\"\n\"", "\"\t\"", "\"\u{0}\"", #""a"b"#,
        "tru", "True", "truex", "nul", "nulll", "f", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "[1}",
        "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{1:2}", "{a:1}", "{\"a\" 1}",
        "{\"a\":1 \"b\":2}", "{\"a\":1]", "{\"a\":}", "{\"a\"}", "\u{feff}1", "1\u{0}", "\u{0b}1", "// a\n1", "\u{a0}1",
    ]

    /// Returns whether the reader accepts a text when it skips it, reads it value by value, and skips it in an array.
    private static func verdicts(on text: String) -> [Bool] {
        let bytes = Array(text.utf8)
        var skipping = JSONReader(bytes.span)
        let skipped = (try? skipping.skip()) != nil && skipping.isAtEnd
        if skipped {
            var known = JSONReader(bytes.span)
            #expect((try? known.skipKnown()) != nil && known.isAtEnd)
        }
        var reading = JSONReader(bytes.span)
        let read = (try? readAll(&reading)) != nil && reading.isAtEnd
        // Within a container the reader runs its other loop.
        let outer = Array("[\(text)]".utf8)
        var within = JSONReader(outer.span)
        let skippedWithin = (try? within.skip()) != nil && within.isAtEnd
        return [skipped, read, skippedWithin]
    }

    private static func readAll(_ reader: inout JSONReader) throws(JSONError) {
        switch reader.peek() {
        case UInt8(ascii: "{"):
            _ = try reader.enterObject()
            while try reader.nextKey() != nil { try readAll(&reader) }
        case UInt8(ascii: "["):
            _ = try reader.enterArray()
            while try reader.nextElement() { try readAll(&reader) }
        case UInt8(ascii: "\""): _ = try reader.string()
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try reader.bool()
        default: _ = try reader.double()
        }
    }

    @Test(arguments: values) func acceptsValues(_ text: String) {
        #expect(Self.verdicts(on: text) == [true, true, true])
        for padding in ["       ", "        ", "         "] {
            #expect(Self.verdicts(on: padding + text + padding) == [true, true, true])
        }
    }

    @Test(arguments: nonValues) func rejectsInvalidValues(_ text: String) {
        var verdicts = Self.verdicts(on: text)
        // In brackets these texts are an empty list.
        if ["", " "].contains(text) { verdicts[2] = false }
        #expect(verdicts == [false, false, false])
    }

    @Test(arguments: [
        (#""""#, ""), (#""abc""#, "abc"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"), (#""\u0041\u00e9""#, "Aé"),
        (#""\uD83D\uDE00!""#, "😀!"), (#""\ud83d""#, "\u{fffd}"), (#""\ud83dx""#, "\u{fffd}x"),
        (#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"), (#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (#""\ud83d\n""#, "\u{fffd}\n"),
        (#""\u0000""#, "\u{0}"), (#""\uFFFF""#, "\u{ffff}"),
        (
            #""a long text without any escapes in it""#,
            "a long text without any escapes in it"
        ),
        (#""seven 7\\eight""#, #"seven 7\eight"#), (#""\\""#, #"\"#), (#""\\\"""#, #"\""#),
    ]) func decodesStrings(_ text: String, _ expected: String) throws {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes.span)
        #expect(try reader.string() == expected)
        // Foundation rejects lone surrogates.
        if !expected.contains("\u{fffd}") {
            let foundation = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
            #expect(foundation as? String == expected)
        }
    }

    @Test(
        arguments: [
            ([0xff], "\u{fffd}"), ([0x61, 0xc3, 0x62], "a\u{fffd}b"), ([0xed, 0xa0, 0x80], "\u{fffd}\u{fffd}\u{fffd}"),
            ([0xc0, 0xaf], "\u{fffd}\u{fffd}"), ([0xf0, 0x9f, 0x98], "\u{fffd}"), ([0xc3, 0xa9], "é"),
        ] as [([UInt8], String)]
    ) func replacesInvalidUTF8(_ bytes: [UInt8], _ expected: String) throws {
        for escape in ["", "\\n"] {
            let text = [UInt8(ascii: "\"")] + bytes + Array("\(escape)\"".utf8)
            var reader = JSONReader(text.span)
            #expect(try reader.string() == expected + (escape.isEmpty ? "" : "\n"))
        }
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("42", 42), ("-7", -7), ("8080.0", 8080), ("8e3", 8000),
            ("9223372036854775807", Int.max),
            ("9223372036854775808", nil), ("1.5", nil), ("1e400", nil), ("true", nil), (#""1""#, nil), ("null", nil),
            ("[1]", nil), ("{}", nil),
        ] as [(String, Int?)]
    ) func readsIntegers(_ text: String, _ expected: Int?) throws {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes.span)
        #expect(try reader.integer() == expected)
        #expect(reader.isAtEnd == true)
    }

    @Test(
        arguments: [("50.5", 50.5), ("-1e-2", -0.01), ("1e400", nil), ("7", 7), ("null", nil)] as [(String, Double?)]
    )
    func readsDoubles(_ text: String, _ expected: Double?) throws {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes.span)
        #expect(try reader.double() == expected)
    }

    /// Every length around the eight bytes by which strings are searched, with an invalid byte at every place.
    @Test func readsStringsOfAllLengths() throws {
        for length in 0..<40 {
            let plain = String(repeating: "x", count: length)
            for text in [plain, plain + "é", "é" + plain] {
                let bytes = Array("\"\(text)\" ".utf8)
                for tail in 0..<10 {
                    let padded = bytes + Array(repeating: UInt8(ascii: " "), count: tail)
                    var reader = JSONReader(padded.span)
                    #expect(try reader.string() == text)
                }
            }
            for place in 0..<length {
                for byte in [UInt8(0), 0x1f, UInt8(ascii: "\n")] {
                    var bytes = Array("\"\(plain)\"".utf8)
                    bytes[place + 1] = byte
                    var reader = JSONReader(bytes.span)
                    #expect(throws: JSONError.self) { try reader.skip() }
                }
            }
        }
    }

    @Test(arguments: [
        ("a", ["a"]), (#"\u0061"#, ["a"]), (#"metadat\u0061"#, ["metadata"]), ("metadata", ["metadata"]), ("", [""]),
        ("Metadata", []), ("metadat", []), (#"a\""#, []), ("metadatb", []),
    ]) func matchesKeys(_ key: String, _ expected: [String]) throws {
        let bytes = Array("{\"\(key)\":1}".utf8)
        var reader = JSONReader(bytes.span)
        _ = try reader.enterObject()
        guard let text = try reader.nextKey() else { return #expect(Bool(false)) }
        var found: [String] = []
        switch text {
        case "a": found = ["a"]
        case "metadata": found = ["metadata"]
        case "": found = [""]
        default: break
        }
        #expect(found == expected)
    }

    @Test(arguments: [512, 513, 100_000]) func limitsNesting(_ depth: Int) {
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            let text = String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
            #expect(Self.verdictOfSkipping(text) == (depth <= 512))
            #expect(Self.verdictOfSkipping(String(repeating: open, count: depth)) == false)
        }
    }

    private static func verdictOfSkipping(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var reader = JSONReader(bytes.span)
        return (try? reader.skip()) != nil && reader.isAtEnd
    }

    // MARK: - Paths

    @Test(arguments: [
        (#"{"spec":{"nets":[1,"@"]}}"#, "spec.nets[1]"), (#"{"a":[[],{"b":"x"},[@"#, "a[2][0]"), ("@", ""),
        (#"{"a.b":{"":"@"}}"#, #"["a.b"][""]"#), (#"{"a":1,"b":2,@"#, ""), (#"{"a":{"b":1},"c":"@"}"#, "c"),
        (#"{"a":"{[,\"","b":[{},@"#, "b[1]"), (#"[[[[@"#, "[0][0][0][0]"), (#"{"\u0061":"@"}"#, "a"), (#"}]@"#, ""),
    ]) func findsPathOfOffset(_ text: String, _ expected: String) throws {
        let bytes = Array(text.utf8)
        var target = try #require(bytes.firstIndex(of: UInt8(ascii: "@")))
        if target > 0, bytes[target - 1] == UInt8(ascii: "\"") { target -= 1 }
        var finder = JSONPathFinder(bytes.span, from: 0)
        #expect(PathComponent.text(finder.path(to: target)) == expected)
    }
}
