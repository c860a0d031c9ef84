import FlowModel
import Testing

@testable import Agent

/// The reduction of new flows to sums: totals stay exact, and flows that began before are kept.
struct BatchReductionTests {
    private static let host = IPAddress(10, 0, 0, 1)
    private static let pod = IPAddress(10, 1, 0, 7)
    private static let world = IPAddress(192, 0, 2, 9)

    private func birth(_ flowID: UInt32, _ near: IPAddress, _ far: IPAddress, _ role: InterfaceRole) -> FlowBirth {
        let key = FlowKey(
            interfaceIndex: role == .host ? 2 : 3,
            near: near,
            far: far,
            nearPort: UInt16(flowID),
            farPort: 80,
            proto: .tcp
        )
        return FlowBirth(flowID: flowID, key: key, role: role, marks: [], joined: false)
    }

    private func delta(_ flowID: UInt32, _ ingress: UInt64, _ egress: UInt64) -> FlowDelta {
        FlowDelta(
            flowID: flowID,
            ingress: TrafficCounters(packets: ingress, bytes: ingress * 100),
            egress: TrafficCounters(packets: egress, bytes: egress * 100)
        )
    }

    private func reduce(_ batch: FlowBatch, with reduction: inout BatchReduction) -> FlowBatch {
        reduction.reduce(batch, isOwn: { $0 == Self.host }, isWorkload: { $0 == Self.pod })
    }

    @Test func sumsNewFlowsByInterfaceAndLocalAddress() {
        var reduction = BatchReduction()
        var batch = FlowBatch()
        batch.births = [
            birth(1, Self.pod, Self.world, .workload), birth(2, Self.pod, Self.host, .workload),
            birth(3, Self.world, Self.host, .host), birth(4, Self.world, Self.pod, .host),
        ]
        // Flow 9 began before.
        batch.deltas = [delta(1, 1, 2), delta(2, 10, 20), delta(3, 5, 0), delta(4, 7, 7), delta(9, 100, 100)]
        batch.sockets = [1, 9].map { FlowSocket(flowID: $0, isNear: true, statistics: TCPStatistics()) }
        batch.ends = [2, 9]
        let rest = reduce(batch, with: &reduction)
        #expect(rest.births.isEmpty)
        #expect(rest.deltas == [delta(9, 100, 100)])
        #expect(rest.sockets.map(\.flowID) == [9])
        #expect(rest.ends == [9])
        #expect(
            rest.remainders == [
                FlowRemainder(
                    interfaceIndex: 3,
                    role: .workload,
                    local: Self.pod,
                    ingress: TrafficCounters(packets: 11, bytes: 1_100),
                    egress: TrafficCounters(packets: 22, bytes: 2_200)
                ),
                FlowRemainder(
                    interfaceIndex: 2,
                    role: .host,
                    local: Self.host,
                    ingress: TrafficCounters(packets: 5, bytes: 500)
                ),
                // Another interface reports it: neither end is the host's own.
                FlowRemainder(
                    interfaceIndex: 2,
                    role: .host,
                    local: nil,
                    unreported: .elsewhere,
                    ingress: TrafficCounters(packets: 7, bytes: 700),
                    egress: TrafficCounters(packets: 7, bytes: 700)
                ),
            ]
        )
        #expect(reduction.flows == 4)

        // Later packets of a reduced flow are summed, too; the number of an ended flow may be used again.
        var next = FlowBatch()
        next.births = [birth(2, Self.pod, Self.world, .workload)]
        next.deltas = [delta(1, 3, 0), delta(2, 4, 0)]
        next.ends = [1, 2]
        let later = reduce(next, with: &reduction)
        #expect(later.births.isEmpty && later.deltas.isEmpty && later.ends.isEmpty)
        #expect(later.remainders.map(\.ingress.packets) == [7])
        #expect(reduce(FlowBatch(), with: &reduction).isEmpty)
    }

    /// Drops of such a flow belong to the record of the interface that reports it.
    @Test func keepsDroppedFlowThatReusesNumberOfReducedFlow() {
        var reduction = BatchReduction()
        var batch = FlowBatch()
        batch.births = [birth(1, Self.pod, Self.world, .workload)]
        _ = reduce(batch, with: &reduction)
        batch.births = [birth(1, Self.world, Self.pod, .host)]
        batch.deltas = [delta(1, 1, 1)]
        batch.drops = [FlowDrop(flowID: 1, deniedEgress: TrafficCounters(packets: 1, bytes: 100))]
        let rest = reduce(batch, with: &reduction)
        #expect(rest.births == batch.births)
        #expect(rest.drops.map(\.flowID) == [1])
        #expect(rest.deltas == batch.deltas)
        #expect(rest.remainders.isEmpty)
    }

    @Test func remaindersCountDeniedPackets() {
        let denied = TrafficCounters(packets: 3, bytes: 300)
        var reduction = BatchReduction()
        var batch = FlowBatch()
        batch.births = [birth(1, Self.pod, Self.world, .workload), birth(2, Self.pod, Self.world, .workload)]
        batch.deltas = [delta(1, 3, 0)]
        batch.drops = [
            FlowDrop(flowID: 1, deniedIngress: denied), FlowDrop(flowID: 1, deniedEgress: denied),
            FlowDrop(flowID: 2, deniedIngress: denied, isIngressCounted: false), FlowDrop(flowID: 9),
        ]
        let rest = reduce(batch, with: &reduction)
        #expect(rest.drops.map(\.flowID) == [9])
        #expect(
            rest.remainders == [
                FlowRemainder(
                    interfaceIndex: 3,
                    role: .workload,
                    local: Self.pod,
                    ingress: denied + denied,
                    deniedIngress: denied + denied,
                    deniedEgress: denied
                )
            ]
        )
    }
}
