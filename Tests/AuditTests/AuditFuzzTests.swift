import Audit
import Foundation
import Testing

/// Recorded lines with damage: the decoder does not crash, and its events and changes are bounded and valid.
@Suite struct AuditFuzzTests {
    private static let insertions: [[UInt8]] = [
        [0x22], [0x7b], [0x7d], [0x5b], [0x5d], [0x2c], [0x3a], [0x5c], [0x00], [0x1f], [0xff], [0xc3],
        [0xed, 0xa0, 0x80], Array("null".utf8), Array("-1e999".utf8), Array(#"\ud800"#.utf8),
        Array(#""responseObject":"#.utf8), Array(repeating: 0x5b, count: 700),
        Array(#"{"metadata":[],"items":3}"#.utf8),
    ]

    static func damaged(_ text: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var text = text
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !text.isEmpty {
            let place = Int.random(in: 0..<text.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: text.removeSubrange(place...)
            case 1: text[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: text.insert(contentsOf: insertions.randomElement(using: &generator) ?? [], at: place)
            case 3: text.removeSubrange(place..<min(place + Int.random(in: 1...40, using: &generator), text.count))
            default:
                let piece = text[place..<min(place + Int.random(in: 1...200, using: &generator), text.count)]
                text.insert(contentsOf: piece, at: Int.random(in: 0...text.count, using: &generator))
            }
        }
        return text
    }

    @Test(arguments: 0..<4) func decoderHandlesDamagedLines(_ part: Int) throws {
        let seeds = try Fixture.lines("writes.log") + Fixture.lines("reads.log")
        var generator = SeededGenerator(UInt64(part) + 7)
        var reader = ChangeReader()
        var join = AuditJoin()
        var counts = AuditCounts()
        var total = 0
        for _ in 0..<1500 {
            let line = Self.damaged(seeds.randomElement(using: &generator) ?? [], &generator)
            total += line.contains { $0 > 0x20 } ? 1 : 0
            guard let event = counts.event(of: .bytes(0..<line.count), in: line) else { continue }
            // Foundation accepts every line that Weir accepts, except for invalid UTF-8, lone surrogates,
            // and numbers that are too large for it.
            if String(validating: line, as: UTF8.self) != nil, !line.contains("1e999".utf8), !line.contains("\\ud".utf8)
            {
                #expect(
                    (try? JSONSerialization.jsonObject(with: Data(line))) != nil,
                    "\(String(decoding: line, as: UTF8.self))"
                )
            }
            guard join.take(event), let change = reader.change(event, in: line.span) else { continue }
            #expect(change.summary.utf8.count < 64_000)
            #expect(change.changes.count <= ObjectComparison.limit)
        }
        #expect(counts.events + counts.malformed == total)
        #expect(counts.events > 50)
        #expect(counts.malformed > 50)
    }

    @Test func truncatesTextsOfTenMegabyteLine() throws {
        let text = String(repeating: "é", count: 5 << 20)
        let line = Line(name: text, sent: "\"\(text.prefix(1000))\"")
        #expect(line.bytes.count > 10 << 20)
        let change = try line.change()
        #expect(change.name.utf8.count <= AuditEvent.textLimit + 3)
        #expect(change.summary.utf8.count < 20_000)
    }

    @Test func doesNotCompareTooCostlyObject() throws {
        let wide = "[" + String(repeating: "[],", count: 50_000) + "1]"
        let deep = String(repeating: "[", count: 100) + String(repeating: "]", count: 100)
        for value in [wide, deep, "\"\(String(repeating: "x", count: 100_000))\""] {
            let first = Line(verb: "create", answered: policy(#"{"order":1}"#))
            let change = try Line(verb: "update", answered: policy(#"{"order":\#(value)}"#, version: 2)).change(after: [
                first
            ])
            #expect(change.basis == .nothing)
        }
    }
}

extension Array where Element == UInt8 {
    fileprivate func contains(_ part: String.UTF8View) -> Bool {
        Data(self).range(of: Data(part)) != nil
    }
}
