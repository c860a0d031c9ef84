import FlowModel
import Testing

@testable import FlowLog

/// Verdicts that rules of the packet filter logged, in the records of the flows.
@Suite struct LoggedVerdictTests {
    private static let pass = rule("security|security.base|pass|0", .pass)
    private static let deny = rule("default|default.no-web|deny|2", .deny)
    private static let allow = rule("default|default.web|allow|1", .allow)

    private static func rule(
        _ hit: String,
        _ action: LoggedRule.Action,
        _ direction: LoggedRule.Direction? = .ingress
    ) -> LoggedRule {
        LoggedRule(prefix: hit, direction: direction, action: action, hit: hit)
    }

    private static func verdict(
        _ rule: LoggedRule,
        packets: UInt64 = 1,
        port: UInt16 = 40000,
        proto: IPProtocol = .tcp
    ) -> LoggedVerdict {
        LoggedVerdict(
            packets: TrackedConnection.Tuple(
                source: AggregatorFixture.peer,
                destination: AggregatorFixture.own,
                sourcePort: port,
                destinationPort: 80,
                proto: proto
            ),
            connection: nil,
            rule: rule,
            traffic: TrafficCounters(packets: packets, bytes: packets * 60)
        )
    }

    /// Returns the same trace for both ends.
    private final class OneTrace: PolicyEvaluator {
        let generation: UInt64 = 1
        let usesDomains = false
        let trace: PolicyTrace

        init(_ hits: [String], _ action: FlowAction) {
            trace = PolicyTrace(action: action, enforced: hits, pending: hits)
        }

        func traces(
            of packets: TrackedConnection.Tuple,
            source: Endpoint,
            destination: Endpoint,
            domains: DestinationDomains
        ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
            (trace, trace)
        }
    }

    /// A log of the host 10.0.0.1, which 10.0.0.2 calls.
    private struct Log: ~Copyable {
        var aggregator: FlowAggregator

        init(
            waits: Bool = false,
            recordsLoggedDenials: Bool = false,
            dividesProcesses: Bool = false,
            _ evaluator: (any PolicyEvaluator)? = nil
        ) {
            let resolver = FakeResolver(
                own: [AggregatorFixture.own],
                owners: [AggregatorFixture.own: AggregatorFixture.host]
            )
            aggregator = FlowAggregator(
                configuration: FlowLogConfiguration(
                    levelForAllowed: .sourcePort,
                    readsLoggedVerdicts: waits,
                    recordsLoggedDenials: recordsLoggedDenials,
                    dividesProcesses: dividesProcesses
                ),
                resolver: resolver,
                tracker: nil,
                startTime: 100
            )
            aggregator.use(evaluator)
        }

        /// Processes one batch: the birth of flow 0 if `births` is true, its ingress packets, and logged verdicts.
        mutating func batch(births: Bool = false, packets: UInt64 = 0, _ verdicts: [LoggedVerdict] = []) {
            var batch = FlowBatch()
            if births { batch.births = [AggregatorFixture.birth(0)] }
            if packets > 0 {
                let ingress = TrafficCounters(packets: packets, bytes: packets * 60)
                batch.deltas = [FlowDelta(flowID: 0, ingress: ingress, egress: .zero)]
            }
            batch.verdicts = verdicts
            aggregator.process(batch)
        }

        /// Action, enforced hits, packets in and out, and counts of each record of a flush.
        mutating func flush() -> [String] {
            var texts: [String] = []
            aggregator.flush(at: 200) { record in
                let hits = record.policies.map { $0.enforced.enforced.joined(separator: " ") } ?? "none"
                let flows = "\(record.flows.total)/\(record.flows.started)/\(record.flows.completed)"
                texts.append("\(record.action) \(hits) \(record.inbound.packets) \(record.outbound.packets) \(flows)")
            }
            return texts.sorted()
        }

        /// Enforced hits, packets in and process of each record of a flush.
        mutating func flushProcesses() -> [String] {
            var texts: [String] = []
            aggregator.flush(at: 200) { record in
                let hits = record.policies.map { $0.enforced.enforced.joined(separator: " ") } ?? "none"
                texts.append("\(hits) \(record.inbound.packets) \(record.processes?.name?.text ?? "-")")
            }
            return texts.sorted()
        }
    }

