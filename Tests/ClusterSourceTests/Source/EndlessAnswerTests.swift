import Testing

@testable import ClusterSource

/// Endless answers: the source abandons an answer that is longer than any of an API server, and keeps nothing of it.
@Suite struct EndlessAnswerTests {
    struct Answer: Sendable, CustomTestStringConvertible {
        var name: String
        /// The beginning.
        var head = ""
        /// The part that is repeated without end.
        var rest: String
        /// The most bytes that may be taken.
        var limit: Int

        var testDescription: String { name }

        var pieces: [Piece] {
            let block = String(repeating: rest, count: max((256 << 10) / rest.utf8.count, 1))
            let chunks = Reply.chunks(block).map { piece in
                if case .bytes(let bytes) = piece { Piece.endless(bytes) } else { piece }
            }
            return [Reply.head] + (head.isEmpty ? [] : Reply.chunks(head)) + chunks
        }
    }

    private static let page = #"{"kind":"PodList","apiVersion":"v1","metadata":{},"x":1}"# + "\n"
    private static let list = #"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":["#
    private static let event = #"{"type":"ADDED","object":{"metadata":{"name":""#

    private static let lists: [Answer] = [
        Answer(name: "lists", rest: page, limit: 4 << 20),
        Answer(name: "spaces", rest: " ", limit: 4 << 20),
        Answer(name: "a list with more after it", head: list + "]}", rest: "\n", limit: 4 << 20),
        Answer(name: "an item", head: list + #"{"metadata":{"name":""#, rest: "x", limit: 16 << 20),
        Answer(name: "brackets", head: list, rest: "[", limit: 16 << 20),
    ]

    private static let watches: [Answer] = [
        Answer(name: "lists", rest: page, limit: 1 << 20),
        Answer(name: "spaces", rest: " ", limit: 32 << 20),
        Answer(name: "an event", head: event, rest: "x", limit: 32 << 20),
        Answer(name: "brackets", head: #"{"type":"ADDED","object":"#, rest: "[", limit: 32 << 20),
    ]

    /// The bytes in the buffers of system and client beside those that were read.
    private static let buffers = 12 << 20

    @Test(arguments: lists) func abandonsEndlessList(_ answer: Answer) async throws {
        let harness = try SourceHarness { request in
            if request.isWatchList { return Reply.status(422) }
            if request.isList, request.numberOfItsKind == 1 { return answer.pieces }
            return request.isList ? Reply.list([Text.pod("a", 1)], version: "5") : Reply.watch([])
        }
        try await Self.expectEnd(of: answer, in: harness)
    }

    @Test(arguments: watches) func abandonsEndlessWatch(_ answer: Answer) async throws {
        let harness = try SourceHarness { request in
            if request.isWatchList, request.numberOfItsKind == 1 { return answer.pieces }
            if request.isWatchList { return Reply.status(422) }
            return request.isList ? Reply.list([Text.pod("a", 1)], version: "5") : Reply.watch([])
        }
        try await Self.expectEnd(of: answer, in: harness)
    }

    private static func expectEnd(of answer: Answer, in harness: SourceHarness) async throws {
        try await harness.run { harness in
            #expect(await eventually(within: .seconds(300)) { harness.pods.isSynced })
            #expect(harness.observer.objects == ["shop/a@1"])
            #expect(harness.server.endlessBytes <= answer.limit + buffers)
        }
    }
}
