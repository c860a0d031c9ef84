import FlowModel
import Testing

@testable import FlowLog

/// Records of one group, divided by the processes of the reporting end.
struct ProcessRowTests {
    private static func socket(_ number: UInt32, isNear: Bool = false, _ id: UInt32, _ name: String) -> FlowSocket {
        let process = FlowProcess(id: id, name: ProcessName(Array(name.utf8)))
        return FlowSocket(flowID: number, isNear: isNear, statistics: nil, process: process)
    }

    private static func fixture(flows: UInt32) -> AggregatorFixture {
        var fixture = AggregatorFixture(level: .podPrefix, dividesProcesses: true)
        fixture.batch { batch in
            batch.births = (1...flows).map { AggregatorFixture.birth($0, nearPort: 40000 + UInt16($0)) }
        }
        return fixture
    }

    private static func delta(_ number: UInt32, _ packets: UInt64) -> FlowDelta {
        let counters = TrafficCounters(packets: packets, bytes: 100 * packets)
        return FlowDelta(flowID: number, ingress: counters, egress: .zero)
    }

    private static func name(of record: FlowRecord) -> FieldValue { record.value(of: .processName) }

    @Test func firstProcessNamesGetSeparateRecords() {
        var fixture = Self.fixture(flows: 5)
        // The packets of a flow before its process is known count for the process, too.
        fixture.batch { $0.deltas = (1...5).map { Self.delta($0, UInt64($0)) } }
        fixture.batch {
            $0.sockets = [
                Self.socket(1, 11, "curl"), Self.socket(2, 12, "wget"), Self.socket(3, 13, "curl"),
                Self.socket(4, 14, "nc"), Self.socket(5, isNear: true, 15, "nginx"),
            ]
            $0.deltas = [Self.delta(1, 10)]
        }
        let records = fixture.flush()
        #expect(records.map(\.inbound.packets) == [10 + 1 + 3, 2, 4, 5])
        let (one, two) = (FlowCounts(1, 1, 0), FlowCounts(2, 2, 0))
        #expect(records.map(\.flows) == [two, one, one, one])
        #expect(records.map { "\(Self.name(of: $0))" } == ["curl", "wget", "*", "-"].map { "\(FieldValue.text($0))" })
        #expect(records.map { $0.processes?.nameCount ?? 0 } == [1, 1, 1, 0])
        #expect(records.map { $0.processes?.count ?? 0 } == [2, 1, 1, 0])
        #expect(records.map { $0.processes?.id } == [nil, 12, 14, nil])
    }

    /// Flows without packets in an interval stay with their processes.
    @Test func rowsLastAsLongAsTheirFlows() {
        var fixture = Self.fixture(flows: 3)
        fixture.batch {
            $0.sockets = [Self.socket(1, 11, "curl"), Self.socket(2, 12, "wget"), Self.socket(3, 13, "nc")]
        }
        #expect(fixture.flush().map { $0.processes?.name?.text } == ["curl", "wget", nil])
        #expect(fixture.flush(at: 300).map { $0.processes?.name?.text } == ["curl", "wget", nil])
        fixture.batch { $0.ends = [1] }
        #expect(fixture.flush(at: 400).map { $0.flows.completed } == [1, 0, 0])
        // The name that is first now.
        let records = fixture.flush(at: 500)
        #expect(records.map { $0.processes?.name?.text } == ["wget", "nc"])
        #expect(records.map { $0.processes?.id } == [12, 13])
    }

