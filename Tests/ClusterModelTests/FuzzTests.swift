import ClusterModel
import Foundation
import Testing

/// Recorded objects with damage: decoders neither crash nor loop, and every decoded string is valid text.
struct FuzzTests {
    /// A small object of each recorded kind, without the members that no decoder reads.
    private static let seeds: [(ObjectKind, [UInt8])] = {
        var seeds: [(ObjectKind, [UInt8])] = []
        for path in Fixture.paths(in: "list") {
            guard let bytes = try? Fixture.bytes(path), let kind = try? Fixture.kind(of: path),
                let items = try? Reference.object(bytes).objects("items")
            else { continue }
            for var item in items.prefix(3) {
                var metadata = item.object("metadata")
                metadata["managedFields"] = nil
                metadata["annotations"] = nil
                item["metadata"] = metadata
                var status = item.object("status")
                for key in ["conditions", "containerStatuses", "images", "nodeInfo"] { status[key] = nil }
                item["status"] = status
                guard let text = try? Reference.text(item), text.count < 2500 else { continue }
                seeds.append((kind, text))
            }
        }
        return seeds
    }()

    private static let insertions: [[UInt8]] = [
        [UInt8(ascii: "\"")], [UInt8(ascii: "{")], [UInt8(ascii: "}")], [UInt8(ascii: "[")], [UInt8(ascii: "]")],
        [UInt8(ascii: ",")], [UInt8(ascii: ":")], [UInt8(ascii: "\\")], [0x00], [0x0a], [0x1f], [0xff], [0xc3],
        [0xed, 0xa0, 0x80],
        Array("null".utf8), Array("-1e999".utf8), Array(#"\ud800"#.utf8), Array(#""items":["#.utf8),
        Array("99999999999999999999".utf8),
    ]

    /// A text with one to three random changes.
    private static func damaged(_ text: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var text = text
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !text.isEmpty {
            let place = Int.random(in: 0..<text.count, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: text.removeSubrange(place...)
            case 1: text[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: text.insert(contentsOf: insertions.randomElement(using: &generator) ?? [], at: place)
            case 3: text.removeSubrange(place..<min(place + Int.random(in: 1...20, using: &generator), text.count))
            case 4: text[place] = UInt8.random(in: 0...255, using: &generator)
            default:
                let piece = text[place..<min(place + Int.random(in: 1...200, using: &generator), text.count)]
                text.insert(contentsOf: piece, at: Int.random(in: 0...text.count, using: &generator))
            }
        }
        return text
    }

    @Test(arguments: 0..<4) func decodersHandleDamagedText(_ part: Int) throws {
        #expect(Self.seeds.count > 30)
        var generator = SeededGenerator(UInt64(part) + 1000)
        var decoded = 0
        for _ in 0..<5000 {
            let (kind, seed) = Self.seeds[Int.random(in: 0..<Self.seeds.count, using: &generator)]
            let text = Self.damaged(seed, &generator)
            let objects: [ClusterObject]
            switch part {
            case 0: objects = Self.singly(text, kind)
            case 1: objects = Self.inLists(text, kind)
            case 2: objects = Self.streamedAsList(text, seed, kind, &generator)
            default: objects = Self.watched(text, kind, &generator)
            }
            decoded += objects.count
            for object in objects { try HostileInputTests.expectValidText(object.metadata) }
        }
        // Much of the damage hits members that no decoder reads.
        #expect(decoded > 500)
    }

    private static func singly(_ text: [UInt8], _ kind: ObjectKind) -> [ClusterObject] {
        #expect(APIStatus(httpStatus: 500, body: text.span).code != 0)
        var findings: [ObjectIssue] = []
        do throws(ObjectIssue) {
            let object = try ObjectDecoder.object(from: text.span, as: kind, findings: &findings)
            for finding in findings { check(finding.offset, finding.description, in: text) }
            return object.map { [$0] } ?? []
        } catch {
            check(error.offset, error.description, in: text)
            return []
        }
    }

    private static func check(_ offset: Int, _ description: String, in text: [UInt8]) {
        #expect((0...text.count).contains(offset))
        #expect(!description.isEmpty)
    }

    private static func inLists(_ text: [UInt8], _ kind: ObjectKind) -> [ClusterObject] {
        let head = #"{"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"x"}},"#
        let whole = Array(head.utf8) + text + Array("]}".utf8)
        guard let results = try? ObjectDecoder.objects(in: whole.span) else { return [] }
        return results.compactMap { try? $0.get() }
    }

    /// Damaged in an item, or anywhere.
    private static func streamedAsList(
        _ text: [UInt8],
        _ intact: [UInt8],
        _ kind: ObjectKind,
        _ generator: inout SeededGenerator
    ) -> [ClusterObject] {
        let head = Array(#"{"kind":"XList","items":["#.utf8)
        let tail = Array(#"],"metadata":{"continue":"c"}}"#.utf8)
        var whole = head + text + tail
        if Bool.random(using: &generator) { whole = damaged(head + intact + tail, &generator) }
        let seed = generator.next()
        let outcome = ListOutcome(Chunking.random(seed: seed, most: 400).pieces(of: whole), kind: kind)
        if seed % 4 == 0 { #expect(outcome.text == ListOutcome([whole], kind: kind).text) }
        return outcome.items.compactMap { try? $0.get() }
    }

    private static func watched(
        _ text: [UInt8],
        _ kind: ObjectKind,
        _ generator: inout SeededGenerator
    ) -> [ClusterObject] {
        let end = Array(#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1"}}}"#.utf8)
        let body = Array(#"{"type":"ADDED","object":"#.utf8) + text + [UInt8(ascii: "}"), 0x0a] + end + [0x0a]
        let seed = generator.next()
        let outcome = WatchOutcome(Chunking.random(seed: seed, most: 400).pieces(of: body), kind: kind)
        if seed % 4 == 0 { #expect(outcome.text == WatchOutcome([body], kind: kind).text) }
        // The stream reads the next line whatever the line before it contains.
        guard case .bookmark? = outcome.events.last else {
            Issue.record("\(outcome.events)")
            return []
        }
        return outcome.events.compactMap { if case .upsert(let object, _) = $0 { object } else { nil } }
    }
}
