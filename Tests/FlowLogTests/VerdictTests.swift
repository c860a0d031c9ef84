import FlowModel
import Testing

@testable import FlowLog

/// Aspects of verdicts that scenarios cannot show: statistics, disagreements, and several flow IDs in one batch.
@Suite struct VerdictTests {
    private static let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)
    private static let client = AggregatorFixture.workload
    private static let server = IPAddress(10, 1, 0, 2)

    private static func drop(
        _ flowID: UInt32,
        ingress: UInt64 = 0,
        egress: UInt64 = 0,
        destination: FlowDrop.Destination? = nil
    ) -> FlowDrop {
        FlowDrop(
            flowID: flowID,
            deniedIngress: TrafficCounters(packets: ingress, bytes: ingress * 60),
            deniedEgress: TrafficCounters(packets: egress, bytes: egress * 60),
            destination: destination,
            decision: reason
        )
    }

    private static func delta(_ flowID: UInt32, ingress: UInt64 = 0, egress: UInt64 = 0) -> FlowDelta {
        FlowDelta(
            flowID: flowID,
            ingress: TrafficCounters(packets: ingress, bytes: ingress * 60),
            egress: TrafficCounters(packets: egress, bytes: egress * 60)
        )
    }

    /// A pod's call, seen on its interface.
    private static func call(_ flowID: UInt32, port: UInt16 = 40000, to server: IPAddress = server) -> FlowBirth {
        AggregatorFixture.birth(flowID, near: client, far: server, nearPort: port, role: .workload, interface: 3)
    }

    private static func policies(
        _ generation: UInt64,
        egress: PolicyTrace? = nil,
        ingress: PolicyTrace? = nil
    ) -> FakeEvaluator {
        FakeEvaluator(generation: generation) { _ in (egress, ingress) }
    }

    private static let allow = PolicyTrace(enforced: ["0|d|d.a|allow|0"])
    private static let deny = PolicyTrace(enforced: ["0|d|d.b|deny|-1"])

    // MARK: The pod's own node

    @Test func trafficFromOwnNodeIsNotEvaluated() {
        var fixture = AggregatorFixture()
        fixture.learn { $0.localWorkloads = [Self.client] }
        fixture.aggregator.use(Self.policies(1, egress: Self.deny, ingress: Self.deny))
        fixture.births(
            AggregatorFixture.birth(
                0,
                near: Self.client,
                far: AggregatorFixture.own,
                nearPort: 8080,
                farPort: 40000,
                role: .workload,
                marks: .openedEgress
            )
        )
        #expect(fixture.flush().map { $0.reporter == .destination && $0.policies == nil } == [true])
        #expect(fixture.aggregator.statistics.unexpectedAllowances == 0)
    }

    // MARK: Policies that come late

    @Test func flowsBeforeFirstPoliciesRestartOnce() {
        var fixture = AggregatorFixture()
        fixture.births(Self.call(0), Self.call(1, port: 40001))
        fixture.aggregator.use(Self.policies(1, egress: Self.allow))
        #expect(fixture.flush().map { $0.policies == nil && $0.flows == FlowCounts(1, 1, 1) } == [true, true])
        #expect(fixture.flush(at: 300).map { $0.policies?.enforced === Self.allow } == [true, true])
        // Other policies later change nothing of what was enforced.
        fixture.aggregator.use(Self.policies(2, egress: Self.deny))
        #expect(fixture.flush(at: 400).map(\.flows) == [FlowCounts(1, 0, 0), FlowCounts(1, 0, 0)])
    }

    @Test func flowsWithoutPolicyTraceContinue() {
        var fixture = AggregatorFixture()
        fixture.births(Self.call(0))
        fixture.aggregator.use(Self.policies(1))
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 0)])
    }

    // MARK: Numbers of flows

    /// A denied flow that is not tried in an interval counts for no record, at any level, and neither does its process.
    @Test(arguments: [.none, .sourcePort] as [AggregationLevel], [false, true])
    func silentDeniedFlowsAreNotCounted(level: AggregationLevel, dividesProcesses: Bool) {
        var fixture = AggregatorFixture(dividesProcesses: dividesProcesses)
        fixture.learn { $0.localWorkloads = [Self.client] }
        fixture.aggregator.use(Self.policies(1, egress: Self.deny))
        fixture.aggregator.setLevels(allowed: level, denied: level)
        _ = fixture.flush()
        var counts: [FlowCounts] = []
        for (number, tried) in ([[0], [1], [0, 2], []] as [[UInt32]]).enumerated() {
            fixture.batch { batch in
                let new = tried.filter { $0 == number }
                batch.births = new.map { Self.call($0, port: 40_000 + UInt16($0)) }
                batch.deltas = tried.map { Self.delta($0, ingress: 1) }
                batch.drops = tried.map { Self.drop($0, ingress: 1) }
                batch.sockets = new.map {
                    let process = FlowProcess(id: $0, name: ProcessName(Array("p\($0)".utf8)))
                    return FlowSocket(flowID: $0, isNear: true, statistics: nil, process: process)
                }
            }
            let records = fixture.flush(at: 300 + 100 * Int64(number))
            #expect(records.allSatisfy { $0.action == .deny && $0.outbound.packets == $0.flows.total }, "\(records)")
            counts.append(
                records.reduce(into: FlowCounts(0, 0, 0)) { sum, record in
                    sum.total += record.flows.total
                    sum.started += record.flows.started
                    sum.completed += record.flows.completed
                }
            )
        }
        #expect(counts == [FlowCounts(1, 1, 1), FlowCounts(1, 1, 1), FlowCounts(2, 1, 1), FlowCounts(0, 0, 0)])
    }

    // MARK: Disagreements

    @Test func reportsMismatchOncePerConnection() {
        var fixture = AggregatorFixture()
        fixture.aggregator.use(Self.policies(1, egress: Self.allow))
        fixture.births(Self.call(0))
        for _ in 0..<5 {
            // Packets of both directions go on, and answers are denied.
            fixture.batch { batch in
                batch.deltas = [Self.delta(0, ingress: 3, egress: 2)]
                batch.drops = [Self.drop(0, ingress: 1, egress: 1)]
            }
        }
        _ = fixture.flush()
        #expect(fixture.aggregator.statistics.unexpectedDenials == 1)
        #expect(fixture.aggregator.statistics.unexpectedAllowances == 0)
        let found = fixture.aggregator.takeMismatches()
        #expect(found.map(\.connections) == [1])
        #expect(found.first?.reason === Self.reason)
        #expect(found.first?.observed == .deny)
    }

    /// A denied flow that the kernel allows after policies have changed agrees with the policies.
    @Test func allowedFlowAfterPolicyChangeIsNoMismatch() {
        var fixture = AggregatorFixture()
        fixture.aggregator.use(Self.policies(1, egress: Self.deny))
        fixture.batch { batch in
            batch.births = [Self.call(0)]
            batch.deltas = [Self.delta(0, ingress: 1)]
            batch.drops = [Self.drop(0, ingress: 1)]
        }
        fixture.aggregator.use(Self.policies(2, egress: Self.allow))
        fixture.batch { $0.deltas = [Self.delta(0, ingress: 1, egress: 1)] }
        #expect(fixture.flush().map { $0.policies?.enforced.enforced } == [Self.deny.enforced, Self.allow.enforced])
        #expect(fixture.aggregator.takeMismatches().isEmpty)
    }

    // MARK: Unrecorded denials

    @Test func countsUnrecordedDenials() {
        var fixture = AggregatorFixture()
        fixture.learn { $0.localWorkloads = [Self.client] }
        let stranger = IPAddress(192, 0, 2, 9)
        fixture.batch { batch in
            batch.births = [
                // Between two unknown hosts; to a workload whose answers are denied; reported as denied and never counted.
                AggregatorFixture.birth(0, near: AggregatorFixture.peer, far: stranger),
                AggregatorFixture.birth(1, near: stranger, far: IPAddress(10, 1, 0, 77), marks: .openedEgress),
                Self.call(2),
            ]
            batch.drops = [Self.drop(0, ingress: 2), Self.drop(1, ingress: 3), Self.drop(2, ingress: 4)]
            batch.deltas = [Self.delta(0, ingress: 2), Self.delta(1, ingress: 3), Self.delta(2, ingress: 1)]
        }
        #expect(fixture.aggregator.statistics.unrecordedDenials == 5)
        #expect(fixture.aggregator.statistics.deniedFlows == 1)
        fixture.ends(0, 1, 2)
        #expect(fixture.aggregator.statistics.unrecordedDenials == 8)
        #expect(fixture.aggregator.statistics.deniedFlows == 0)
        #expect(fixture.flush().map(\.outbound.packets) == [1])
    }

    @Test func countsDropsOfUnknownFlowIDs() {
        var fixture = AggregatorFixture()
        fixture.batch { $0.drops = [Self.drop(7, ingress: 1)] }
        #expect(fixture.aggregator.statistics.unknownFlowIDs == 1)
        #expect(fixture.flush().isEmpty)
    }

    // MARK: Several flow IDs

    /// A held flow that is settled in the middle of a batch does not prevent the processing of the batch's other flows.
    @Test func heldFlowDoesNotSkipRestOfBatch() {
        var fixture = AggregatorFixture()
        fixture.learn { $0.workloadRanges = IPPrefix("10.2.0.0/16").map { [$0] } ?? [] }
        fixture.batch { batch in
            batch.births = [Self.call(0, to: IPAddress(10, 2, 0, 1)), Self.call(5)]
            batch.drops = [Self.drop(0, ingress: 1)]
            batch.deltas = [Self.delta(0, ingress: 1), Self.delta(5, ingress: 1)]
        }
        fixture.learn { $0.workloadRanges = [] }
        fixture.batch { batch in
            batch.deltas = [Self.delta(0, ingress: 1), Self.delta(5, ingress: 2)]
            batch.drops = [Self.drop(0, ingress: 1), Self.drop(5, ingress: 2)]
        }
        let records = fixture.flush()
        #expect(records.map(\.action) == [.allow, .deny, .deny])
        #expect(records.map(\.outbound.packets) == [1, 2, 2])
        #expect(records.map { $0.drops?.outbound } == [nil, 2, 2])
        #expect(records.map { $0.drops?.reason.name } == [nil, "NETFILTER_DROP", "NETFILTER_DROP"])
    }

    /// A denial at the exit belongs to the entrance's flow, and not to a later flow that uses the entrance's ID again.
    @Test func reusedFlowIDIsNoEntrance() {
        var fixture = AggregatorFixture()
        fixture.learn { $0.localWorkloads = [Self.client] }
        let remote = IPAddress(192, 0, 2, 9)
        fixture.births(Self.call(0, to: remote), Self.call(1, to: remote))
        fixture.ends(1)
        fixture.births(
            Self.call(1, port: 40001, to: remote),
            AggregatorFixture.birth(
                2,
                near: remote,
                far: Self.client,
                nearPort: 80,
                farPort: 40000,
                marks: .openedEgress
            )
        )
        fixture.batch { batch in
            batch.deltas = [Self.delta(0, ingress: 3), Self.delta(1, ingress: 3)]
            batch.drops = [Self.drop(2, egress: 2)]
        }
        let records = fixture.flush()
        let other = records.filter { $0.source.port == 40001 }
        #expect(other.map(\.action) == [.allow])
        #expect(other.map(\.outbound.packets) == [3])
        #expect(records.filter { $0.action == .deny }.map(\.outbound.packets) == [2])
    }

    /// The sender of a dropped packet with a known destination is the originator.
    @Test func destinationOfDroppedPacketGivesOriginator() {
        var fixture = AggregatorFixture()
        fixture.learn { $0.localWorkloads = [Self.server] }
        let destination = FlowDrop.Destination(address: Self.server, port: 8443)
        let stranger = IPAddress(192, 0, 2, 9)
        fixture.batch { batch in
            batch.births = [
                AggregatorFixture.birth(0, near: stranger, nearPort: 41001, farPort: 30080, marks: .openedEgress)
            ]
            batch.deltas = [Self.delta(0, ingress: 1)]
            batch.drops = [Self.drop(0, ingress: 1, destination: destination)]
        }
        let records = fixture.flush()
        #expect(records.map(\.source.address) == [stranger])
        #expect(records.map(\.destination.address) == [Self.server])
        #expect(records.map(\.destination.port) == [8443])
        #expect(records.map(\.reporter) == [.destination])
        #expect(records.map(\.inbound.packets) == [1])
    }

    // MARK: Changes of local addresses

    /// An address may become known as local while a flow is denied.
    @Test func attributesDenialAgainWhenLocalAddressesChange() {
        var fixture = AggregatorFixture()
        fixture.births(AggregatorFixture.birth(0, far: Self.client))
        fixture.batch { batch in
            batch.deltas = [Self.delta(0, ingress: 2)]
            batch.drops = [Self.drop(0, ingress: 2)]
        }
        #expect(fixture.aggregator.statistics.unrecordedDenials == 2)
        fixture.learn { $0.localWorkloads = [Self.client] }
        fixture.batch { batch in
            batch.deltas = [Self.delta(0, ingress: 3)]
            batch.drops = [Self.drop(0, ingress: 3)]
        }
        #expect(fixture.aggregator.statistics.unrecordedDenials == 2)
        #expect(fixture.flush().map(\.inbound.packets) == [3])
    }

    /// A waiting flow that is denied is resolved again as soon as the denial ends.
    @Test func waitingFlowIsResolvedAfterDenialEnds() {
        var fixture = AggregatorFixture()
        fixture.births(AggregatorFixture.birth(0, far: Self.server))
        fixture.batch { batch in
            batch.deltas = [Self.delta(0, ingress: 1)]
            batch.drops = [Self.drop(0, ingress: 1)]
        }
        fixture.learn { $0.localWorkloads = [Self.server] }
        fixture.batch { batch in
            batch.deltas = [Self.delta(0, ingress: 1)]
            batch.drops = [Self.drop(0, ingress: 1)]
        }
        fixture.own([AggregatorFixture.own, Self.server])
        // The first packet that goes on ends the denial; from the next one on it is the host's.
        fixture.batch { $0.deltas = [Self.delta(0, ingress: 5)] }
        fixture.batch { $0.deltas = [Self.delta(0, ingress: 7)] }
        let records = fixture.flush()
        #expect(records.map(\.action) == [.deny, .allow])
        #expect(records.map(\.inbound.packets) == [1, 7])
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 1), FlowCounts(1, 1, 0)])
    }
}
