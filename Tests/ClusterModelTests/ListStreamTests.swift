import ClusterModel
import Testing

/// Bodies of lists, in all valid forms and in malformed ones.
struct ListStreamTests {
    private static let one = #"{"metadata":{"name":"a"}}"#

    /// A body, and the names and the end that it should give.
    struct Case: Sendable, CustomTestStringConvertible {
        var body: String
        var names: [String] = []
        var end: Result<ListEnd, StreamError> = .success(ListEnd())

        var testDescription: String { body }
    }

    static let whole: [Case] = [
        Case(body: #"{"kind":"PodList","items":[]}"#),
        Case(body: #"{"kind":"PodList","items":null}"#),
        Case(body: #"{"kind":"PodList"}"#),
        Case(body: " {\n\"kind\" : \"PodList\" , \"items\" : [ \(one) ,\n \(one) ] } \n", names: ["a", "a"]),
        Case(
            body: #"{"items":[\#(one)],"metadata":{"resourceVersion":"7","continue":"","remainingItemCount":3},"#
                + #""kind":"PodList"}"#,
            names: ["a"],
            end: .success(ListEnd(resourceVersion: "7", remainingItemCount: 3))
        ),
        Case(
            body:
                #"{"metadata":{"resourceVersion":"7","continue":"c\"]}","items":[1]},"kind":"PodList","items":[\#(one)]}"#,
            names: ["a"],
            end: .success(ListEnd(resourceVersion: "7", continueToken: "c\"]}"))
        ),
        // Nested members named items are not items.
        Case(body: #"{"kind":"PodList","x":{"items":[1,2]},"y":"items","items":[\#(one)]}"#, names: ["a"]),
        Case(body: #"{"kind":"PodList","items":[{"metadata":{"name":"}]\"\\"},"items":[[]]}]}"#, names: [#"}]"\"#]),
    ]

    @Test(arguments: whole) func decodesWholeBody(_ body: Case) throws {
        for chunking in [Chunking.whole, .each(1), .random(seed: 1, most: 5)] {
            let outcome = ListOutcome(chunking.pieces(of: Array(body.body.utf8)), kind: .pod)
            #expect(try outcome.items.map { try $0.get().metadata.name } == body.names)
            #expect(outcome.end == body.end)
        }
    }

    @Test(arguments: whole.dropFirst(2)) func reportsTruncationAtEveryLength(_ body: Case) {
        let bytes = Array(body.body.utf8)
        let last = bytes.lastIndex(of: UInt8(ascii: "}")) ?? 0
        for length in 0...last {
            let outcome = ListOutcome([Array(bytes[..<length])], kind: .pod)
            #expect(outcome.end == .failure(.truncated(offset: length)))
        }
    }

    @Test(arguments: [
        (#"{"kind":"PodList","items":[,]}"#, 27), (#"{"kind":"PodList","items":[{},]}"#, 30),
        (#"{"kind":"PodList","items":[{} {}]}"#, 30), (#"{"kind":"PodList","items":[}]}"#, 27),
        (#"{"kind":"PodList","items":[{}]}}"#, 31), (#"{"kind":"PodList","items":[{}]"a":1}"#, 30),
        (#"{"kind":"PodList","items":[],"items":[]}"#, 37), ("[]", 0), ("404 page not found", 4), ("{}", 0),
        (#"{"kind":"Pod"}"#, 0), (#"{"kind":"SecretList","items":[]}"#, 0), ("<html>", 0), ("\u{1}", 0),
        (#""items""#, 0),
    ]) func rejectsMalformedBody(_ body: String, _ offset: Int) throws {
        let outcome = ListOutcome([Array(body.utf8)], kind: .pod)
        guard case .failure(.malformed(let found, let reason)) = outcome.end else {
            // A text that is never closed counts as truncated.
            #expect(outcome.end == .failure(.truncated(offset: body.utf8.count)))
            #expect(body.utf8.filter { $0 == UInt8(ascii: "}") }.count > 1)
            return
        }
        #expect(found == offset)
        #expect(!reason.isEmpty)
    }

    @Test func reportsUnusableItemAndKeepsOthers() throws {
        let body =
            #"{"kind":"PodList","items":[\#(Self.one),{"metadata":{}},7,null,{"metadata":{"name":tru}},\#(Self.one)]}"#
        let outcome = ListOutcome([Array(body.utf8)], kind: .pod)
        #expect(outcome.end == .success(ListEnd()))
        #expect(outcome.items.count == 6)
        #expect(try outcome.items[5].get().metadata.name == "a")
        let errors = outcome.items.compactMap { item in
            if case .failure(let error) = item { "\(PathComponent.text(error.path)) @\(error.offset)" } else { nil }
        }
        #expect(errors == ["items[1] @53", "items[2] @69", "items[3] @71", "items[4].metadata.name @96"])
    }

    @Test func reportsStatusInsteadOfList() {
        let body = #"{"kind":"Status","code":410,"reason":"Expired","metadata":{"continue":"x"}}"#
        let status = APIStatus(code: 410, reason: "Expired", continueToken: "x")
        #expect(ListOutcome([Array(body.utf8)], kind: .pod).end == .failure(.status(status)))
    }

    @Test func enforcesItemLimit() {
        let item = #"{"metadata":{"name":"a","x":"\#(String(repeating: "x", count: 1000))"}}"#
        let body = Array(#"{"kind":"PodList","items":[\#(item)]}"#.utf8)
        for chunking in [Chunking.whole, .each(100)] {
            let pieces = chunking.pieces(of: body)
            #expect(ListOutcome(pieces, kind: .pod, itemLimit: item.utf8.count).end == .success(ListEnd()))
            let limit = item.utf8.count - 1
            let end = ListOutcome(pieces, kind: .pod, itemLimit: limit).end
            #expect(end == .failure(.tooLong(offset: 27, limit: limit)))
        }
        let junk = Array("{\"kind\":\"\(String(repeating: "k", count: 5 << 20))".utf8)
        #expect(ListOutcome([junk], kind: .pod).end == .failure(.tooLong(offset: 4 << 20, limit: 4 << 20)))
    }
}
