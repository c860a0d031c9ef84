import Encoding
import FlowModel
import Foundation
import Testing

/// Random records in many flushes of one encoder, parsed by Foundation's JSON parser.
///
/// There are few enough traces and reasons for repetitions, and enough of them for evictions from the encoder's cache.
/// Their texts have characters of all kinds, and many lengths.
struct RandomRecordTests {
    /// xorshift64*: the same records in every run.
    private struct Chance: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state ^= state >> 12
            state ^= state << 25
            state ^= state >> 27
            return state &* 0x2545_f491_4f6c_dd1d
        }

        mutating func text() -> String {
            let alphabet: [Unicode.Scalar] = ["a", "|", "/", ".", "\"", "\\", "\n", "\u{0}", "\u{1f}", "é", "😀", "-"]
            let length = Bool.random(using: &self) ? Int.random(in: 0...20, using: &self) : Int(next() % 200)
            var text = ""
            for _ in 0..<length { text.unicodeScalars.append(alphabet[Int(next() % UInt64(alphabet.count))]) }
            return text
        }

        mutating func texts() -> [String] {
            (0..<Int.random(in: 0...6, using: &self)).map { _ in text() }
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64], [false, true])
    func parsedLinesEqualRecords(seed: UInt64, extendedFields: Bool) throws {
        var chance = Chance(state: seed)
        let traces = (0..<40).map { _ in
            PolicyTrace(action: .allow, enforced: chance.texts(), pending: chance.texts())
        }
        // A name of 40 characters fits into a record however it is escaped.
        let reasons = (0..<5).map { _ in
            let name = String.UnicodeScalarView(chance.text().unicodeScalars.prefix(40))
            return DropReason(name: String(name), isDecision: true)
        }
        var encoder = JSONLineEncoder(extendedFields: extendedFields)
        var buffer = ByteBuffer(capacity: 64)
        for flush in 0..<30 {
            // Some flushes name few traces and some many.
            let named = traces.prefix(flush % 3 == 0 ? 3 : traces.count)
            let records = (0..<20).map { _ in record(named, reasons, &chance) }
            for record in records { encoder.encode(record, into: &buffer) }
            encoder.forgetUnused()
            let lines = buffer.take().split(separator: UInt8(ascii: "\n"))
            try #require(lines.count == records.count)
            for (line, record) in zip(lines, records) { try expect(line, is: record, extended: extendedFields) }
        }
    }

    private func record(
        _ traces: ArraySlice<PolicyTrace>,
        _ reasons: [DropReason],
        _ chance: inout Chance
    ) -> FlowRecord {
        var record = Sample.record(service: Bool.random(using: &chance) ? Sample.service : nil)
        if let enforced = traces.randomElement(using: &chance), let other = traces.randomElement(using: &chance) {
            switch chance.next() % 3 {
            case 0: break
            case 1: record.policies = .init(enforced: enforced, pending: enforced)
            default: record.policies = .init(enforced: enforced, pending: other)
            }
        }
        if let reason = reasons.randomElement(using: &chance), Bool.random(using: &chance) {
            record.drops = .init(inbound: chance.next() >> (chance.next() % 64), outbound: .max, reason: reason)
        }
        if Bool.random(using: &chance) { record.tcp = statistics(&chance) }
        if Bool.random(using: &chance) { record.processes = processes(&chance) }
        return record
    }

    private func statistics(_ chance: inout Chance) -> TCPStatistics {
        var statistics = TCPStatistics()
        for _ in 0..<Int.random(in: 1...3, using: &chance) {
            var one = TCPStatistics()
            one.window = .init(UInt32(truncatingIfNeeded: chance.next()))
            one.rtt = .init(UInt32(truncatingIfNeeded: chance.next()))
            one.minRTT = .init(UInt32(truncatingIfNeeded: chance.next()))
            one.mss = .init(UInt32(truncatingIfNeeded: chance.next() % 2))
            one.retransmissions = chance.next() >> (chance.next() % 64)
            one.lost = chance.next() >> 8
            one.timeouts = chance.next() % 3
            statistics.add(one)
        }
        return statistics
    }

    /// Returns processes with names of random bytes, since a process can choose its name.
    private func processes(_ chance: inout Chance) -> FlowProcesses {
        func one() -> FlowProcess {
            let bytes = (0..<Int.random(in: 0...15, using: &chance)).map { _ in UInt8(truncatingIfNeeded: chance.next())
            }
            let path = Bool.random(using: &chance) ? "/" + text(&chance) : nil
            let arguments = Bool.random(using: &chance) ? text(&chance) : nil
            let name = ProcessName(ProcessName(bytes), path: path)
            return FlowProcess(id: UInt32(truncatingIfNeeded: chance.next()), name: name, arguments: arguments)
        }
        var processes = FlowProcesses(one())
        for _ in 0..<Int.random(in: 0...7, using: &chance) { processes.add(one()) }
        return processes
    }

    /// Returns a text of up to the maximum length, of any characters.
    private func text(_ chance: inout Chance) -> String {
        let count = [3, 40, 65536][Int.random(in: 0...2, using: &chance)]
        let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func expect(_ parsed: [String: Any], has processes: FlowProcesses?) {
        let name = processes.map { $0.name?.text ?? "*" } ?? "-"
        expect(parsed["process_name"], is: name)
        #expect(parsed["process_id"] as? String == processes.map { $0.id.map(String.init) ?? "*" } ?? "-")
        #expect(parsed["num_process_names"] as? Int == processes?.nameCount ?? 0)
        #expect(parsed["num_process_ids"] as? Int == processes?.count ?? 0)
        let arguments = processes?.arguments ?? []
        let written = parsed["process_args"] as? [Any] ?? []
        #expect(written.count == max(1, arguments.count) && arguments.count <= FlowProcesses.argumentLimit)
        for (written, text) in zip(written, arguments.isEmpty ? ["-"] : arguments) { expect(written, is: text) }
        #expect(parsed["num_process_args"] as? Int == processes?.argumentCount ?? 0)
    }

    /// Compares a written text with its source; the encoder may have cut off a long one.
    private func expect(_ written: Any?, is text: String) {
        guard let written = written as? String else { return #expect(written is String) }
        let scalars = Array(written.unicodeScalars)
        if scalars.count == text.unicodeScalars.count { return #expect(scalars == Array(text.unicodeScalars)) }
        #expect(scalars.last == "…" && text.unicodeScalars.starts(with: scalars.dropLast()) && scalars.count > 40)
    }

    private func expect(_ parsed: [String: Any], has tcp: TCPStatistics?) {
        let expected: [String: UInt64?] = [
            "mean_send_congestion_window": tcp?.window.mean,
            "min_send_congestion_window": tcp.map { UInt64($0.window.smallest) },
            "mean_smooth_rtt": tcp?.rtt.mean, "max_smooth_rtt": tcp.map { UInt64($0.rtt.largest) },
            "mean_min_rtt": tcp?.minRTT.mean, "max_min_rtt": tcp.map { UInt64($0.minRTT.largest) },
            "mean_mss": tcp?.mss.mean, "min_mss": tcp.map { UInt64($0.mss.smallest) },
            "total_retransmissions": tcp?.retransmissions, "lost_packets": tcp?.lost, "unrecovered_to": tcp?.timeouts,
        ]
        for (name, value) in expected { #expect(parsed["tcp_\(name)"] as? UInt64 == value ?? 0, "\(name)") }
    }

    private func expect(_ line: ArraySlice<UInt8>, is record: FlowRecord, extended: Bool) throws {
        let object = try JSONSerialization.jsonObject(with: Data(line))
        let parsed = try #require(object as? [String: Any])
        #expect(parsed.count == (extended ? 68 : 58))
        let policies = parsed["policies"] as? [String: [String]]
        #expect(policies?.count == record.policies.map { _ in 2 })
        #expect(scalars(policies?["enforced_policies"]) == scalars(record.policies?.enforced.enforced))
        #expect(scalars(policies?["pending_policies"]) == scalars(record.policies?.pending.pending))
        #expect((parsed["policies"] is NSNull) == (record.policies == nil))
        #expect(parsed["bytes_in"] as? UInt64 == record.inbound.bytes)
        expect(parsed, has: record.tcp)
        expect(parsed, has: record.processes)
        #expect(parsed["dropped_packets_in"] as? UInt64 == (extended ? record.drops?.inbound ?? 0 : nil))
        #expect(parsed["dropped_packets_out"] as? UInt64 == (extended ? record.drops?.outbound ?? 0 : nil))
        let reason = (parsed["drop_reason"] as? String).map { [$0] }
        #expect(scalars(reason) == (extended ? scalars(record.drops.map { [$0.reason.name] }) : nil))
        #expect((parsed["drop_reason"] is NSNull) == (extended && record.drops == nil))
    }

    /// Texts are compared as scalars: equality of strings would accept another normal form.
    private func scalars(_ texts: [String]?) -> [[Unicode.Scalar]]? {
        texts.map { $0.map { Array($0.unicodeScalars) } }
    }
}
