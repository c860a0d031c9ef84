import Encoding
import FlowModel
import Foundation
import Testing

/// The lines of flow records, parsed by Foundation's JSON parser.
struct JSONLineEncoderTests {
    /// The 58 keys in the order of the format, independent of the catalogue.
    private static let keys = """
        start_time end_time source_ip source_name source_name_aggr source_namespace nat_outgoing_ports source_port \
        source_type source_labels dest_ip dest_name dest_name_aggr dest_namespace dest_port dest_type dest_labels \
        dest_service_namespace dest_service_name dest_service_port dest_service_port_num dest_domains proto action \
        reporter policies bytes_in bytes_out num_flows num_flows_started num_flows_completed packets_in packets_out \
        transit_bytes_in transit_bytes_out transit_packets_in transit_packets_out http_requests_allowed_in \
        http_requests_denied_in process_name num_process_names process_id num_process_ids process_args \
        num_process_args original_source_ips num_original_source_ips tcp_mean_send_congestion_window \
        tcp_min_send_congestion_window tcp_mean_smooth_rtt tcp_max_smooth_rtt tcp_mean_min_rtt tcp_max_min_rtt \
        tcp_mean_mss tcp_min_mss tcp_total_retransmissions tcp_lost_packets tcp_unrecovered_to
        """.split(separator: " ").map(String.init)

