import ClusterModel
import Foundation
import Testing

/// Recorded watches, compared with Foundation's reading of the same lines.
struct RecordedWatchTests {
    static let paths = Fixture.paths(in: "watch") + Fixture.paths(in: "watchlist")

    @Test func recordingsArePresent() {
        #expect(Self.paths.count > 25)
    }

    @Test(arguments: paths) func decodesWholeStream(_ path: String) throws {
        let bytes = try Fixture.bytes(path)
        let kind = try Fixture.kind(of: path)
        let lines = Fixture.lines(bytes)
        let outcome = WatchOutcome([bytes], kind: kind)
        #expect(outcome.isCut == false)
        #expect(outcome.events.count == lines.count)
        for (line, event) in zip(lines, outcome.events) {
            let reference = try Reference.object(line)
            try Self.expect(event, is: reference.text("type") ?? "", of: reference.object("object"), kind: kind)
        }
        let ends = outcome.events.count { if case .bookmark(_, isInitialEventsEnd: true) = $0 { true } else { false } }
        #expect(ends == (path.hasPrefix("watchlist") ? 1 : 0))
    }

    private static func expect(
        _ event: WatchEvent,
        is type: String,
        of object: [String: Any],
        kind: ObjectKind
    ) throws {
        let metadata = object.object("metadata")
        let expected = Reference.facts(of: object, kind: kind)
        switch event {
        case .upsert(let object, let version):
            #expect(type == "ADDED" || type == "MODIFIED")
            #expect(object.facts == expected)
            #expect(version == metadata.text("resourceVersion"))
        case .deleted(let reference, let uid, let version):
            #expect(type == "DELETED")
            #expect(reference.kind == kind)
            #expect(reference.name == metadata.text("name"))
            #expect(reference.namespace == metadata.text("namespace"))
            #expect(uid == metadata.text("uid"))
            #expect(version == metadata.text("resourceVersion"))
        case .bookmark(let version, _):
            #expect(type == "BOOKMARK")
            #expect(version == metadata.text("resourceVersion"))
        case .error, .unusable:
            Issue.record("unexpected: \(event)")
        }
    }

    @Test(arguments: [
        Chunking.whole, .each(1), .each(4096), .random(seed: 7, most: 50), .random(seed: 8, most: 20_000),
    ]) func decodesIndependentlyOfChunks(_ chunking: Chunking) throws {
        let body = try Fixture.body(ofChunked: try Fixture.bytes("http/pods.watch.http1-raw.bin"))
        let lines = Fixture.lines(body)
        #expect(lines.count > 50)
        let expected = lines.flatMap { line in WatchOutcome([line, [0x0a]], kind: .pod).events.map { "\($0)" } }
        #expect(expected.count == lines.count)
        #expect(WatchOutcome(chunking.pieces(of: body), kind: .pod).text == expected + ["cut: false"])
    }

    @Test func decodesExpiredBody() throws {
        let body = try Fixture.body(ofChunked: try Fixture.bytes("http/pods.watch-expired.http1-raw.bin"))
        for chunking in [Chunking.whole, .each(1)] {
            let events = WatchOutcome(chunking.pieces(of: body), kind: .pod).events
            #expect(events.count == 1)
            guard case .error(let status)? = events.first else {
                Issue.record("unexpected: \(events)")
                continue
            }
            #expect(status.code == 410)
            #expect(status.reason == "Expired")
        }
    }

    @Test(arguments: Fixture.paths(in: "expired", suffix: ".jsonl"))
    func decodesExpiredWatch(_ path: String) throws {
        let bytes = try Fixture.bytes(path)
        let events = WatchOutcome([bytes], kind: try Fixture.kind(of: path)).events
        let codes = events.map { event in if case .error(let status) = event { status.code } else { 0 } }
        #expect(codes == (bytes.isEmpty ? [] : [410]))
    }
}
