import Foundation
import Testing

@testable import ClusterSource

/// The scanner of JSON files, which splits a file into objects and keeps their lines.
@Suite struct FilesJSONTests {
    private let folder: FilesFolder

    init() throws {
        folder = try FilesFolder()
    }

    private func texts(_ json: String) throws -> FilesTexts {
        try FilesTexts(json: folder.write(json, to: "a.json"))
    }

    @Test func reportsDocumentsAndItemsOneByOne() throws {
        let texts = try texts(
            """

            {"kind":"PodList", "apiVersion":"v1", "metadata":{"items":[1]},
             "items" : [ {"a":
               1},
               [2] , "x", -1.5e+3, true, null ],
             "kinds":"no"
            } {}
            {"items":[]}
            """
        )
        #expect(texts.items.map(\.string) == ["{\"a\":\n   1}", "[2]", "\"x\"", "-1.5e+3", "true", "null"])
        #expect(texts.items.map(\.line) == [3, 5, 5, 5, 5, 5])
        #expect(
            texts.documents.map { $0.string.filter { !$0.isWhitespace } } == [
                #"{"kind":"PodList","apiVersion":"v1","metadata":{"items":[1]},"items":[],"kinds":"no"}"#, "{}",
                #"{"items":[]}"#,
            ]
        )
        #expect(
            texts.heads == [
                DocumentHead(apiVersion: "v1", kind: "PodList", line: 2), DocumentHead(line: 7), DocumentHead(line: 8),
            ]
        )
        let item = try #require(texts.items.first)
        #expect(item.line(at: 0) == 3)
        #expect(item.line(at: 10) == 4)
    }

    @Test func emptyTextHasNoDocument() throws {
        #expect(try texts("").documents.isEmpty)
        #expect(try texts(" \n\t\r\n").documents.isEmpty)
        #expect(try FilesTexts(json: folder.write([0xef, 0xbb, 0xbf, 0x7b, 0x7d], to: "b.json")).documents.count == 1)
    }

    /// A text that is not JSON, and its message.
    struct Fault: Sendable, CustomTestStringConvertible {
        var json: String
        var line: Int
        var reason: String

        init(_ json: String, _ line: Int, _ reason: String) {
            (self.json, self.line, self.reason) = (json, line, reason)
        }

        var testDescription: String { json.prefix(40).description }
    }

    static let faults = [
        Fault("[]", 1, "an object ({…}) is expected"), Fault("\n5", 2, "an object"), Fault("{} x", 1, "an object"),
        Fault("{", 1, "the file ends where a key"), Fault("{\"a\"", 1, "the file ends where ':'"),
        Fault("{\"a\":\n", 2, "the file ends where a value"),
        Fault("{\"a\":1\n\n", 3, "the file ends where ',' or '}'"),
        Fault("{\"a", 1, "ends in a string"), Fault("{\"a\\", 1, "ends in a string"),
        Fault("{\"a\": \"x\ny\"}", 1, "control character"), Fault("{\"a\":1,}", 1, "'}' where a key"),
        Fault("{\"a\":[1,]}", 1, "']' where a value"), Fault("{\"a\":[1 2]}", 1, "'2' where ',' or ']'"),
        Fault("{\"a\":{\"b\":1]}", 1, "']' where ',' or '}'"), Fault("{a:1}", 1, "'a' where a key"),
        Fault("{\"a\":01}", 1, "'1' where ',' or '}'"), Fault("{\"a\":-}", 1, "'}' where a digit"),
        Fault("{\"a\":1.}", 1, "where a digit"), Fault("{\"a\":.5}", 1, "'.' where a value"),
        Fault("{\"a\":1e}", 1, "where a digit"), Fault("{\"a\":+1}", 1, "'+' where a value"),
        Fault("{\"a\":True}", 1, "'T' where a value"), Fault("{\"a\":trux}", 1, "'x' where a value"),
        Fault("{\"a\":\"\\x\"}", 1, "'x' where an escape"), Fault("{\"a\":\"\\u12g4\"}", 1, "four hexadecimal digits"),
        Fault("{\"items\":[{\"a\":1}\n{\"b\":2}]}", 2, "'{' where ',' or ']'"),
        Fault("{\"items\":[", 1, "ends where a value"),
        Fault("{\"items\":[{}]", 1, "the file ends"), Fault("// x\n{}", 1, "an object"),
        Fault("{\"a\":\(String(repeating: "[", count: 2000))", 1, "1000 levels deep"),
    ]

    @Test(arguments: faults)
    func rejectsInvalidJSONWithLine(_ fault: Fault) throws {
        let error = try #require(throws: FileFault.self) { try texts(fault.json) }
        #expect(error.line == fault.line, "\(error)")
        #expect(error.reason.contains(fault.reason), "\(error)")
    }

    /// Objects smaller and larger than the block that is read at a time.
    @Test(arguments: [1, 1000, 262_100, 262_144, 600_000, 3_000_000])
    func acceptsObjectsOfAnySize(_ size: Int) throws {
        let value = String(repeating: "é\\\"", count: size / 4)
        let item = "{\"a\": \"\(value)\",\n\"b\": [1, 2]}"
        let texts = try texts("{\"items\": [\n\(item),\n\(item)\n], \"kind\": \"List\"}\n{\"c\": \"\(value)\"}")
        #expect(texts.items.map(\.string) == [item, item])
        #expect(texts.items.map(\.line) == [2, 4])
        #expect(texts.documents.last?.string == "{\"c\": \"\(value)\"}")
        #expect(texts.heads.map(\.line) == [1, 7])
    }

    /// This reader and Foundation's find the same objects.
    @Test func agreesWithFoundationOnMutatedJSON() throws {
        var random = FilesRandom(7)
        let text = Array(try Data(contentsOf: URL(fileURLWithPath: filesFixture("calico-networksets.json"))))
        let start = Array(
            #"{"kind":"ServiceList","x":[1,-2.5e7,true,null,{"a":"\\u00e9\n"}],"items":[{"a":{}}],"b":"#.utf8
        )
        var accepted = 0
        for round in 0..<2000 {
            let bytes = random.mutate(round % 2 == 0 ? start + Array("{}}".utf8) : text)
            let text = String(decoding: bytes, as: UTF8.self)
            // The readers may differ on bytes that are not ASCII, escaped surrogates, and trailing commas.
            guard bytes.allSatisfy({ $0 < 0x80 }), !text.contains("\\u"), !text.contains(#/,\s*[}\]]/#) else {
                continue
            }
            let path = try folder.write(bytes, to: "a.json")
            let isObject = (try? JSONSerialization.jsonObject(with: Data(bytes))) is [String: Any]
            let result = Result { try FilesTexts(json: path).documents.count }
            let isAccepted = (try? result.get()) == 1
            #expect(isAccepted == isObject, "\(result) \(text)")
            accepted += isAccepted ? 1 : 0
        }
        #expect(accepted > 10)
    }
}
