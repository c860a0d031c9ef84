import Encoding
import FlowModel
import Testing

/// Whole lines, written out by hand from the format's field table.
struct JSONGoldenLineTests {
    /// The part of every line that no record fills: everything behind the packet counters.
    private static let tail = #"""
        "transit_bytes_in":0,"transit_bytes_out":0,"transit_packets_in":0,"transit_packets_out":0,"http_requests_allowed_in":0,"http_requests_denied_in":0,"process_name":"-","num_process_names":0,"process_id":"-","num_process_ids":0,"process_args":["-"],"num_process_args":0,"original_source_ips":null,"num_original_source_ips":0,"tcp_mean_send_congestion_window":0,"tcp_min_send_congestion_window":0,"tcp_mean_smooth_rtt":0,"tcp_max_smooth_rtt":0,"tcp_mean_min_rtt":0,"tcp_max_min_rtt":0,"tcp_mean_mss":0,"tcp_min_mss":0,"tcp_total_retransmissions":0,"tcp_lost_packets":0,"tcp_unrecovered_to":0}
        """#

    /// The counters of ``Sample/record(level:proto:source:destination:action:reporter:)``.
    private static let counters =
        #""policies":null,"bytes_in":3456,"bytes_out":890,"num_flows":5,"num_flows_started":4,"num_flows_completed":3,"#
        + #""packets_in":12,"packets_out":7,"#

    private static let service =
        #""dest_service_namespace":"-","dest_service_name":"-","dest_service_port":"-","#
        + #""dest_service_port_num":null,"dest_domains":null,"#

    private static func line(source: String, destination: String, decision: String) -> String {
        #"{"start_time":1700000000,"end_time":1700000300,"# + source + destination + service + decision + counters
            + tail + "\n"
    }

    @Test func podToWorldAtLevel0() {
        let expected = Self.line(
            source: #""source_ip":"10.0.0.1","source_name":"frontend-755cdc7957-x2x9k","#
                + #""source_name_aggr":"frontend-755cdc7957-*","source_namespace":"shop","nat_outgoing_ports":null,"#
                + #""source_port":41000,"source_type":"wep","#
                + #""source_labels":{"labels":["app=frontend","query=a=b"]},"#,
            destination: #""dest_ip":"8.8.8.8","dest_name":"-","dest_name_aggr":"pub","dest_namespace":"-","#
                + #""dest_port":443,"dest_type":"net","dest_labels":null,"#,
            decision: #""proto":"tcp","action":"allow","reporter":"src","#
        )
        #expect(Sample.line(of: Sample.record()) == expected)
    }

    @Test func deniedAtLevel1() {
        let record = Sample.record(
            level: .sourcePort,
            proto: .udp,
            source: .init(address: IPAddress(192, 168, 0, 9), port: nil, endpoint: Sample.node),
            destination: .init(address: IPAddress(10, 0, 0, 1), port: 53, endpoint: Sample.pod),
            action: .deny,
            reporter: .destination
        )
        let expected = Self.line(
            source: #""source_ip":"192.168.0.9","source_name":"node-1-eth0","source_name_aggr":"node-1","#
                + #""source_namespace":"-","nat_outgoing_ports":null,"source_port":null,"source_type":"hep","#
                + #""source_labels":null,"#,
            destination: #""dest_ip":"10.0.0.1","dest_name":"frontend-755cdc7957-x2x9k","#
                + #""dest_name_aggr":"frontend-755cdc7957-*","dest_namespace":"shop","dest_port":53,"#
                + #""dest_type":"wep","dest_labels":{"labels":["app=frontend","query=a=b"]},"#,
            decision: #""proto":"udp","action":"deny","reporter":"dst","#
        )
        #expect(Sample.line(of: record) == expected)
    }

    @Test func foldedAtLevel2() {
        let record = Sample.record(
            level: .podPrefix,
            source: .init(address: nil, port: nil, endpoint: Sample.pod),
            destination: .init(address: nil, port: 8443, endpoint: Sample.set)
        )
        let expected = Self.line(
            source: #""source_ip":null,"source_name":"-","source_name_aggr":"frontend-755cdc7957-*","#
                + #""source_namespace":"shop","nat_outgoing_ports":null,"source_port":null,"source_type":"wep","#
                + #""source_labels":{"labels":["app=frontend","query=a=b"]},"#,
            destination: #""dest_ip":null,"dest_name":"-","dest_name_aggr":"partners","dest_namespace":"-","#
                + #""dest_port":8443,"dest_type":"ns","dest_labels":{"labels":[]},"#,
            decision: #""proto":"tcp","action":"allow","reporter":"src","#
        )
        #expect(Sample.line(of: record) == expected)
    }

    @Test func unnamedProtocolAtLevel3() {
        let record = Sample.record(
            level: .noDestinationPort,
            proto: IPProtocol(rawValue: 47),
            source: .init(address: nil, port: nil, endpoint: Sample.node),
            destination: .init(address: nil, port: nil, endpoint: Sample.world)
        )
        let expected = Self.line(
            source: #""source_ip":null,"source_name":"-","source_name_aggr":"node-1","source_namespace":"-","#
                + #""nat_outgoing_ports":null,"source_port":null,"source_type":"hep","source_labels":null,"#,
            destination: #""dest_ip":null,"dest_name":"-","dest_name_aggr":"pub","dest_namespace":"-","#
                + #""dest_port":null,"dest_type":"net","dest_labels":null,"#,
            decision: #""proto":"47","action":"allow","reporter":"src","#
        )
        #expect(Sample.line(of: record) == expected)
    }

    /// ICMP has no ports in this format even if the record has; ICMPv6 keeps its type and code.
    @Test(arguments: [(IPProtocol.icmp, "icmp", "null", "null"), (.icmp6, "icmp6", "77", "32768")])
    func messagesInsteadOfPorts(proto: IPProtocol, name: String, sourcePort: String, destinationPort: String) {
        let record = Sample.record(
            proto: proto,
            source: .init(
                address: IPAddress(ipv6High: 0x2001_0db8_0000_0000, low: 1),
                port: 77,
                endpoint: Sample.node
            ),
            destination: .init(
                address: IPAddress(ipv6High: 0xfd00_0000_0000_0000, low: 0x0001_0002_0000_0003),
                port: 0x8000,
                endpoint: Sample.world
            )
        )
        let expected = Self.line(
            source: #""source_ip":"2001:db8::1","source_name":"node-1-eth0","source_name_aggr":"node-1","#
                + #""source_namespace":"-","nat_outgoing_ports":null,"source_port":\#(sourcePort),"#
                + #""source_type":"hep","source_labels":null,"#,
            destination: #""dest_ip":"fd00::1:2:0:3","dest_name":"-","dest_name_aggr":"pub","dest_namespace":"-","#
                + #""dest_port":\#(destinationPort),"dest_type":"net","dest_labels":null,"#,
            decision: #""proto":"\#(name)","action":"allow","reporter":"src","#
        )
        #expect(Sample.line(of: record) == expected)
    }
}
