import Filter
import FlowModel
import Query
import Records
import Store
import Testing

/// Pairs of key totals that are visited one by one, and graphs with a limit of edges.
@Suite struct PairSumTests {
    private static let seeds = 1...3 as ClosedRange<UInt64>

    /// Totals of records with few names, so that pairs have several flow keys, reported by both ends.
    private static func totals(_ seed: UInt64) throws -> KeyTotals {
        var lines: [String] = []
        var generator = SplitMix64(seed: seed)
        for number in 0..<900 {
            let (source, destination) = (
                Int.random(in: 0..<9, using: &generator), Int.random(in: 0..<7, using: &generator)
            )
            let isDenied = number % 11 == 0
            lines.append(
                recordLine([
                    .startTime: "\(bankStart)", .endTime: "\(bankStart + 10)", .proto: "\"tcp\"",
                    .sourceType: "\"wep\"", .sourceNamespace: "\"team-\(source % 3)\"",
                    .sourceNameAggr: "\"client-\(source)-*\"", .destType: "\"wep\"",
                    .destNamespace: "\"team-\(destination % 3)\"", .destNameAggr: "\"server-\(destination)-*\"",
                    .destServiceNamespace: "\"shop\"",
                    .destServiceName: number % 4 == 0 ? "null" : "\"s\(destination % 2)\"",
                    .destPort: "\(80 + number % 5)", .numFlowsStarted: "\(1 + number % 17)", .bytesIn: "\(number)",
                    .action: isDenied ? "\"deny\"" : "\"allow\"", .reporter: number % 2 == 0 ? "\"src\"" : "\"dst\"",
                ])
            )
        }
        let (reader, _) = try store(lines)
        return try reader.read {
            try KeyTotals(FlowScan($0, since: bankStart, until: bankStart + 60, filter: Filter("")))
        }
    }

    @Test(arguments: seeds) func visitsEachPairOnceWithAllKeys(_ seed: UInt64) throws {
        let totals = try Self.totals(seed)
        var pairs: [FlowPair] = []
        totals.forEachPair { pairs.append($0) }
        #expect(Set(pairs.map(\.filter)).count == pairs.count)
        for pair in pairs {
            var views = [[Amount(), Amount()], [Amount(), Amount()]]
            for total in totals.totals {
                let record = totals.record(total)
                guard FlowNode(record, .source) == pair.source, FlowNode(record, .destination) == pair.destination,
                    record.number(.destPort) == pair.port
                else { continue }
                let reporter = record.isDestinationReported ? 1 : 0
                views[reporter][0] = views[reporter][0].adding(total.amount)
                if record.isDenied { views[reporter][1] = views[reporter][1].adding(total.amount) }
            }
            #expect(pair.denied == views[0][1].adding(views[1][1]))
            #expect(pair.connections == max(views[0][0].connections, views[1][0].connections, pair.denied.connections))
        }
        #expect(pairs.count > 100)
    }

    @Test(arguments: seeds) func visitsPairsOfGroupConsecutively(_ seed: UInt64) throws {
        var seen: [String] = []
        try Self.totals(seed).forEachPair(by: { $0.source.name }) { pair, _ in
            if seen.last != pair.source.name { seen.append(pair.source.name) }
        }
        #expect(seen.count == Set(seen).count)
    }

    @Test(arguments: [GraphLevel.namespace, .workload, .service], [1, 5, 10_000])
    func sumsEdgesBeyondLimitInOther(_ level: GraphLevel, _ limit: Int) throws {
        for seed in Self.seeds { expectSums(of: try Self.totals(seed), level, limit) }
    }

    private func expectSums(of totals: KeyTotals, _ level: GraphLevel, _ limit: Int) {
        let all = FlowGraph(totals, by: level, focus: nil, limit: 10_000)
        let graph = FlowGraph(totals, by: level, focus: nil, limit: limit)
        #expect(graph.edges.count == min(limit, all.edges.count))
        #expect(graph.edges.map(\.filter) == all.edges.prefix(limit).map(\.filter))
        #expect(graph.other.edges == all.edges.count - graph.edges.count)
        let shown = graph.edges.reduce(Amount()) { $0.adding($1.allowed) }
        #expect(shown.adding(graph.other.allowed) == graph.total.allowed)
        #expect(Set(graph.edges.map { [$0.source, $0.dest] }).count == graph.edges.count)
        #expect(Set(graph.nodes.map(\.id)) == Set(graph.edges.flatMap { [$0.source, $0.dest] }))
        let sent = graph.nodes.reduce(Amount()) { $0.adding($1.sent) }
        #expect(sent == shown)
    }

    @Test func firstOfKeepsSmallestElements() {
        var first = FirstOf<Int>(3, by: <)
        var rest: [Int] = []
        var generator = SplitMix64(seed: 1)
        for number in (0..<1_000).shuffled(using: &generator) { rest += first.add(number) }
        #expect(first.sorted == [0, 1, 2])
        rest += first.cut()
        #expect(rest.sorted() == Array(3..<1_000))
        var none = FirstOf<Int>(0, by: <)
        none.add(1)
        #expect(none.sorted.isEmpty)
    }
}

/// A repeatable source of numbers.
private struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

/// The time limit of queries.
@Suite struct QueryTimeTests {
    @Test func queryFailsAfterTimeLimit() throws {
        let (reader, _) = try store(bankLines(flushes: 10))
        var query = FlowQuery(
            since: bankStart,
            until: bankStart + 600,
            filter: try Filter("bytes_out > 0"),
            groupBy: [],
            sums: [Measure(.records)]
        )
        query.limits.seconds = 0
        #expect(throws: QueryError.tooSlow(seconds: 0)) { try reader.read { try query.run($0) } }
        query.limits = .ofCommand
        #expect(try reader.read { try query.run($0) }.total == [40])
    }
}
