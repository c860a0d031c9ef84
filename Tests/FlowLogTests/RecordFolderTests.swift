import FlowModel
import Testing

@testable import FlowLog

/// Folded records equal those that the flow log makes at the same level.
struct RecordFolderTests {
    /// Returns a record's text without its translated ports, whose choice depends on the order of flows.
    private static func text(_ record: borrowing FlowRecord) -> RecordText {
        var record = copy record
        record.natOutgoingPorts = record.natOutgoingPorts.isEmpty ? [] : [1]
        return RecordText(record)
    }

    @Test(arguments: AggregationLevel.allCases, AggregationLevel.allCases)
    func matchesFlowLogAtSameLevel(finest: AggregationLevel, level: AggregationLevel) {
        guard finest <= level else { return }
        var (compared, made) = (0, 0)
        for seed in 0..<40 as Range<UInt64> {
            var world = RandomWorld(seed: seed, onlyWorkloads: seed % 4 == 3)
            func aggregator(_ level: AggregationLevel) -> FlowAggregator {
                FlowAggregator(
                    configuration: FlowLogConfiguration(levelForAllowed: level, levelForDenied: level),
                    resolver: world.resolver,
                    tracker: world.tracker,
                    startTime: world.time
                )
            }
            var fine = aggregator(finest)
            var coarse = aggregator(level)
            var folder = RecordFolder(RecordDetail(allowed: level, denied: level))
            // An address that goes from one object to another of the same name makes two records that look alike; here
            // they are one.
            var reference = RecordFolder(RecordDetail(allowed: level, denied: level))
            for step in 0..<60 {
                let batch = world.batch()
                fine.process(batch)
                coarse.process(batch)
                if step % 3 == 0 { world.changeCluster() }
                if step % 5 == 0 { world.changeConnections() }
                fine.use(world.resolver)
                coarse.use(world.resolver)
                guard step % 10 == 9 else { continue }
                world.passTime()
                var expected: [RecordText] = []
                coarse.flush(at: world.time) { record in
                    reference.add(record)
                    made += 1
                }
                reference.endFlush()
                reference.takeAll { expected.append(Self.text($0)) }
                fine.flush(at: world.time) { folder.add($0) }
                folder.endFlush()
                var folded: [RecordText] = []
                folder.takeAll { folded.append(Self.text($0)) }
                #expect(folded.sorted() == expected.sorted(), "seed \(seed), step \(step)")
                compared += folded.count
            }
        }
        #expect(compared > 300 && compared > made * 95 / 100)
    }

    private static let pod = Endpoint(kind: .workload, name: "web-1", aggregatedName: "web-*", namespace: "shop")
    private static let other = Endpoint(kind: .workload, name: "web-2", aggregatedName: "web-*", namespace: "shop")
    private static let trace = PolicyTrace(action: .allow, enforced: ["0|t|p|allow|0"], pending: [])

    private static func record(
        _ seconds: ClosedRange<Int64> = 0...10,
        from endpoint: Endpoint = pod,
        port: UInt16 = 40_000,
        to called: UInt16 = 80,
        flows: (UInt64, UInt64, UInt64) = (1, 1, 0),
        policies: PolicyTrace? = trace,
        labels: [String] = ["a=1"],
        action: FlowAction = .allow
    ) -> FlowRecord {
        FlowRecord(
            startTime: seconds.lowerBound,
            endTime: seconds.upperBound,
            level: .none,
            source: .init(
                address: IPAddress(10, 0, 0, 1),
                port: port,
                endpoint: endpoint,
                labels: LabelSet(sorted: labels)
            ),
            destination: .init(address: IPAddress(10, 0, 0, 2), port: called, endpoint: .unknown, labels: nil),
            service: ServicePort(namespace: "shop", name: "db", portName: "sql", port: called),
            proto: .tcp,
            action: action,
            reporter: .source,
            policies: policies.map { .init(enforced: $0, pending: $0) },
            inbound: TrafficCounters(packets: 1, bytes: 100),
            outbound: TrafficCounters(packets: 2, bytes: 300),
            flows: FlowCounts(total: flows.0, started: flows.1, completed: flows.2)
        )
    }

    private func folded(_ detail: RecordDetail, _ flushes: [[FlowRecord]]) -> [FlowRecord] {
        var folder = RecordFolder(detail)
        for flush in flushes {
            for record in flush { folder.add(record) }
            folder.endFlush()
        }
        var records: [FlowRecord] = []
        folder.takeAll { records.append(copy $0) }
        #expect(folder.count == 0)
        return records
    }

