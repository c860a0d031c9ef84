import Encoding
import FlowModel
import Testing

@testable import FlowLog

/// Packets that the datapath counted in no flow are in the records of their interface's endpoint.
@Suite struct RemainderTests {
    private static let pod = Endpoint(
        kind: .workload,
        name: "web-1",
        aggregatedName: "web-*",
        namespace: "shop",
        labels: LabelSet(sorted: ["app=web", "zone=a"])
    )
    private static let sibling = Endpoint(
        kind: .workload,
        name: "web-2",
        aggregatedName: "web-*",
        namespace: "shop",
        labels: LabelSet(sorted: ["app=web", "zone=b"])
    )
    private static let podAddress = IPAddress(10, 1, 0, 1)
    private static let siblingAddress = IPAddress(10, 1, 0, 2)

    private static func remainder(
        _ address: IPAddress?,
        interface: UInt32 = 7,
        role: InterfaceRole = .workload,
        ingress: UInt64 = 0,
        egress: UInt64 = 0,
        deniedIngress: UInt64 = 0,
        deniedEgress: UInt64 = 0
    ) -> FlowRemainder {
        FlowRemainder(
            interfaceIndex: interface,
            role: role,
            local: address,
            ingress: traffic(ingress),
            egress: traffic(egress),
            deniedIngress: traffic(deniedIngress),
            deniedEgress: traffic(deniedEgress)
        )
    }

    /// Makes counters of packets of 100 bytes each.
    private static func traffic(_ packets: UInt64) -> TrafficCounters {
        TrafficCounters(packets: packets, bytes: packets * 100)
    }

    private func fixture(level: AggregationLevel = .podPrefix) -> AggregatorFixture {
        var fixture = AggregatorFixture(level: level)
        fixture.learn { resolver in
            resolver.owners[Self.podAddress] = Self.pod
            resolver.owners[Self.siblingAddress] = Self.sibling
        }
        return fixture
    }

    /// `src>dst reporter action in/out num_flows` of each record, sorted.
    private func texts(_ records: [FlowRecord]) -> [String] {
        records.map { record in
            let source = record.source.endpoint
            let destination = record.destination.endpoint
            return "\(source.kind.rawValue) \(source.aggregatedName) > \(destination.kind.rawValue) "
                + "\(destination.aggregatedName) \(record.reporter.rawValue) \(record.action.rawValue) "
                + "in \(record.inbound.packets) out \(record.outbound.packets) flows \(record.flows.total)"
        }
        .sorted()
    }

    @Test func workloadRemainderGivesOneRecordPerDirection() {
        var fixture = fixture()
        fixture.batch { $0.remainders = [Self.remainder(Self.podAddress, ingress: 5, egress: 3)] }
        fixture.batch { $0.remainders = [Self.remainder(Self.podAddress, ingress: 2)] }
        #expect(
            texts(fixture.flush()) == [
                "net - > wep web-* dst allow in 3 out 0 flows 0",
                "wep web-* > net - src allow in 0 out 7 flows 0",
            ]
        )
        #expect(fixture.flush(at: 300).isEmpty)
        #expect(fixture.aggregator.statistics.remainder == Self.traffic(10))
    }

    @Test func hostRemainderReversesDirections() {
        var fixture = fixture()
        fixture.batch { $0.remainders = [Self.remainder(AggregatorFixture.own, role: .host, ingress: 5, egress: 3)] }
        #expect(
            texts(fixture.flush()) == [
                "hep node > net - src allow in 0 out 3 flows 0",
                "net - > hep node dst allow in 5 out 0 flows 0",
            ]
        )
    }

    @Test func remainderWithoutAddressHasUnknownEnds() {
        var fixture = fixture()
        fixture.batch { $0.remainders = [Self.remainder(nil, ingress: 5)] }
        #expect(texts(fixture.flush()) == ["net - > net - src allow in 0 out 5 flows 0"])
    }

    @Test func podsOfOneNameShareRecordWithCommonLabels() {
        var fixture = fixture()
        fixture.batch { batch in
            batch.remainders = [
                Self.remainder(Self.podAddress, interface: 7, ingress: 5),
                Self.remainder(Self.siblingAddress, interface: 8, ingress: 4),
            ]
        }
        let records = fixture.flush()
        #expect(texts(records) == ["wep web-* > net - src allow in 0 out 9 flows 0"])
        #expect(records.first?.source.labels?.labels == ["app=web"])
        #expect(records.first?.source.address == nil)
    }

    @Test func recordsHaveAddressesBelowLevelTwo() {
        var fixture = fixture(level: .sourcePort)
        fixture.batch { batch in
            batch.remainders = [
                Self.remainder(Self.podAddress, interface: 7, ingress: 5),
                Self.remainder(Self.siblingAddress, interface: 8, ingress: 4),
            ]
        }
        let records = fixture.flush()
        #expect(Set(records.map(\.source.address)) == [Self.podAddress, Self.siblingAddress])
        #expect(records.allSatisfy { $0.destination.address == nil && $0.source.port == nil })
    }

    /// Unknown values are those that the format has for them, so that a reader needs no new rule.
    @Test func encodesUnknownValuesOfRemainder() throws {
        var fixture = fixture()
        fixture.batch { $0.remainders = [Self.remainder(Self.podAddress, ingress: 5)] }
        var encoder = JSONLineEncoder()
        var lines = ByteBuffer(capacity: 4096)
        for record in fixture.flush() { encoder.encode(record, into: &lines) }
        let line = String(decoding: lines.take(), as: UTF8.self)
        for part in [
            #""dest_ip":null,"dest_name":"-","dest_name_aggr":"-","dest_namespace":"-""#,
            #""dest_port":null,"dest_type":"net","dest_labels":null"#, #""source_port":null"#,
            #""source_name_aggr":"web-*","source_namespace":"shop""#, #""proto":"0","action":"allow","reporter":"src""#,
            #""bytes_in":0,"bytes_out":500,"num_flows":0,"num_flows_started":0,"num_flows_completed":0"#,
        ] {
            #expect(line.contains(part), "\(part) in \(line)")
        }
    }
}

