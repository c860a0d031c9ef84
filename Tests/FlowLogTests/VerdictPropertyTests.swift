import FlowModel
import Testing

@testable import FlowLog

/// Random flows with many denials: invariants of all records together, for any verdicts.
@Suite struct VerdictPropertyTests {
    /// The sums over all records.
    private struct Total {
        var all = TrafficCounters.zero
        /// The counts of originators, in denied records.
        var deniedForward = TrafficCounters.zero
        /// The counts of responders, in denied records.
        var deniedBackward = TrafficCounters.zero
        /// The counts of responders.
        var backward = TrafficCounters.zero
        /// The largest number.
        var largest: UInt64 = 0

        mutating func add(_ record: borrowing FlowRecord) {
            let isSource = record.reporter == .source
            all += record.inbound
            all += record.outbound
            backward += isSource ? record.inbound : record.outbound
            if record.action == .deny {
                deniedForward += isSource ? record.outbound : record.inbound
                deniedBackward += isSource ? record.inbound : record.outbound
            }
            for traffic in [record.inbound, record.outbound] { largest = max(largest, traffic.packets, traffic.bytes) }
        }
    }

    /// Runs a world to its end and sums up its records.
    private static func run(
        _ world: inout DenyingWorld,
        level: AggregationLevel,
        hasPolicies: Bool = false
    ) -> (total: Total, statistics: FlowAggregator.Statistics) {
        var aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(levelForAllowed: level, levelForDenied: .sourcePort),
            resolver: world.world.resolver,
            tracker: world.world.tracker,
            startTime: world.world.time
        )
        var total = Total()
        for _ in 0..<80 {
            switch Int.random(in: 0..<12, using: &world.world.random) {
            case 0:
                world.world.passTime()
                aggregator.flush(at: world.world.time) { total.add($0) }
            case 1, 2:
                world.world.changeCluster()
                aggregator.use(world.world.resolver)
            case 3:
                world.world.changeConnections()
            case 4 where hasPolicies:
                aggregator.use(world.evaluator())
            default:
                aggregator.process(world.batch())
            }
        }
        aggregator.process(world.lastBatch())
        aggregator.flush(at: world.world.time) { total.add($0) }
        aggregator.flush(at: world.world.time) { _ in Issue.record("a record of nothing") }
        var names = aggregator.nameCounts
        names.intersections = 0
        #expect(names == NameCounts())
        return (total, aggregator.statistics)
    }

    /// If every flow is a workload's and no policies are known, each flow ID records its own denials: the records have
    /// each denial exactly once.
    @Test(arguments: AggregationLevel.allCases, 0..<8 as Range<UInt64>)
    func recordsEachDenialOnce(level: AggregationLevel, seed: UInt64) {
        for run in 0..<6 as Range<UInt64> {
            let seed = seed << 16 | run << 8 | UInt64(level.rawValue)
            var world = DenyingWorld(
                RandomWorld(seed: seed, onlyWorkloads: true, tracksNothing: true, ownsNothing: true)
            )
            let (total, statistics) = Self.run(&world, level: level)
            let place: Comment = "seed \(seed)"
            #expect(total.all == world.fed + world.told.uncounted, place)
            #expect(total.deniedForward.packets == world.told.forward.packets, place)
            #expect(total.deniedBackward.packets >= world.told.backward.packets, place)
            #expect(statistics == FlowAggregator.Statistics(), place)
            #expect(world.told.forward.packets > 50 && world.told.backward.packets > 50, place)
        }
    }

    /// Without answers, no record has traffic of the responder.
    @Test(arguments: 0..<100 as Range<UInt64>)
    func unansweredFlowsHaveNoResponderTraffic(seed: UInt64) {
        var world = DenyingWorld(
            RandomWorld(seed: seed, onlyWorkloads: true, tracksNothing: true, ownsNothing: true),
            isOneWay: true
        )
        let (total, _) = Self.run(&world, level: .none, hasPolicies: true)
        #expect(total.backward == .zero)
        #expect(total.deniedForward.packets > 50)
    }

    /// Hosts, workloads, translation, late names and changing policies: records never exceed the input, and no state is
    /// left.
    @Test(arguments: AggregationLevel.allCases, 0..<12 as Range<UInt64>)
    func recordsNeverExceedInput(level: AggregationLevel, seed: UInt64) {
        for run in 0..<6 as Range<UInt64> {
            let seed = seed << 16 | run << 8 | UInt64(level.rawValue)
            var world = DenyingWorld(RandomWorld(seed: seed, onlyWorkloads: run % 3 == 0))
            var (total, statistics) = Self.run(&world, level: level, hasPolicies: true)
            let place: Comment = "seed \(seed)"
            let told = world.told.forward + world.told.backward
            #expect(total.all.packets <= world.fed.packets + told.packets, place)
            #expect(total.all.bytes <= world.fed.bytes + told.bytes, place)
            #expect(total.largest <= world.fed.bytes + told.bytes, place)
            // Each denied packet is in a denied record, in none, or in none that was counted.
            #expect(total.deniedForward.packets <= told.packets, place)
            #expect(statistics.unrecordedDenials <= told.packets, place)
            // A workload's interface reports all that it counted.
            if world.world.onlyWorkloads { #expect(total.all.packets >= world.fed.packets, place) }
            // The statistics count traffic that is in no record.
            let unrecorded = statistics.unrecorded
            let missing = unrecorded.transit.packets + unrecorded.elsewhere.packets + unrecorded.unknown.packets
            #expect(total.all.packets + missing >= world.fed.packets, place)
            (statistics.unrecordedDenials, statistics.unexpectedDenials, statistics.unexpectedAllowances) = (0, 0, 0)
            statistics.unrecorded = UnrecordedTraffic()
            #expect(statistics == FlowAggregator.Statistics(), place)
        }
    }

    /// The same records as ``VerdictReference`` makes, in a cluster that does not change under policies that do.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func matchesVerdictReference(seed: UInt64) {
        for run in 0..<10 as Range<UInt64> {
            let seed = seed << 8 | run
            var random = RandomWorld(seed: seed, onlyWorkloads: run % 3 == 0, tracksNothing: true)
            random.resolver.workloadRanges = []
            var world = DenyingWorld(random)
            let resolver = random.resolver
            var aggregator = FlowAggregator(
                configuration: FlowLogConfiguration(levelForAllowed: .none, levelForDenied: .none),
                resolver: resolver,
                tracker: nil,
                startTime: 0
            )
            var reference = VerdictReference(resolver: resolver)
            var outgoing: Set<UInt32> = []

            func process(_ batch: FlowBatch) {
                var batch = batch
                // A flow from an address to itself is the same flow from both ends.
                batch.births.removeAll { $0.key.near == $0.key.far }
                for birth in batch.births {
                    if Self.comesFromElsewhere(birth, resolver) {
                        outgoing.insert(birth.flowID)
                    } else {
                        outgoing.remove(birth.flowID)
                    }
                }
                batch.drops.removeAll { outgoing.contains($0.flowID) }
                aggregator.process(batch)
                reference.process(batch)
            }
            func flush() -> Bool {
                var lines: [VerdictReference.Line] = []
                aggregator.flush(at: 0) { record in
                    if let line = VerdictReference.Line(record) { lines.append(line) }
                }
                let expected = reference.flush()
                let others = (wrong: Set(lines).subtracting(expected).sorted(), right: Set(expected).subtracting(lines))
                #expect(others.wrong == others.right.sorted(), "seed \(seed)")
                return others.wrong.isEmpty && others.right.isEmpty && lines.count == expected.count
            }

            // Other tests cover flows that begin before any policies.
            let first = world.evaluator()
            aggregator.use(first)
            reference.use(first)
            guard flush() else { return }
            for _ in 0..<60 {
                switch Int.random(in: 0..<8, using: &world.world.random) {
                case 0:
                    guard flush() else { return }
                case 1:
                    let evaluator = world.evaluator()
                    aggregator.use(evaluator)
                    reference.use(evaluator)
                default:
                    process(world.batch())
                }
            }
            process(world.lastBatch())
            guard flush() else { return }
            #expect(aggregator.statistics.unrecordedDenials == reference.unrecorded, "seed \(seed)")
        }
    }

    /// Whether a flow leaves through an interface that does not report it, so that its denials are reported for the
    /// interface through which it entered.
    private static func comesFromElsewhere(_ birth: FlowBirth, _ resolver: FakeResolver) -> Bool {
        let near = birth.key.near
        return birth.role == .host && birth.initiator == .far && !resolver.own.contains(near)
            && !resolver.own.contains(birth.key.far) && !resolver.localWorkloads.contains(near)
    }
}