    /// Over three flushes: a connection that continues counts once, and later ones are added.
    @Test func countsContinuedConnectionOnce() throws {
        let records = folded(
            RecordDetail(),
            [
                [Self.record(0...10, flows: (2, 2, 0))], [Self.record(10...20, flows: (3, 1, 2))],
                [Self.record(20...31, flows: (1, 0, 1))],
            ]
        )
        let record = try #require(records.first)
        #expect(records.count == 1)
        #expect((record.startTime, record.endTime) == (0, 31))
        #expect(record.flows == FlowCounts(total: 3, started: 3, completed: 3))
        #expect(record.inbound == TrafficCounters(packets: 3, bytes: 300))
        #expect(record.outbound == TrafficCounters(packets: 6, bytes: 900))
        #expect(record.source.port == nil && record.source.address == nil && record.level == .podPrefix)
    }

    @Test func sumsSocketStatistics() throws {
        var records = [Self.record(), Self.record(port: 2), Self.record(port: 3)]
        for (index, window) in [(1, 4), (2, 11)] as [(Int, UInt32)] {
            var tcp = TCPStatistics()
            tcp.window = .init(window)
            tcp.lost = 5
            records[index].tcp = tcp
        }
        let tcp = try #require(folded(RecordDetail(), [records]).first?.tcp)
        #expect(tcp.window.mean == 7 && tcp.window.smallest == 4 && tcp.window.largest == 11)
        #expect(tcp.lost == 10 && tcp.retransmissions == 0)
        #expect(folded(RecordDetail(), [[Self.record()]]).first?.tcp == nil)
    }

    @Test func keepsProcessesInSeparateRecords() {
        var records = [Self.record(), Self.record(port: 2), Self.record(port: 3)]
        for index in [0, 2] {
            let name = ProcessName(Array("p\(index)".utf8))
            records[index].processes = FlowProcesses(FlowProcess(id: 5, name: name))
        }
        let processes = folded(RecordDetail(), [records]).map(\.processes)
        #expect(processes.map { $0?.name?.text } == ["p0", nil, "p2"])
        #expect(processes.map { $0?.id } == [5, nil, 5])
    }

    /// Connections without an observed start are in the counts of the flush that has most of them.
    @Test func countsConnectionsWithoutObservedStart() {
        let records = folded(
            RecordDetail(),
            [[Self.record(flows: (1, 1, 1))], [Self.record(flows: (5, 0, 0)), Self.record(port: 2, flows: (4, 0, 9))]]
        )
        #expect(records.map(\.flows) == [FlowCounts(total: 9, started: 1, completed: 10)])
    }

    @Test func keepsOnlyLabelsCommonToAll() {
        let records = folded(
            RecordDetail(),
            [[Self.record(labels: ["a=1", "b=1"]), Self.record(from: Self.other, labels: ["a=1", "c=1"])]]
        )
        #expect(records.map { $0.source.labels?.labels } == [["a=1"]])
    }

    /// Without policies and services, records that differ in nothing else are one.
    @Test func foldsRecordsThatDifferInOmittedParts() {
        let rule = PolicyTrace(action: .allow, enforced: ["0|t|q|allow|1"], pending: [])
        let records = [Self.record(), Self.record(port: 2, policies: rule)]
        #expect(folded(RecordDetail(allowed: .sourcePort), [records]).count == 2)
        var detail = RecordDetail(allowed: .sourcePort)
        detail.includesPolicies = false
        detail.includesLabels = false
        detail.includesService = false
        let one = folded(detail, [records])
        #expect(one.count == 1)
        #expect(one.allSatisfy { $0.policies == nil && $0.service == nil && $0.source.labels == nil })
        #expect(one.first?.flows.total == 2)
        #expect(one.first?.source.address == IPAddress(10, 0, 0, 1))
    }

    @Test func levelDependsOnVerdict() {
        let detail = RecordDetail(allowed: .noDestinationPort, denied: .none)
        let ports = [(1, 80), (2, 80), (3, 443)] as [(UInt16, UInt16)]
        let records = ports.flatMap { [Self.record(port: $0, to: $1), Self.record(port: $0, to: $1, action: .deny)] }
        let out = folded(detail, [records])
        // The service's number is kept, as in the format: two allowed, and three denied.
        #expect(out.count { $0.action == .allow } == 2)
        #expect(out.count { $0.action == .deny } == 3)
        #expect(detail.raised(by: 2).levelForDenied == .podPrefix)
        #expect(detail.raised(by: 9).levelForAllowed == .noDestinationPort)
    }
}
