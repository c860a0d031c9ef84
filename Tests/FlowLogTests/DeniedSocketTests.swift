import FlowModel
import Testing

@testable import FlowLog

/// The statistics of sockets whose connections have denied packets.
struct DeniedSocketTests {
    /// The traffic of a connection in an interval, before its socket reports.
    private struct Interval {
        var allowed = false
        var denied = false
        var retransmissions: UInt64 = 0
    }

    /// A connection, with the end that reports it.
    private enum Connection: CaseIterable {
        /// From elsewhere to the host.
        case incoming
        /// From a workload to the host, whose policies deny it before the workload's interface counts the packets.
        case deniedByHost
    }

    private static let packet = TrafficCounters(packets: 1, bytes: 60)
    private static let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)

    /// The records of a connection's intervals, the last of which is the one of its end.
    private static func records(
        _ intervals: [Interval],
        _ connection: Connection = .incoming,
        dividesProcesses: Bool
    ) -> [[FlowRecord]] {
        var fixture = AggregatorFixture(dividesProcesses: dividesProcesses)
        let isCounted = connection == .incoming
        var birth = AggregatorFixture.birth(1)
        if connection == .deniedByHost {
            birth = AggregatorFixture.birth(1, near: AggregatorFixture.workload, role: .workload)
            fixture.learn { $0.localWorkloads = [AggregatorFixture.workload] }
            let (allow, deny) = (["0|d|d.a|allow|0"], ["0|d|d.b|deny|-1"])
            fixture.aggregator.use(
                FakeEvaluator(generation: 1) { _ in (PolicyTrace(enforced: allow), PolicyTrace(enforced: deny)) }
            )
        }
        let isDeniedFromTheStart = intervals.first.map { $0.denied && !$0.allowed } == true
        if !isDeniedFromTheStart { fixture.births(birth) }
        var records: [[FlowRecord]] = []
        for (number, interval) in intervals.enumerated() {
            if interval.allowed { fixture.delta(1, ingress: 100, egress: 200) }
            if interval.denied {
                fixture.batch {
                    if number == 0, isDeniedFromTheStart { $0.births = [birth] }
                    if isCounted { $0.deltas = [FlowDelta(flowID: 1, ingress: packet, egress: .zero)] }
                    $0.drops = [
                        FlowDrop(flowID: 1, deniedIngress: packet, isIngressCounted: isCounted, decision: reason)
                    ]
                }
            }
            if interval.retransmissions > 0 {
                var statistics = TCPStatistics()
                statistics.window = TCPStatistics.Gauge(10)
                statistics.retransmissions = interval.retransmissions
                let process = FlowProcess(id: 7, name: ProcessName(Array("curl".utf8)))
                fixture.batch {
                    $0.sockets = [FlowSocket(flowID: 1, isNear: !isCounted, statistics: statistics, process: process)]
                }
            }
            if number == intervals.count - 1 { fixture.ends(1) }
            records.append(fixture.flush(at: 200 + 100 * Int64(number)))
        }
        return records
    }

    private static func sum(_ records: [FlowRecord]) -> UInt64 {
        records.reduce(0) { $0 + ($1.tcp?.retransmissions ?? 0) }
    }

    /// The members of records other than the statistics.
    private static func traffic(_ records: [FlowRecord]) -> [String] {
        records.map { "\($0.action) \($0.flows) \($0.inbound) \($0.outbound) \($0.drops?.inbound ?? 0)" }
    }

    /// A connection that is allowed and loses some of its packets to a rule, in some intervals only.
    @Test(arguments: [false, true])
    func allowedRecordsKeepThem(dividesProcesses: Bool) {
        let intervals = [
            Interval(allowed: true, retransmissions: 1), Interval(allowed: true, denied: true, retransmissions: 2),
            Interval(allowed: true, retransmissions: 4), Interval(allowed: true, denied: true, retransmissions: 8),
            Interval(allowed: true, retransmissions: 16),
        ]
        let records = Self.records(intervals, dividesProcesses: dividesProcesses)
        for (interval, records) in zip(intervals, records) {
            #expect(Self.sum(records.filter { $0.action == .allow }) == interval.retransmissions, "\(records)")
        }
    }

    /// A denied connection sends again without being denied anew, for as long as its flow lives.
    @Test(arguments: [false, true])
    func deniedRecordsGetThemWithTheNextDenial(dividesProcesses: Bool) {
        let intervals = [
            Interval(denied: true, retransmissions: 1), Interval(retransmissions: 2), Interval(retransmissions: 4),
            Interval(denied: true), Interval(retransmissions: 8), Interval(),
        ]
        let records = Self.records(intervals, dividesProcesses: dividesProcesses)
        #expect(records.map(Self.sum) == [1, 0, 0, 6, 0, 8])
        #expect(records.joined().allSatisfy { $0.action == .deny })
        #expect(records.map(\.count) == [1, 0, 0, 1, 0, 1])
        #expect(records.last?.map(\.flows) == [FlowCounts(1, 0, 0)], "it began in the first record, and ended with it")
    }

    /// The packets of a connection are in the record of the end that denied them, and its statistics in one of its own end.
    @Test(arguments: [false, true])
    func otherEndsDenialHasNone(dividesProcesses: Bool) {
        let intervals = [
            Interval(denied: true, retransmissions: 1), Interval(denied: true, retransmissions: 2), Interval(),
        ]
        let records = Self.records(intervals, .deniedByHost, dividesProcesses: dividesProcesses)
        #expect(records.map { $0.map(\.reporter) } == [[.destination], [.destination], [.source]])
        #expect(records.joined().allSatisfy { $0.action == .deny })
        #expect(records.map(Self.sum) == [0, 0, 3])
        #expect(records[2].allSatisfy { $0.inbound == .zero && $0.outbound == .zero && $0.drops == nil })
        #expect(records[2].map(\.flows) == [FlowCounts(1, 1, 1)])
    }

    /// A run ends while a denied connection lives.
    @Test func lastIntervalHasTheRemainder() {
        var fixture = AggregatorFixture()
        fixture.batch {
            $0.births = [AggregatorFixture.birth(1)]
            $0.deltas = [FlowDelta(flowID: 1, ingress: Self.packet, egress: .zero)]
            $0.drops = [FlowDrop(flowID: 1, deniedIngress: Self.packet, decision: Self.reason)]
        }
        #expect(Self.sum(fixture.flush()) == 0)
        var statistics = TCPStatistics()
        statistics.retransmissions = 3
        fixture.batch { $0.sockets = [FlowSocket(flowID: 1, isNear: false, statistics: statistics)] }
        #expect(fixture.flush(at: 300).isEmpty)
        var records: [FlowRecord] = []
        fixture.aggregator.flush(300...400, while: { true }, emit: { records.append(copy $0) })
        #expect(Self.sum(records) == 3 && records.map(\.action) == [.deny])
    }

    /// For any order of denials the sum equals the kernel's, and the records equal those without statistics.
    @Test(arguments: 0..<60 as Range<UInt64>, Connection.allCases)
    private func sumsAreTheKernels(seed: UInt64, connection: Connection) {
        var random = SplitMix64(seed: seed)
        let (dividesProcesses, isEverAllowed) = (seed % 2 == 0, seed % 3 > 0)
        let intervals = (0..<8).map { _ in
            Interval(
                allowed: isEverAllowed && Bool.random(using: &random),
                denied: Bool.random(using: &random),
                retransmissions: Bool.random(using: &random) ? UInt64.random(in: 1...9, using: &random) : 0
            )
        }
        let records = Self.records(intervals, connection, dividesProcesses: dividesProcesses)
        let ofOwnEnd = records.joined().filter { ($0.reporter == .source) == (connection == .deniedByHost) }
        #expect(Self.sum(ofOwnEnd) == intervals.reduce(0) { $0 + $1.retransmissions })
        #expect(Self.sum(Array(records.joined())) == Self.sum(ofOwnEnd))
        let silent = intervals.map { Interval(allowed: $0.allowed, denied: $0.denied) }
        let others = Self.records(silent, connection, dividesProcesses: false)
        for (number, (with, without)) in zip(records, others).enumerated() {
            let isEnd = number == intervals.count - 1
            let added = with.filter { $0.action == .deny && $0.inbound == .zero && $0.outbound == .zero }
            #expect(added.count <= (isEnd ? 1 : 0) && added.allSatisfy { Self.sum([$0]) > 0 }, "interval \(number)")
            let rest = with.filter { $0.action != .deny || $0.inbound != .zero || $0.outbound != .zero }
            #expect(Self.traffic(rest) == Self.traffic(without), "interval \(number)")
        }
    }
}
