import FlowModel
import Foundation
import Records
import Testing

@testable import Store

/// Lines that are recognised by their bytes have the same contents as lines that are parsed as JSON.
@Suite struct KnownLineTests {
    /// The contents of a line, and whether it is a record.
    private struct Outcome: Hashable {
        var key: [UInt8] = []
        var detail: [UInt8] = []
        var start: Int64 = 0
        var end: Int64 = 0
        var counters: [UInt64] = []
        var isRecord = false
    }

    /// Splits lines one after another, and stores their keys as the store does.
    private struct Reader {
        var splitter = RecordSplitter()
        var keys = ByteTable()
        var recognised = 0

        mutating func read(_ line: String) -> Outcome {
            // Bytes before and behind the line, so that offsets in the line differ from offsets in the batch.
            let bytes = Array("{}\n\(line)\n".utf8)
            let range = 3..<bytes.count - 1
            guard (try? splitter.split(bytes, range)) != nil else { return Outcome() }
            var number = splitter.keyNumber
            if number == nil {
                number = keys.number(of: splitter.key)?.number
                splitter.remember(number ?? 0, bytes, range)
            } else {
                recognised += 1
            }
            return Outcome(
                key: keys.bytes(of: number ?? 0),
                detail: splitter.detail,
                start: splitter.start,
                end: splitter.end,
                counters: splitter.counters,
                isRecord: true
            )
        }
    }

    /// Parses a line as JSON, with a reader that has read no other line.
    private func fresh(_ line: String) -> Outcome {
        var reader = Reader()
        return reader.read(line)
    }

    private func line(_ number: Int, _ traffic: Int) -> String {
        recordLine([
            .startTime: "\(1_764_338_400 + traffic)", .endTime: "\(1_764_338_410 + traffic)",
            .sourceNameAggr: "\"client-\(number)-*\"", .sourceLabels: "{\"labels\":[\"app=a\\\"b\",\"x=\\u00e9\"]}",
            .bytesIn: "\(traffic * 7)", .numFlows: "\(traffic % 3)", .tcpMeanMSS: "\(traffic % 1500)",
            .processName: number % 2 == 0 ? "\"nginx\"" : "\"-\"", .numProcessNames: "\(number % 2)",
            .sourceIP: number % 3 == 0 ? "\"10.0.0.\(number)\"" : "null",
        ])
    }

