import Encoding
import Filter
import FlowModel
import Query
import Records
import Store
import Testing

/// A filter selects the same records of a run, of its lines with and without extended fields, and of a store.
@Suite struct FilterAgreementTests {
    /// A record in which Weir's own counters are 0.
    private static let quiet: FlowRecord = {
        let end = FlowRecord.End(
            address: nil,
            port: nil,
            endpoint: Endpoint(kind: .network, name: "-", aggregatedName: "pvt"),
            labels: nil
        )
        return FlowRecord(
            startTime: bankStart,
            endTime: bankStart + 10,
            level: .none,
            source: end,
            destination: end,
            proto: .tcp,
            action: .allow,
            reporter: .source,
            inbound: TrafficCounters(packets: 1, bytes: 60),
            outbound: TrafficCounters(packets: 1, bytes: 60),
            flows: FlowCounts(total: 1, started: 1, completed: 1)
        )
    }()

    /// A record in which none of them is.
    private static let eventful: FlowRecord = {
        var record = quiet
        record.drops = .init(inbound: 3, outbound: 2, reason: DropReason(name: "NO_SOCKET", isDecision: false))
        record.handshakes = HandshakeTimes(connect: 1_500, answer: 400)
        record.lookups = TCPStatistics.Gauge(900)
        record.tcpFlags = TCPFlags(rawValue: 2)
        record.processes = FlowProcesses(
            FlowProcess(id: 7, name: ProcessName(Array("curl".utf8)), arguments: "curl a")
        )
        return record
    }()

    private static func line(_ record: FlowRecord, extendedFields: Bool) -> String {
        var encoder = JSONLineEncoder(extendedFields: extendedFields)
        var buffer = ByteBuffer()
        encoder.encode(record, into: &buffer)
        return String(String(decoding: buffer.take(), as: UTF8.self).dropLast())
    }

    private static func stored(_ line: String, _ filter: Filter) throws -> Bool {
        let (reader, _) = try store([line])
        let list = try reader.read { snapshot in
            try RecordList(snapshot, since: 0, until: 1 << 36, filter: filter, newestFirst: false, limit: 1)
        }
        return !list.records.isEmpty
    }

    @Test(arguments: [
        ("dropped_packets_in != 0", false, true), ("dropped_packets_in == 0", true, false),
        ("dropped_packets_out not in {0, 1}", false, true), ("rtt_us == 0", true, false),
        ("rtt_us > 0 && rtt_us < 1000", false, true), ("connect_time_us < 1000", true, false),
        ("dns_latency_us >= 900", false, true), ("has(rtt_us)", true, true), ("!has(dropped_packets_in)", false, false),
        ("has(drop_reason)", false, true), ("drop_reason != 'NO_SOCKET'", true, false), ("has(tcp_flags)", false, true),
        ("has(caused_by)", false, false), ("has(process_args)", false, true), ("process_args == '-'", true, false),
        ("container_id == '-' && container_name == '-'", true, true), ("has(dest_domains)", false, false),
        ("num_process_args == 0 && bytes_in == 60", true, false), ("has(dest_port)", false, false),
    ])
    func everySourceHasSameResult(text: String, ofQuiet: Bool, ofEventful: Bool) throws {
        let filter = try Filter(text)
        for (record, expected) in [(Self.quiet, ofQuiet), (Self.eventful, ofEventful)] {
            #expect(filter.matches(record) == expected)
            let line = Self.line(record, extendedFields: true)
            #expect(try filter.matches(ReadRecord(Array(line.utf8))) == expected)
            #expect(try Self.stored(line, filter) == expected)
        }
        // Nothing is lost of a record whose own fields are all empty.
        let line = Self.line(Self.quiet, extendedFields: false)
        #expect(try filter.matches(ReadRecord(Array(line.utf8))) == ofQuiet)
        #expect(try Self.stored(line, filter) == ofQuiet)
    }

    /// A line without a field, or with null, has its empty value.
    @Test(arguments: [
        ("has(process_args)", false), ("process_args == '-'", true), ("num_process_args == 0", true),
        ("num_flows < 1", true), ("has(dest_port)", false), ("dest_port != 0", true), ("has(dest_domains)", false),
    ])
    func missingFieldHasEmptyValue(text: String, expected: Bool) throws {
        let filter = try Filter(text)
        let names = ["process_args", "num_process_args", "num_flows", "dest_port", "dest_domains"]
        let nulls = names.map { ",\"\($0)\":null" }.joined()
        for line in ["{\"end_time\":\(bankStart)}", "{\"end_time\":\(bankStart)\(nulls)}"] {
            #expect(try filter.matches(ReadRecord(Array(line.utf8))) == expected, "\(line)")
            #expect(try Self.stored(line, filter) == expected, "\(line)")
        }
    }
}