    /// The rows of a group sum to the group, in any order of reports.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func rowsSumToTheirGroup(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var fixture = Self.fixture(flows: 40)
        var live = Set(1...40 as ClosedRange<UInt32>)
        for interval in 1...6 as ClosedRange<Int64> {
            var packets: UInt64 = 0
            let total = live.count
            var ended = 0
            for _ in 0..<20 {
                fixture.batch { batch in
                    for number in live.sorted() where Bool.random(using: &random) {
                        let count = UInt64.random(in: 1...9, using: &random)
                        packets += count
                        batch.deltas.append(Self.delta(number, count))
                    }
                    for number in live.sorted() where Int.random(in: 0..<4, using: &random) == 0 {
                        let name = "name \(Int.random(in: 0..<25, using: &random))"
                        batch.sockets.append(Self.socket(number, UInt32.random(in: 1...40, using: &random), name))
                    }
                    for number in live.sorted() where Int.random(in: 0..<200, using: &random) == 0 {
                        batch.ends.append(number)
                        live.remove(number)
                        ended += 1
                    }
                }
            }
            let records = fixture.flush(at: 100 + 100 * interval)
            #expect(records.reduce(0) { $0 + $1.inbound.packets } == packets)
            #expect(records.reduce(0) { $0 + $1.flows.total } == total)
            #expect(records.reduce(0) { $0 + $1.flows.completed } == ended)
            // Two names, the others, and those without one.
            #expect(records.count <= FlowRecord.processLimit + 2)
            #expect(records.allSatisfy { ($0.processes?.count ?? 1) >= 1 })
        }
    }

    /// A flow that gets another name in the next interval keeps its process, also without packets.
    @Test func renamedFlowKeepsItsProcess() {
        var fixture = AggregatorFixture(dividesProcesses: true)
        fixture.births(AggregatorFixture.birth(1))
        fixture.batch { $0.sockets = [Self.socket(1, 11, "nginx")] }
        let set = Endpoint(kind: .networkSet, name: "set", aggregatedName: "set")
        fixture.learn { $0.owners[AggregatorFixture.peer] = set }
        _ = fixture.flush()
        #expect(fixture.flush(at: 300).last?.processes?.name?.text == "nginx")
    }

    /// Records that are folded further are divided as the flow log divides.
    @Test func folderDividesRecordsByProcess() {
        var fixture = AggregatorFixture(dividesProcesses: true)
        fixture.batch { batch in
            batch.births = (1...6).map { AggregatorFixture.birth($0, nearPort: 40000 + UInt16($0)) }
        }
        fixture.batch { batch in
            batch.deltas = (1...6).map { Self.delta($0, UInt64($0)) }
            batch.sockets = [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "d")].map { Self.socket($0, 10 + $0, $1) }
        }
        var folder = RecordFolder(RecordDetail(allowed: .podPrefix, denied: .podPrefix))
        for record in fixture.flush() { folder.add(record) }
        folder.endFlush()
        var records: [FlowRecord] = []
        folder.takeAll { records.append(copy $0) }
        #expect(records.map(\.inbound.packets) == [5, 2, 8, 6])
        #expect(records.map { $0.processes?.name?.text } == ["a", "b", nil, nil])
        #expect(records.map { $0.processes?.nameCount ?? 0 } == [1, 1, 2, 0])
        #expect(records.map(\.flows.total) == [2, 1, 2, 1])
    }

    /// The processes that one flow after the other reports, each with the number of its report.
    static let changes: [[(flow: UInt32, process: UInt32)]] = [
        [(1, 11), (1, 12)],
        [(1, 11), (1, 12), (1, 13)],
        [(1, 11), (1, 12), (1, 11)],
        [(1, 11), (2, 11), (1, 12), (2, 13)],
        [(1, 11), (2, 11), (2, 12), (1, 12), (1, 13)],
        [(1, 11), (2, 12), (2, 13), (1, 13), (3, 14), (3, 13), (1, 14)],
    ]

    /// The statistics of a connection stay with it when its tuple or its process gets another name.
    @Test(arguments: changes)
    func statisticsFollowTheFlow(reports: [(flow: UInt32, process: UInt32)]) {
        var fixture = Self.fixture(flows: 3)
        fixture.batch { $0.deltas = (1...3).map { Self.delta($0, 1) } }
        for report in reports {
            var socket = Self.socket(report.flow, report.process, "name \(report.process)")
            socket.statistics = TCPStatistics()
            socket.statistics?.retransmissions = 1
            socket.statistics?.rtt = TCPStatistics.Gauge(1000)
            fixture.batch { $0.sockets = [socket] }
        }
        let records = fixture.flush()
        let sum = records.reduce(0) { $0 + ($1.tcp?.retransmissions ?? 0) }
        #expect(sum == reports.count)
        #expect(records.reduce(0) { $0 + ($1.tcp?.rtt.count ?? 0) } == reports.count)
        let last = Dictionary(reports.map { ($0.flow, $0.process) }) { $1 }
        #expect(records.filter { $0.processes != nil }.count == Set(last.values).count, "records have flows")
        #expect(records.filter { $0.processes == nil }.allSatisfy { $0.tcp == nil })
        #expect(records.reduce(0) { $0 + $1.flows.total } == 3)
        #expect(fixture.flush(at: 300).allSatisfy { $0.tcp == nil })
    }
}