    @Test func recognisesSecondLineOfFlowKey() {
        var reader = Reader()
        for number in 0..<20 { #expect(reader.read(line(number, 1)) == fresh(line(number, 1))) }
        #expect(reader.recognised == 0)
        for traffic in 2..<50 {
            for number in 0..<20 { #expect(reader.read(line(number, traffic)) == fresh(line(number, traffic))) }
        }
        #expect(reader.recognised == 48 * 20)
    }

    @Test(
        "repeated, nested and malformed members are read as in JSON",
        arguments: [
            // Of a repeated member, the last one counts.
            (#","dest_domains":null"#, #","dest_domains":null,"bytes_in":9"#),
            (#"}"#, #","bytes_in":9}"#), (#"}"#, #","end_time":9}"#), (#"}"#, #","source_ip":"10.0.0.9"}"#),
            // A member of a nested object is no member of the record.
            (#","bytes_in":"#, #","other":{"bytes_in":5,"bytes_out":1},"bytes_in":"#),
            (#","bytes_in":7,"#, #","other":{"a":1,"bytes_in":7,"#),
            (#","proto":"#, #","x":[1,"bytes_in",2],"proto":"#),
            // Text in a string is no member.
            (#""nginx""#, #"",\"bytes_in\":5,""#), (#""nginx""#, #"",\"tcp_mean_send_congestion_window\":1""#),
            (#""bytes_in":7"#, #""bytes_in":07"#), (#""bytes_in":7"#, #""bytes_in":-7"#),
            (#""bytes_in":7"#, #""bytes_in":7.5"#), (#""bytes_in":7"#, #""bytes_in":7e1"#),
            (#""bytes_in":7"#, #""bytes_in":"7""#), (#""bytes_in":7"#, #""bytes_in":null"#),
            (#""bytes_in":7"#, #""bytes_in":18446744073709551615"#),
            (#""bytes_in":7"#, #""bytes_in":18446744073709551616"#),
            (#""bytes_in":7"#, #""bytes_in":99999999999999999999999999"#), (#""bytes_in":7"#, #""bytes_in": 7"#),
            (#""end_time":1764338411"#, #""end_time":137438953473"#), (#""end_time":1764338411"#, #""end_time":5"#),
            (#""end_time":1764338411"#, #""end_time":0"#), (#"}"#, #"} "#), (#"}"#, #"}}"#), (#"}"#, #""#),
            (#"{"start_time":"#, #" {"start_time":"#), (#"{"start_time":"#, #"{"a":1,"start_time":"#),
        ]
    )
    func readsUnusualLinesAsJSON(part: String, other: String) throws {
        let usual = line(0, 1)
        let place = try #require(part == "}" ? usual.range(of: part, options: .backwards) : usual.range(of: part))
        let unusual = usual.replacingCharacters(in: place, with: other)
        // The unusual line is read before and after usual lines, and twice in a row.
        var reader = Reader()
        for line in [unusual, usual, line(0, 2), unusual, unusual, line(0, 3)] {
            #expect(reader.read(line) == fresh(line), "\(line)")
        }
    }

    @Test func recognisedRandomLinesEqualParsedLines() {
        var random = Numbers(state: 20_261_129)
        var reader = Reader()
        let pieces = [
            ",\"bytes_in\":", "\"bytes_in\":3", "\\\"", "\"", "{", "}", "[", "]", ",", ":", "0", "00", "9", "-1", "1e2",
            "null", ",\"tcp_mean_send_congestion_window\":", ",\"end_time\":1", "\\", "\u{1}", " ", "\u{e9}", "x",
            "18446744073709551616", ",\"packets_out\":4", ",\"transit_bytes_in\":0",
        ].map { Array($0.utf8) }
        for _ in 0..<6_000 {
            var text = Array(line(Int(random.next() % 6), Int(random.next() % 100)).utf8)
            for _ in 0..<random.next() % 3 {
                let place = Int(random.next() % UInt64(text.count))
                switch random.next() % 4 {
                case 0: text.remove(at: place)
                case 1: text.removeSubrange(place..<min(text.count, place + Int(random.next() % 40)))
                default: text.insert(contentsOf: pieces[Int(random.next() % UInt64(pieces.count))], at: place)
                }
                if text.isEmpty { text = [0x7b] }
            }
            let line = String(decoding: text, as: UTF8.self)
            #expect(reader.read(line) == fresh(line), "\(line)")
            // The same text again with other traffic.
            let packets = "\"packets_in\":\(random.next() % 1000)"
            let again = line.replacingOccurrences(of: "\"packets_in\":0", with: packets)
            #expect(reader.read(again) == fresh(again), "\(again)")
        }
        #expect(reader.recognised > 1_000)
    }

    @Test func pausesRecognitionAfterManyUniqueLines() {
        var reader = Reader()
        let name = String(repeating: "n", count: 8_000)
        for number in 0..<6_000 {
            let line = recordLine([.endTime: "\(number)", .sourceNameAggr: "\"\(name)\(number)\""])
            #expect(reader.read(line).end == Int64(number))
        }
        // From then on, the reader recognises no line for a while, and parses each one.
        #expect(reader.recognised == 0)
        #expect(reader.read(line(1, 1)) == fresh(line(1, 1)))
        #expect(reader.read(line(1, 2)) == fresh(line(1, 2)))
        #expect(reader.recognised == 0)
    }

    /// SplitMix64.
    private struct Numbers {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return value ^ value >> 31
        }
    }
}
