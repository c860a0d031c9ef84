import ClusterModel
import Foundation
import Testing

@testable import ClusterSource

/// Bytes recorded from a kube-apiserver 1.36, read by the source and by an independent reader.
@Suite struct RecordedTests {
    /// The lines of a raw HTTP/1.1 answer, by taking the chunks apart.
    private static func lines(_ raw: [UInt8]) -> [[String: Any]] {
        let data = Data(raw)
        let line = Data([13, 10])
        guard var position = data.range(of: line + line)?.upperBound else { return [] }
        var body = Data()
        while let end = data.range(of: line, in: position..<data.endIndex),
            let size = Int(String(decoding: data[position..<end.lowerBound], as: UTF8.self), radix: 16), size > 0
        {
            body += data[end.upperBound...].prefix(size)
            position = end.upperBound + size + 2
            guard position < data.endIndex else { break }
        }
        return body.split(separator: 10).compactMap {
            try? JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]
        }
    }

    private static func metadata(_ event: [String: Any]) -> [String: Any] {
        (event["object"] as? [String: Any])?["metadata"] as? [String: Any] ?? [:]
    }

    @Test(arguments: [1000, 16384, 1_000_000]) func readsRawWatchInPortionsOfAnySize(portion: Int) async throws {
        let raw = try fixtureBytes("pods.watch.http1-raw.cut.bin")
        let events = Self.lines(raw)
        let count = events.count
        #expect(count == 5)
        let expected = events.map { event -> String in
            let metadata = Self.metadata(event)
            let name = "\(metadata["namespace"] ?? "")/\(metadata["name"] ?? "")"
            return event["type"] as? String == "DELETED" ? "-\(name)" : "+\(name)@\(metadata["resourceVersion"] ?? "")"
        }
        let harness = try SourceHarness { request in
            if request.isWatchList { return Reply.status(422) }
            if request.isList { return Reply.list([], version: "573") }
            guard request.numberOfItsKind == 1 else { return [.bytes(raw), .hold] }
            return stride(from: 0, to: raw.count, by: portion).map { start in
                Piece.bytes(Array(raw[start..<min(start + portion, raw.count)]))
            } + [.cut]
        }
        // The next watch repeats the events that were in transit when the connection was cut; these may be all events.
        let versions = ["573"] + events.compactMap { Self.metadata($0)["resourceVersion"] as? String }
        @Sendable func before() -> Int? {
            let watches = harness.asked.filter { $0.hasPrefix("watch ") }
            return watches.count == 2 ? versions.firstIndex { watches[1] == "watch \($0)" } : nil
        }
        try await harness.run { harness in
            #expect(
                await eventually { before().map { harness.observer.log.count == 2 + $0 + count } ?? false }
            )
        }
        let told = Array(harness.observer.log.dropFirst(2))
        #expect(told == expected.prefix(try #require(before())) + expected)
    }

    @Test func readsARecordedWatchList() async throws {
        let text = try fixture("nodes.watchlist.jsonl")
        let events = text.split(separator: "\n").compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        let nodes = WatchedResource.all.filter { $0.kind == .node }
        let harness = try SourceHarness(resources: nodes) { _ in [Reply.head] + Reply.chunks(text, of: 999) + [.hold] }
        try await harness.run { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)))
        }
        let expected = events.dropLast().map(Self.metadata).map { "\($0["name"] ?? "")@\($0["resourceVersion"] ?? "")" }
        #expect(harness.observer.objects == expected.sorted())
        #expect(harness.observer.log.last == "end Node")
    }

    @Test func readsARecordedList() async throws {
        let text = try fixture("nodes.list.json")
        let list = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        let version = try #require((list["metadata"] as? [String: Any])?["resourceVersion"] as? String)
        let items = try #require(list["items"] as? [[String: Any]])
        let refusal = try fixture("422-sendinitialevents-without-match.json")
        let nodes = WatchedResource.all.filter { $0.kind == .node }
        let harness = try SourceHarness(resources: nodes) { request in
            if request.isWatchList { return Reply.whole(422, refusal) }
            return request.isList ? [Reply.head] + Reply.chunks(text, of: 77) + [Reply.end] : Reply.watch([])
        }
        try await harness.run { harness in
            #expect(await eventually { harness.server.requests.last?.isWatch == true })
        }
        #expect(harness.server.requests.map(\.short) == ["watch-list", "list", "watch \(version)"])
        #expect(harness.observer.objects.count == items.count)
    }

    @Test func readsARecordedExpiry() async throws {
        let raw = try fixtureBytes("pods.watch-expired.http1-raw.bin")
        let harness = try SourceHarness { request in
            if request.isWatchList {
                let end: [Piece] = request.numberOfItsKind == 1 ? [Reply.end] : [.hold]
                return Reply.watch([Text.bookmark(1, isInitialEventsEnd: true)], then: end)
            }
            return [.bytes(raw)]
        }
        try await harness.run { harness in
            #expect(await eventually { harness.asked.count == 3 })
            #expect(harness.pods.restarts == [.ended: 1, .expired: 1])
            #expect(harness.pods.lastError == "410 Expired: too old resource version: 1 (987)")
        }
        #expect(harness.asked == ["watch-list", "watch 1", "watch-list"])
    }
}