    private static func parse(_ line: String) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(line.utf8))
        return try #require(object as? [String: Any])
    }

    @Test func writesEachKeyOnceInOrder() throws {
        let line = Sample.line(of: Sample.record())
        var rest = line[...]
        for key in Self.keys {
            let range = try #require(rest.range(of: "\"\(key)\":"), "\(key) is missing or out of order")
            rest = rest[range.upperBound...]
        }
        #expect(Self.keys.count == 58)
        #expect(try Self.parse(line).count == 58)
        #expect(line.hasSuffix("}\n"))
        #expect(!line.dropLast().contains("\n"))
    }

    /// Weir's own fields come last, and only when they are requested.
    @Test func extendedFieldsFollowStandardFields() throws {
        let record = Sample.record()
        let (standard, extended) = (Sample.line(of: record), Sample.line(of: record, extendedFields: true))
        #expect(extended.hasPrefix(standard.dropLast(2) + ",\"dropped_packets_in\":"))
        let parsed = try Self.parse(extended)
        let own = [
            "dropped_packets_in", "dropped_packets_out", "drop_reason", "caused_by", "connect_time_us", "rtt_us",
            "tcp_flags", "dns_latency_us", "container_id", "container_name",
        ]
        #expect(Set(parsed.keys) == Set(Self.keys + own))
        #expect(parsed.count == 68)
    }

    /// An attacker may have chosen the domain names of a destination.
    @Test func boundsLengthOfDestinationDomains() throws {
        var record = Sample.record()
        #expect(Sample.line(of: record).contains(",\"dest_domains\":null,"))
        record.domains = ["a.example.com", "b\\\"\\010.example"]
        #expect(Sample.line(of: record).contains(#","dest_domains":["a.example.com","b\\\"\\010.example"],"#))
        // The line has the first five names as far as they fit; escaped characters take more bytes.
        let long = String(repeating: "\\255", count: 250)
        record.domains = [long, long, "c.example", "d.example", "e.example", "f.example"]
        let parsed = try Self.parse(Sample.line(of: record))
        #expect(parsed["dest_domains"] as? [String] == [long, "c.example", "d.example"])
        record.domains = [long + long]
        #expect(Sample.line(of: record).contains(",\"dest_domains\":null,"))
    }

    /// Any client of an API server can choose the texts of a change in its audit log.
    @Test func boundsLengthOfVerdictCause() throws {
        var record = Sample.record()
        let long = String(repeating: "\u{1}é", count: 10_000)
        record.cause = ChangeCause(auditID: "\"\\\n", object: long, user: long, isLikely: true)
        let parsed = try Self.parse(Sample.line(of: record, extendedFields: true))
        let texts = try #require(parsed["caused_by"] as? [String])
        #expect(texts.count == 4 && texts[0] == "\"\\\n" && texts[3] == "likely")
        #expect(texts[1].hasSuffix("…") && texts[1].utf8.count <= 512)
        record.cause = ChangeCause(auditID: "1", object: "NetworkPolicy a/b", user: "alice", isLikely: false)
        let line = Sample.line(of: record, extendedFields: true)
        #expect(
            line.contains(
                ",\"caused_by\":[\"1\",\"NetworkPolicy a/b\",\"alice\"],\"connect_time_us\":0,\"rtt_us\":0,"
            )
        )
        #expect(!Sample.line(of: record).contains("caused_by"))
    }

    /// If no socket was read, the round-trip time of the handshake is also the minimum round-trip time.
    @Test func writesHandshakeTimesAsMeansInMicroseconds() throws {
        var record = Sample.record()
        record.handshakes = HandshakeTimes(connect: 1500, answer: 400)
        record.handshakes?.add(HandshakeTimes(connect: 501, answer: 101))
        let line = Sample.line(of: record, extendedFields: true)
        #expect(line.contains(",\"connect_time_us\":1000,\"rtt_us\":250,"))
        #expect(line.contains(",\"tcp_mean_min_rtt\":250,\"tcp_max_min_rtt\":400,"))
    }

    @Test(
        arguments: [
            ([], "null"), ([.init(rawValue: 0x02)], #"["SYN"]"#), ([.init(rawValue: 0x15)], #"["FIN","RST","ACK"]"#),
            ([.init(rawValue: 0xff)], #"["FIN","SYN","RST","PSH","ACK","URG","ECE","CWR"]"#),
        ] as [([TCPFlags], String)]
    )
    func writesTCPFlagsAsNames(flags: [TCPFlags], expected: String) {
        var record = Sample.record()
        record.tcpFlags = TCPFlags(flags)
        #expect(Sample.line(of: record, extendedFields: true).contains(",\"tcp_flags\":\(expected),"))
        #expect(!Sample.line(of: record).contains("tcp_flags"))
    }

    @Test(
        arguments: [
            ([], nil, "-", "-"), ([nil], nil, "-", "-"), (["ab"], nil, "ab", "-"),
            (["ab", "ab", nil], "web", "ab", "web"),
            (["ab", "cd"], "web", "*", "*"), (["ab"], "a\"\n", "ab", #"a\"\n"#),
        ] as [([String?], String?, String, String)]
    )
    func takesContainerFromProcesses(ids: [String?], name: String?, id: String, expected: String) {
        var record = Sample.record()
        for id in ids {
            let process = FlowProcess(id: 1, name: ProcessName([0x78]), container: id)
            record.processes?.add(process)
            if record.processes == nil { record.processes = FlowProcesses(process) }
        }
        record.namedContainer = name
        let line = Sample.line(of: record, extendedFields: true)
        #expect(line.hasSuffix(",\"container_id\":\"\(id)\",\"container_name\":\"\(expected)\"}\n"), "\(line)")
    }

    @Test func writesDNSLatencyAsMeanInMicroseconds() {
        var record = Sample.record()
        record.lookups = TCPStatistics.Gauge(100)
        record.lookups?.add(TCPStatistics.Gauge(301))
        #expect(Sample.line(of: record, extendedFields: true).contains(",\"dns_latency_us\":200,"))
    }

    @Test(arguments: AggregationLevel.allCases, [1, 4, 6, 17, 47, 50, 58, 132, 255])
    func parsedFieldsEqualRecord(level: AggregationLevel, proto: Int) throws {
        for source in Sample.endpoints {
            for destination in Sample.endpoints {
                let record = Sample.record(
                    level: level,
                    proto: IPProtocol(rawValue: UInt8(proto)),
                    source: .init(
                        level < .podPrefix ? IPAddress(10, 20, 30, 40) : nil,
                        level < .sourcePort ? 65535 : nil,
                        source
                    ),
                    destination: .init(
                        level < .podPrefix ? IPAddress(ipv6High: 0xfe80 << 48, low: 9) : nil,
                        level < .noDestinationPort ? 1 : nil,
                        destination
                    ),
                    service: proto % 3 == 0 ? Sample.service : nil,
                    natOutgoingPorts: proto % 2 == 0 ? [] : [1024, 1025],
                    action: proto % 2 == 0 ? .allow : .deny,
                    reporter: level == .none ? .source : .destination
                )
                let parsed = try Self.parse(Sample.line(of: record))
                expectNumbers(in: parsed, of: record)
                expectEnd("source", in: parsed, is: record.source, of: record)
                expectEnd("dest", in: parsed, is: record.destination, of: record)
                let names = [1: "icmp", 4: "ipip", 6: "tcp", 17: "udp", 50: "esp", 58: "icmp6", 132: "sctp"]
                #expect(parsed["proto"] as? String == names[proto] ?? String(proto))
                #expect(parsed["action"] as? String == (proto % 2 == 0 ? "allow" : "deny"))
                #expect(parsed["reporter"] as? String == (level == .none ? "src" : "dst"))
                #expect(parsed["process_args"] as? [String] == ["-"])
                #expect(parsed["policies"] is NSNull)
                #expect(parsed["nat_outgoing_ports"] as? [UInt16] == (proto % 2 == 0 ? nil : [1024, 1025]))
                let isService = proto % 3 == 0
                let portIsNamed = isService && level < .noDestinationPort
                #expect(parsed["dest_service_namespace"] as? String == (isService ? "shop" : "-"))
                #expect(parsed["dest_service_name"] as? String == (isService ? "web" : "-"))
                #expect(parsed["dest_service_port"] as? String == (portIsNamed ? "http" : "-"))
                #expect(parsed["dest_service_port_num"] as? Int == (isService ? 80 : nil))
            }
        }
    }

    private func expectNumbers(in parsed: [String: Any], of record: FlowRecord) {
        #expect(parsed["start_time"] as? Int64 == record.startTime)
        #expect(parsed["end_time"] as? Int64 == record.endTime)
        #expect(parsed["bytes_in"] as? UInt64 == record.inbound.bytes)
        #expect(parsed["bytes_out"] as? UInt64 == record.outbound.bytes)
        #expect(parsed["packets_in"] as? UInt64 == record.inbound.packets)
        #expect(parsed["packets_out"] as? UInt64 == record.outbound.packets)
        #expect(parsed["num_flows"] as? UInt64 == record.flows.total)
        #expect(parsed["num_flows_started"] as? UInt64 == record.flows.started)
        #expect(parsed["num_flows_completed"] as? UInt64 == record.flows.completed)
    }

    private func expectEnd(_ prefix: String, in parsed: [String: Any], is end: FlowRecord.End, of record: FlowRecord) {
        let named = record.level < .podPrefix && end.endpoint.kind != .network
        #expect(parsed["\(prefix)_name"] as? String == (named ? end.endpoint.name : "-"))
        #expect(parsed["\(prefix)_name_aggr"] as? String == end.endpoint.aggregatedName)
        #expect(parsed["\(prefix)_namespace"] as? String == end.endpoint.namespace ?? "-")
        #expect(parsed["\(prefix)_type"] as? String == end.endpoint.kind.rawValue)
        let labels = parsed["\(prefix)_labels"] as? [String: [String]]
        #expect(labels == end.labels.map { ["labels": $0.labels] })
        #expect(parsed["\(prefix)_ip"] as? String == end.address.map { $0.isIPv4 ? "10.20.30.40" : "fe80::9" })
        #expect(parsed["\(prefix)_port"] as? Int == (record.proto == .icmp ? nil : end.port.map(Int.init)))
    }

    @Test(arguments: [
        0, 1, 9, 10, 11, 99, 100, 101, 999, 1000, 65535, 99_999_999, 100_000_000, 4_294_967_295, 4_294_967_296,
        999_999_999_999_999_999, 1_000_000_000_000_000_000, 9_999_999_999_999_999_999, 10_000_000_000_000_000_000,
        UInt64.max - 1, UInt64.max,
    ])
    func writesNumbersInDecimal(value: UInt64) {
        var record = Sample.record()
        record.inbound.bytes = value
        record.startTime = Int64(truncatingIfNeeded: value)
        let line = Sample.line(of: record)
        #expect(line.contains(",\"bytes_in\":\(value),"))
        #expect(line.hasPrefix("{\"start_time\":\(record.startTime),"))
    }

    @Test func writesPowersOfTenAndNeighboursInDecimal() {
        var encoder = JSONLineEncoder()
        var buffer = ByteBuffer()
        var power: UInt64 = 1
        for _ in 0..<20 {
            for value in [power - 1, power, power + 1] {
                var record = Sample.record()
                record.outbound.packets = value
                encoder.encode(record, into: &buffer)
                #expect(String(decoding: buffer.take(), as: UTF8.self).contains("\"packets_out\":\(value),"))
            }
            power = power.multipliedReportingOverflow(by: 10).partialValue
        }
    }
}