// MARK: - Denied

extension RemainderTests {
    @Test func subtractsDeniedFromCountedPackets() {
        var fixture = fixture()
        fixture.batch { batch in
            batch.remainders = [
                Self.remainder(Self.podAddress, ingress: 5, egress: 1, deniedIngress: 2, deniedEgress: 4)
            ]
        }
        #expect(
            texts(fixture.flush()) == [
                "net - > wep web-* dst allow in 1 out 0 flows 0",
                "net - > wep web-* dst deny in 4 out 0 flows 0",
                "wep web-* > net - src allow in 0 out 3 flows 0",
                "wep web-* > net - src deny in 0 out 2 flows 0",
            ]
        )
        #expect(fixture.aggregator.statistics.unrecordedDenials == 0)
    }

    /// The kernel may report a drop one interval before its packet is counted.
    @Test func earlyDenialAppliesToNextInterval() {
        var fixture = fixture()
        fixture.batch { $0.remainders = [Self.remainder(Self.podAddress, ingress: 1, deniedIngress: 3)] }
        #expect(texts(fixture.flush(at: 200)) == ["wep web-* > net - src deny in 0 out 1 flows 0"])
        fixture.batch { $0.remainders = [Self.remainder(Self.podAddress, ingress: 5)] }
        #expect(
            texts(fixture.flush(at: 300)) == [
                "wep web-* > net - src allow in 0 out 3 flows 0",
                "wep web-* > net - src deny in 0 out 2 flows 0",
            ]
        )
        #expect(fixture.aggregator.statistics.unrecordedDenials == 0)
    }

    /// A denied packet that was counted in a flow is never in the remainder: it must not turn later packets into denied ones.
    @Test func countsUnmatchedDenialAsUnrecorded() {
        var fixture = fixture()
        fixture.batch { $0.remainders = [Self.remainder(Self.podAddress, deniedIngress: 3)] }
        #expect(fixture.flush(at: 200).isEmpty)
        #expect(fixture.flush(at: 300).isEmpty)
        #expect(fixture.aggregator.statistics.unrecordedDenials == 3)
        fixture.batch { $0.remainders = [Self.remainder(Self.podAddress, ingress: 5)] }
        #expect(texts(fixture.flush(at: 400)) == ["wep web-* > net - src allow in 0 out 5 flows 0"])
    }

    /// The records have each counted packet once, and denied packets that were never counted in addition.
    @Test func totalsMatchCountedPackets() {
        var random = SplitMix64(seed: 1)
        var fixture = fixture()
        var counted = TrafficCounters.zero
        var uncounted = TrafficCounters.zero
        var recorded = TrafficCounters.zero
        for step in 0..<500 as Range<Int64> {
            fixture.batch { batch in
                batch.remainders = (0..<3).map { pod in
                    Self.remainder(
                        IPAddress(10, 1, 0, UInt8(pod)),
                        interface: UInt32(pod),
                        role: pod == 0 ? .host : .workload,
                        ingress: .random(in: 0..<9, using: &random),
                        egress: .random(in: 0..<9, using: &random),
                        deniedIngress: .random(in: 0..<5, using: &random),
                        deniedEgress: .random(in: 0..<2, using: &random)
                    )
                }
                for remainder in batch.remainders {
                    counted += remainder.ingress + remainder.egress
                    uncounted += remainder.deniedEgress
                }
            }
            if step % 7 == 6 {
                for record in fixture.flush(at: 200 + step) { recorded += record.inbound + record.outbound }
            }
        }
        for record in fixture.flush(at: 1000) { recorded += record.inbound + record.outbound }
        #expect(recorded == counted + uncounted)
    }
}
