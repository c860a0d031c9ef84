import FlowModel
import Testing

@testable import FlowLog

/// The processes in records of flows with denied packets.
struct DeniedProcessTests {
    /// What happens in a part of an interval.
    enum Step {
        /// A packet and its answers pass.
        case allowed
        /// A packet is denied.
        case denied
        /// One packet passes and one is denied, in one batch.
        case both
        /// An answer is denied.
        case deniedAnswer
        /// The other end gets a name.
        case named
    }

    /// Intervals of a datagram flow whose socket reports its process once, when the flow begins.
    static let runs: [[[Step]]] = [
        [[.allowed], [.denied], [.allowed], [.allowed]],
        [[.denied], [.denied], [.allowed], [.denied]],
        [[.allowed], [.both], [.both], [.denied], [.allowed]],
        [[.allowed], [.deniedAnswer], [.allowed], [.denied, .deniedAnswer, .allowed]],
        [[.denied, .named], [.denied], [.allowed]],
        [[.allowed], [.denied], [.allowed, .named], [.denied], [.allowed]],
    ]

    private static let packet = TrafficCounters(packets: 1, bytes: 60)
    private static let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)
    private static let process = FlowProcess(id: 7, name: ProcessName(Array("named".utf8)))

    @Test(arguments: runs)
    func recordsKeepTheProcess(run: [[Step]]) {
        var fixture = AggregatorFixture(dividesProcesses: true)
        for (number, interval) in run.enumerated() {
            for (place, step) in interval.enumerated() {
                fixture.batch {
                    if number == 0, place == 0 {
                        $0.births = [AggregatorFixture.birth(1, farPort: 53, proto: .udp, marks: [])]
                        $0.sockets = [FlowSocket(flowID: 1, isNear: false, statistics: nil, process: Self.process)]
                    }
                    Self.fill(&$0, step)
                }
                guard step == .named else { continue }
                let set = Endpoint(kind: .networkSet, name: "set", aggregatedName: "set")
                fixture.learn { $0.owners[AggregatorFixture.peer] = set }
            }
            let records = fixture.flush(at: 200 + 100 * Int64(number))
            #expect(!records.isEmpty)
            for record in records {
                #expect(record.processes?.id == 7, "interval \(number): \(record.action) \(record.flows)")
            }
        }
    }

    private static func fill(_ batch: inout FlowBatch, _ step: Step) {
        var delta = FlowDelta(flowID: 1, ingress: .zero, egress: .zero)
        var drop = FlowDrop(flowID: 1, decision: reason)
        if step == .allowed || step == .both { delta.ingress += packet }
        if step == .allowed { delta.egress += packet }
        if step == .denied || step == .both { (delta.ingress, drop.deniedIngress) = (delta.ingress + packet, packet) }
        if step == .deniedAnswer { (delta.ingress, drop.deniedEgress) = (packet, packet) }
        if delta.ingress != .zero { batch.deltas = [delta] }
        if drop.isDenied { batch.drops = [drop] }
    }

    /// The end that denies packets has a record of its own, of which the sender's process is no part.
    @Test func recordOfTheOtherEndHasNoProcess() {
        let (client, server) = (IPAddress(10, 1, 0, 1), IPAddress(10, 1, 0, 2))
        var fixture = AggregatorFixture(dividesProcesses: true)
        fixture.learn {
            $0.localWorkloads = [client, server]
            $0.owners[client] = Endpoint(kind: .workload, name: "a", aggregatedName: "a")
            $0.owners[server] = Endpoint(kind: .workload, name: "b", aggregatedName: "b")
        }
        let hits = (["0|t|t.one|allow|0"], ["0|t|t.two|deny|0"])
        fixture.aggregator.use(
            FakeEvaluator(generation: 1) { _ in (PolicyTrace(enforced: hits.0), PolicyTrace(enforced: hits.1)) }
        )
        let birth = AggregatorFixture.birth(
            1,
            near: client,
            far: server,
            proto: .udp,
            role: .workload,
            interface: 5,
            marks: []
        )
        fixture.batch {
            $0.births = [birth]
            $0.deltas = [FlowDelta(flowID: 1, ingress: Self.packet, egress: .zero)]
            $0.sockets = [FlowSocket(flowID: 1, isNear: true, statistics: nil, process: Self.process)]
        }
        fixture.batch {
            $0.deltas = [FlowDelta(flowID: 1, ingress: Self.packet, egress: .zero)]
            $0.drops = [FlowDrop(flowID: 1, deniedIngress: Self.packet, decision: Self.reason)]
        }
        let records = fixture.flush()
        let found = records.map { "\($0.reporter) \($0.action) \($0.processes?.id ?? 0)" }
        #expect(found.sorted() == ["destination deny 0", "source allow 7"])
    }
}