    @Test func listsLoggedRulesInPacketOrder() {
        var log = Log()
        log.batch(births: true, packets: 3, [Self.verdict(Self.pass), Self.verdict(Self.allow)])
        #expect(
            log.flush() == ["allow 0|security|security.base|pass|0 1|default|default.web|allow|1 3 0 1/1/0"]
        )
    }

    @Test func laterLoggedRuleStartsNewRecord() {
        var log = Log()
        log.batch(births: true, packets: 1)
        log.batch(packets: 2, [Self.verdict(Self.allow)])
        #expect(log.flush() == ["allow 0|default|default.web|allow|1 0 0 1/1/0", "allow none 3 0 1/1/1"])
    }

    /// A socket reports its process once, and the log entry comes later, with or without the end of an interval between.
    @Test(arguments: [(.udp, false), (.udp, true), (.tcp, false), (.tcp, true)] as [(IPProtocol, Bool)])
    func laterLoggedRuleKeepsProcess(proto: IPProtocol, isInNextInterval: Bool) {
        let process = FlowProcess(id: 7, name: ProcessName(Array("named".utf8)))
        let packet = TrafficCounters(packets: 1, bytes: 60)
        var log = Log(dividesProcesses: true)
        var batch = FlowBatch()
        batch.births = [AggregatorFixture.birth(0, proto: proto, marks: proto == .tcp ? .openedIngress : [])]
        batch.deltas = [FlowDelta(flowID: 0, ingress: packet, egress: .zero)]
        batch.sockets = [FlowSocket(flowID: 0, isNear: false, statistics: nil, process: process)]
        log.aggregator.process(batch)
        if isInNextInterval { #expect(log.flushProcesses() == ["none 1 named"]) }
        log.batch(packets: 2, [Self.verdict(Self.allow, proto: proto)])
        let hit = "0|default|default.web|allow|1"
        #expect(log.flushProcesses() == ["\(hit) 0 named", "none \(isInNextInterval ? 2 : 3) named"])
        log.batch(packets: 4)
        #expect(log.flushProcesses() == ["\(hit) 4 named"])
    }

    @Test(arguments: 0...4)
    func flowWaitsForLoggedVerdict(batchesBetween: Int) {
        var log = Log(waits: true, recordsLoggedDenials: true)
        log.batch(births: true, packets: 1)
        for _ in 0..<batchesBetween { log.batch() }
        log.batch(packets: 2, [Self.verdict(Self.deny, packets: 3)])
        let isInTime = batchesBetween < AwaitedFlows.batches
        #expect((log.flush() == ["deny 0|default|default.no-web|deny|2 3 0 1/1/1"]) == isInTime)
        #expect(log.aggregator.statistics.heldFlows == 0)
    }

    @Test func usesEvaluatorHitsIfLogAgrees() {
        let hits = ["0|security|security.base|pass|0", "1|default|default.web|allow|1"]
        var log = Log(OneTrace(hits, .allow))
        log.batch(births: true, packets: 1, [Self.verdict(Self.allow)])
        #expect(log.flush() == ["allow \(hits[0]) \(hits[1]) 1 0 1/1/0"])
    }

    @Test func usesLoggedRuleIfEvaluatorDisagrees() {
        var log = Log(OneTrace(["0|default|default.other|allow|0"], .allow))
        log.batch(births: true, packets: 1, [Self.verdict(Self.allow)])
        #expect(log.flush() == ["allow 0|default|default.web|allow|1 1 0 1/1/0"])
    }

    /// The log prefix of a default action has no policy; the evaluator gives one.
    @Test func evaluatorGivesPolicyOfDefaultAction() {
        let logged = Self.rule("default|default.end-of-tier|deny|-1", .deny)
        var log = Log(recordsLoggedDenials: true, OneTrace(["0|default|default.last|deny|-1"], .deny))
        log.batch(births: true, packets: 1, [Self.verdict(logged)])
        #expect(log.flush() == ["deny 0|default|default.last|deny|-1 1 0 1/1/1"])
    }

    @Test(arguments: [0, 1, 2])
    func recordsLoggedDenialsWithoutKernelDrops(batchesBetween: Int) {
        var log = Log(recordsLoggedDenials: true)
        // The log may be read some scans before the flow, and with it.
        if batchesBetween > 0 { log.batch([Self.verdict(Self.deny, packets: 5)]) }
        for _ in 0..<max(0, batchesBetween - 1) { log.batch() }
        log.batch(births: true, packets: 5, batchesBetween == 0 ? [Self.verdict(Self.deny, packets: 5)] : [])
        #expect(log.flush() == ["deny 0|default|default.no-web|deny|2 5 0 1/1/1"])
        log.batch(packets: 2, [Self.verdict(Self.deny, packets: 2)])
        #expect(log.flush() == ["deny 0|default|default.no-web|deny|2 2 0 1/0/0"])
        log.batch(packets: 3)
        #expect(log.aggregator.statistics.unrecordedDenials == 0)
    }

    @Test func ignoresLoggedDenialsIfKernelReportsDrops() {
        var log = Log()
        log.batch(births: true, packets: 5, [Self.verdict(Self.deny, packets: 5)])
        #expect(log.flush() == ["allow 0|default|default.no-web|deny|2 5 0 1/1/0"])
        #expect(log.aggregator.statistics.unexpectedAllowances == 1)
    }

    /// Packets that both the kernel and the log report count once, in either order.
    @Test(arguments: [false, true])
    func packetInKernelAndLogCountsOnce(waits: Bool) {
        var log = Log(waits: waits)
        var batch = FlowBatch()
        let five = TrafficCounters(packets: 5, bytes: 300)
        batch.births = [AggregatorFixture.birth(0)]
        batch.deltas = [FlowDelta(flowID: 0, ingress: five, egress: .zero)]
        batch.drops = [
            FlowDrop(
                flowID: 0,
                deniedIngress: five,
                decision: DropReason(name: "NETFILTER_DROP", isDecision: true)
            )
        ]
        log.aggregator.process(batch)
        log.batch([Self.verdict(Self.deny, packets: 5)])
        log.batch(packets: 20)
        var packets: [FlowAction: UInt64] = [:]
        log.aggregator.flush(at: 200) { packets[$0.action, default: 0] += $0.inbound.packets }
        #expect(packets == [.deny: 5, .allow: 20])
        #expect(log.aggregator.statistics.unrecordedDenials == 0)
    }

    @Test func dropsAndCountsUnmatchedDenials() {
        var log = Log(recordsLoggedDenials: true)
        log.batch([Self.verdict(Self.deny, packets: 7)])
        for _ in 0..<4 { #expect(log.flush() == []) }
        #expect(log.aggregator.statistics.unrecordedDenials == 7)
    }

    @Test func ignoresVerdictsOnTrackedReplies() {
        var log = Log(recordsLoggedDenials: true)
        var answer = Self.verdict(Self.deny)
        let (there, back) = ("10.0.0.2 40000 > 10.0.0.1 80", "10.0.0.1 80 > 10.0.0.2 40000")
        answer.connection = TrackedConnection(there, back)
        if let reply = answer.connection?.reply { answer.packets = reply }
        log.batch(births: true, packets: 1, [answer])
        #expect(log.flush() == ["allow none 1 0 1/1/0"])
    }

    /// If the kernel reports drops, discarded verdicts lose no denials.
    @Test(arguments: [false, true])
    func countsDenialsBeyondConnectionLimit(recordsLoggedDenials: Bool) {
        var log = Log(recordsLoggedDenials: recordsLoggedDenials)
        let crowd = (0..<70_000).map { number in
            var verdict = Self.verdict(Self.deny, port: UInt16(truncatingIfNeeded: number))
            verdict.packets.destinationPort = UInt16(number >> 16)
            return verdict
        }
        log.batch(crowd)
        #expect(log.aggregator.statistics.unrecordedDenials == (recordsLoggedDenials ? 70_000 - 65_536 : 0))
    }
}
