import Encoding
import FlowModel
import Testing

/// Whole lines, written out by hand from the format's field table.
struct JSONGoldenLineTests {
    /// The end of every line behind the packet counters; the records of this suite set none of these fields.
    private static let tail = #"""
        "transit_bytes_in":0,"transit_bytes_out":0,"transit_packets_in":0,"transit_packets_out":0,"http_requests_allowed_in":0,"http_requests_denied_in":0,"process_name":"-","num_process_names":0,"process_id":"-","num_process_ids":0,"process_args":["-"],"num_process_args":0,"original_source_ips":null,"num_original_source_ips":0,"tcp_mean_send_congestion_window":0,"tcp_min_send_congestion_window":0,"tcp_mean_smooth_rtt":0,"tcp_max_smooth_rtt":0,"tcp_mean_min_rtt":0,"tcp_max_min_rtt":0,"tcp_mean_mss":0,"tcp_min_mss":0,"tcp_total_retransmissions":0,"tcp_lost_packets":0,"tcp_unrecovered_to":0
        """#

    /// The counters of the sample record.
    private static let counters =
        #""bytes_in":3456,"bytes_out":890,"num_flows":5,"num_flows_started":4,"num_flows_completed":3,"#
        + #""packets_in":12,"packets_out":7,"#

    private static let noService =
        #""dest_service_namespace":"-","dest_service_name":"-","dest_service_port":"-","#
        + #""dest_service_port_num":null,"dest_domains":null,"#

    private static func line(
        source: String,
        destination: String,
        service: String = noService,
        decision: String,
        policies: String = "null",
        extensions: String = ""
    ) -> String {
        #"{"start_time":1700000000,"end_time":1700000300,"# + source + destination + service + decision
            + #""policies":\#(policies),"# + counters + tail + extensions + "}\n"
    }

    /// The line of the sample record as it is without arguments.
    private static func plainLine(policies: String, extensions: String = "") -> String {
        line(
            source: #""source_ip":"10.0.0.1","source_name":"frontend-755cdc7957-x2x9k","#
                + #""source_name_aggr":"frontend-755cdc7957-*","source_namespace":"shop","nat_outgoing_ports":null,"#
                + #""source_port":41000,"source_type":"wep","#
                + #""source_labels":{"labels":["app=frontend","query=a=b"]},"#,
            destination: #""dest_ip":"8.8.8.8","dest_name":"-","dest_name_aggr":"pub","dest_namespace":"-","#
                + #""dest_port":443,"dest_type":"net","dest_labels":null,"#,
            decision: #""proto":"tcp","action":"allow","reporter":"src","#,
            policies: policies,
            extensions: extensions
        )
    }

    @Test func encodesPodToWorldRecordAtLevel0() {
        #expect(Sample.line(of: Sample.record()) == Self.plainLine(policies: "null"))
    }

    /// A line has the enforced hits of one trace, and the pending hits of another.
    @Test(
        arguments: [
            (
                [
                    "0|tigera-security|tigera-security.block-alienvault-ipthreatfeed|pass|1",
                    "1|security|security.security-default-pass|pass|0",
                    "2|platform|platform.platform-default-pass|pass|0",
                    "3|application|yaobank/application.allow-customer|deny|-1",
                ],
                ["0|application|yaobank/staged:application.allow-all|allow|0"],
                #"{"enforced_policies":["0|tigera-security|tigera-security.block-alienvault-ipthreatfeed|pass|1","#
                    + #""1|security|security.security-default-pass|pass|0","#
                    + #""2|platform|platform.platform-default-pass|pass|0","#
                    + #""3|application|yaobank/application.allow-customer|deny|-1"],"#
                    + #""pending_policies":["0|application|yaobank/staged:application.allow-all|allow|0"]}"#
            ),
            (
                ["0|default|knp:shop/web|allow|12", "1|__PROFILE__|pro:kns.shop|allow|0"],
                ["0|default|sknp:shop/web|deny|-1"],
                #"{"enforced_policies":["0|default|knp:shop/web|allow|12","1|__PROFILE__|pro:kns.shop|allow|0"],"#
                    + #""pending_policies":["0|default|sknp:shop/web|deny|-1"]}"#
            ),
            ([], [], #"{"enforced_policies":[],"pending_policies":[]}"#),
            ([""], [], #"{"enforced_policies":[""],"pending_policies":[]}"#),
            (
                [], ["0|a\"b|c\\d|pass|0", "\n\u{1}é"],
                #"{"enforced_policies":[],"pending_policies":["0|a\"b|c\\d|pass|0","\n\u0001é"]}"#
            ),
        ] as [([String], [String], String)]
    )
    func encodesPolicyHits(enforced: [String], pending: [String], expected: String) {
        let other = ["9|not|shown|deny|9"]
        let record = Sample.record(
            policies: .init(
                enforced: PolicyTrace(action: .allow, enforced: enforced, pending: other),
                pending: PolicyTrace(action: .allow, enforced: other, pending: pending)
            )
        )
        #expect(Sample.line(of: record) == Self.plainLine(policies: expected))
        let trace = PolicyTrace(action: .allow, enforced: enforced, pending: pending)
        let sameTrace = Sample.record(policies: .init(enforced: trace, pending: trace))
        #expect(Sample.line(of: sameTrace) == Self.plainLine(policies: expected))
    }

    /// A record of forwarded connections has the third list, also if no policy of the host endpoint matched.
    @Test(
        arguments: [
            ([], "[]"), (["0|default|gnp:pre|allow|0"], #"["0|default|gnp:pre|allow|0"]"#),
            (
                ["0|default|gnp:pre|allow|0", "1|default|gnp:fwd|deny|-1"],
                #"["0|default|gnp:pre|allow|0","1|default|gnp:fwd|deny|-1"]"#
            ),
        ] as [([String], String)]
    )
    func encodesHitsOfForwardedTraffic(transit: [String], expected: String) {
        let (first, second) = (
            PolicyTrace(action: .allow, transit: transit), PolicyTrace(action: .allow, transit: transit)
        )
        for pending in [first, second] {
            let record = Sample.record(reporter: .forward, policies: .init(enforced: first, pending: pending))
            let lists = #"{"enforced_policies":[],"pending_policies":[],"transit_policies":\#(expected)}"#
            let line = Sample.line(of: record)
            #expect(line.contains(#""reporter":"fwd","policies":\#(lists),"bytes_in":"#), "\(line)")
        }
    }

    /// A line has Weir's own fields only if they are requested, and then always all of them.
    @Test(
        arguments: [
            (
                nil,
                #","dropped_packets_in":0,"dropped_packets_out":0,"drop_reason":null,"caused_by":null,"connect_time_us":0,"rtt_us":0,"tcp_flags":null,"dns_latency_us":0,"container_id":"-","container_name":"-""#
            ),
            (
                .init(inbound: 3, outbound: .max, reason: DropReason(name: "NETFILTER_DROP", isDecision: true)),
                #","dropped_packets_in":3,"dropped_packets_out":18446744073709551615,"drop_reason":"NETFILTER_DROP","caused_by":null,"connect_time_us":0,"rtt_us":0,"tcp_flags":null,"dns_latency_us":0,"container_id":"-","container_name":"-""#
            ),
            (
                .init(inbound: 0, outbound: 1, reason: DropReason(name: "a\"b\\c\n", isDecision: false)),
                #","dropped_packets_in":0,"dropped_packets_out":1,"drop_reason":"a\"b\\c\n","caused_by":null,"connect_time_us":0,"rtt_us":0,"tcp_flags":null,"dns_latency_us":0,"container_id":"-","container_name":"-""#
            ),
        ] as [(FlowRecord.Drops?, String)]
    )
    func encodesExtendedFields(drops: FlowRecord.Drops?, expected: String) {
        let record = Sample.record(drops: drops)
        #expect(Sample.line(of: record) == Self.plainLine(policies: "null"))
        let line = Sample.line(of: record, extendedFields: true)
        #expect(line == Self.plainLine(policies: "null", extensions: expected))
    }

    @Test func encodesDeniedRecordAtLevel1() {
        let record = Sample.record(
            level: .sourcePort,
            proto: .udp,
            source: .init(IPAddress(192, 168, 0, 9), nil, Sample.node),
            destination: .init(IPAddress(10, 0, 0, 1), 53, Sample.pod),
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

    @Test func encodesFoldedRecordAtLevel2() {
        let record = Sample.record(
            level: .podPrefix,
            source: .init(nil, nil, Sample.pod),
            destination: .init(nil, 8443, Sample.set)
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

    /// A record with labels, a service and translated ports.
    @Test func encodesFullRecord() {
        let record = Sample.record(
            source: .init(
                address: IPAddress(10, 244, 1, 17),
                port: 40222,
                endpoint: Sample.pod,
                labels: LabelSet(sorted: ["app=frontend"])
            ),
            destination: .init(
                address: IPAddress(10, 244, 2, 9),
                port: 8080,
                endpoint: Sample.pod,
                labels: LabelSet(sorted: ["app=web", "url=http://a?b=c", "zone="])
            ),
            service: Sample.service,
            natOutgoingPorts: [1024, 33000, 65535]
        )
        let expected = Self.line(
            source: #""source_ip":"10.244.1.17","source_name":"frontend-755cdc7957-x2x9k","#
                + #""source_name_aggr":"frontend-755cdc7957-*","source_namespace":"shop","#
                + #""nat_outgoing_ports":[1024,33000,65535],"source_port":40222,"source_type":"wep","#
                + #""source_labels":{"labels":["app=frontend"]},"#,
            destination: #""dest_ip":"10.244.2.9","dest_name":"frontend-755cdc7957-x2x9k","#
                + #""dest_name_aggr":"frontend-755cdc7957-*","dest_namespace":"shop","dest_port":8080,"#
                + #""dest_type":"wep","dest_labels":{"labels":["app=web","url=http://a?b=c","zone="]},"#,
            service: #""dest_service_namespace":"shop","dest_service_name":"web","dest_service_port":"http","#
                + #""dest_service_port_num":80,"dest_domains":null,"#,
            decision: #""proto":"tcp","action":"allow","reporter":"src","#
        )
        #expect(Sample.line(of: record) == expected)
    }

    @Test(
        arguments: [
            (.none, "http", 80, #""http","dest_service_port_num":80"#),
            (.podPrefix, "http", 80, #""http","dest_service_port_num":80"#),
            (.noDestinationPort, "http", 80, #""-","dest_service_port_num":80"#),
            (.none, nil, 65535, #""-","dest_service_port_num":65535"#),
            (.none, "*", 0, #""*","dest_service_port_num":null"#),
        ] as [(AggregationLevel, String?, UInt16, String)]
    )
    func encodesServicePort(level: AggregationLevel, portName: String?, port: UInt16, expected: String) {
        let service = ServicePort(namespace: "*", name: "*", portName: portName, port: port)
        let line = Sample.line(of: Sample.record(level: level, service: service))
        let names = #""dest_service_namespace":"*","dest_service_name":"*","dest_service_port":"#
        #expect(line.contains(names + expected + ","))
    }

    /// The encoder omits ports beyond the limit of the format, and the line remains valid.
    @Test(
        arguments: [
            ([], "null"), ([5], "[5]"), ([1, 65535], "[1,65535]"), ([65533, 65534, 65535], "[65533,65534,65535]"),
            ([1, 2, 3, 4], "[1,2,3]"), ([UInt16](repeating: 65535, count: 10_000), "[65535,65535,65535]"),
        ] as [([UInt16], String)]
    )
    func encodesTranslatedPorts(ports: [UInt16], expected: String) {
        let line = Sample.line(of: Sample.record(natOutgoingPorts: ports))
        #expect(line.contains("\"nat_outgoing_ports\":\(expected),\"source_port\""))
    }

    @Test func encodesUnnamedProtocolAtLevel3() {
        let record = Sample.record(
            level: .noDestinationPort,
            proto: IPProtocol(rawValue: 47),
            source: .init(nil, nil, Sample.node),
            destination: .init(nil, nil, Sample.world)
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

    /// In this format, ICMP has no ports even if the record has some; ICMPv6 has its type and code as ports.
    @Test(arguments: [(IPProtocol.icmp, "icmp", "null", "null"), (.icmp6, "icmp6", "77", "32768")])
    func encodesPortsOfICMPMessages(proto: IPProtocol, name: String, sourcePort: String, destinationPort: String) {
        let record = Sample.record(
            proto: proto,
            source: .init(IPAddress(ipv6High: 0x2001_0db8_0000_0000, low: 1), 77, Sample.node),
            destination: .init(
                IPAddress(ipv6High: 0xfd00_0000_0000_0000, low: 0x0001_0002_0000_0003),
                0x8000,
                Sample.world
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
