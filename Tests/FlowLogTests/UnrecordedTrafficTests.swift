import FlowModel
import Testing

@testable import FlowLog

/// Traffic that is in no record is counted by reason.
@Suite struct UnrecordedTrafficTests {
    private static let pod = IPAddress(10, 1, 0, 1)
    private static let outside = IPAddress(192, 0, 2, 1)
    private static let uplink = AggregatorFixture.birth(1, near: outside, far: pod, nearPort: 80, farPort: 40000)

    private static func traffic(_ packets: UInt64, _ bytes: UInt64) -> TrafficCounters {
        TrafficCounters(packets: packets, bytes: bytes)
    }

    @Test func countsRoutedTrafficAsTransit() {
        var fixture = AggregatorFixture()
        fixture.births(Self.uplink)
        fixture.delta(1, ingress: 10, egress: 20)
        #expect(fixture.flush().isEmpty)
        #expect(fixture.aggregator.statistics.unrecorded.transit == Self.traffic(3, 30))
        fixture.delta(1, ingress: 1, egress: 2)
        fixture.ends(1)
        #expect(fixture.aggregator.statistics.unrecorded.transit == Self.traffic(6, 33))
    }

    /// The same connection through the workload's interface is in the records: nothing is missing, inventory or not.
    @Test(arguments: [false, true]) func countsTrafficOfOtherInterfaceAsElsewhere(isKnown: Bool) {
        var fixture = AggregatorFixture()
        if isKnown { fixture.learn { $0.localWorkloads = [Self.pod] } }
        fixture.births(
            AggregatorFixture.birth(
                1,
                near: Self.outside,
                far: Self.pod,
                nearPort: 80,
                farPort: 40000,
                marks: .openedEgress
            )
        )
        fixture.delta(1, ingress: 10, egress: 20)
        fixture.births(AggregatorFixture.birth(2, near: Self.pod, far: Self.outside, role: .workload, interface: 9))
        fixture.delta(2, ingress: 20, egress: 10)
        fixture.ends(1, 2)
        #expect(fixture.flush().count == 1)
        #expect(fixture.aggregator.statistics.unrecorded.transit == .zero)
        #expect(fixture.aggregator.statistics.unrecorded.elsewhere == Self.traffic(3, 30))
    }

    /// A known workload whose interface Weir does not watch.
    @Test func countsWorkloadOnUnwatchedInterfaceAsTransit() {
        var fixture = AggregatorFixture()
        fixture.learn { $0.localWorkloads = [Self.pod] }
        fixture.births(Self.uplink)
        fixture.delta(1, ingress: 10, egress: 20)
        #expect(fixture.flush().isEmpty)
        #expect(fixture.aggregator.statistics.unrecorded.transit == Self.traffic(3, 30))
    }

    @Test func countsTrafficBeforeHostAddressAsTransit() {
        var fixture = AggregatorFixture(own: [])
        fixture.births(AggregatorFixture.birth(1))
        fixture.delta(1, ingress: 10, egress: 20)
        fixture.own([AggregatorFixture.own])
        fixture.delta(1, ingress: 1, egress: 2)
        #expect(fixture.flush().map(\.inbound.bytes) == [1])
        #expect(fixture.aggregator.statistics.unrecorded.transit == Self.traffic(3, 30))
    }

    @Test func countsTrafficOfUnknownFlowID() {
        var fixture = AggregatorFixture()
        fixture.delta(1, ingress: 10, egress: 20)
        #expect(fixture.aggregator.statistics.unrecorded.unknown == Self.traffic(3, 30))
    }
}
