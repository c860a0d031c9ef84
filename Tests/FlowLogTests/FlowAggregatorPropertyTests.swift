import FlowModel
import Testing

@testable import FlowLog

/// Random flows, compared with ``ReferenceFlowLog``.
///
/// There are few addresses, ports and flow IDs, so that flows often merge, reopen, change owners, wait and are
/// translated, while the cluster changes.
@Suite struct FlowAggregatorPropertyTests {
    @Test(arguments: AggregationLevel.allCases, 0..<8 as Range<UInt64>)
    func matchesReferenceFlowLog(level: AggregationLevel, seed: UInt64) {
        for run in 0..<24 as Range<UInt64> {
            var world = RandomWorld(seed: seed << 32 | run << 8 | UInt64(level.rawValue), onlyWorkloads: run % 4 == 3)
            var aggregator = FlowAggregator(
                configuration: FlowLogConfiguration(levelForAllowed: level, levelForDenied: .none),
                resolver: world.resolver,
                tracker: world.tracker,
                startTime: world.time
            )
            var reference = ReferenceFlowLog(
                level: level,
                resolver: world.resolver,
                tracker: world.tracker,
                startTime: world.time
            )
            var emitted = TrafficCounters.zero
            let place: Comment = "seed \(seed), run \(run)"

            func flush() {
                var records: [RecordText] = []
                aggregator.flush(at: world.time) { record in
                    records.append(RecordText(record))
                    emitted += record.inbound
                    emitted += record.outbound
                }
                #expect(records.sorted() == reference.flush(at: world.time), place)
            }

            for _ in 0..<60 {
                switch Int.random(in: 0..<12, using: &world.random) {
                case 0:
                    world.passTime()
                    flush()
                case 1, 2:
                    world.changeCluster()
                    aggregator.use(world.resolver)
                    reference.use(world.resolver)
                case 3:
                    world.changeConnections()
                default:
                    let batch = world.batch()
                    aggregator.process(batch)
                    reference.process(batch)
                }
                #expect(aggregator.statistics.liveFlows == reference.live, place)
                #expect(aggregator.statistics.unreportedFlows == reference.unreported, place)
                #expect(aggregator.statistics.heldFlows == reference.held, place)
            }
            let rest = world.lastBatch()
            aggregator.process(rest)
            reference.process(rest)
            flush()
            #expect(emitted == reference.reported, place)
            // If every flow is a workload's, the records have all packets.
            if world.onlyWorkloads { #expect(emitted == world.fed, place) }
            // The statistics count every byte that is in no record.
            let unrecorded = aggregator.statistics.unrecorded
            #expect(emitted + unrecorded.transit + unrecorded.elsewhere + unrecorded.unknown == world.fed, place)
            var statistics = aggregator.statistics
            statistics.unrecorded = UnrecordedTraffic()
            #expect(statistics == FlowAggregator.Statistics(), place)
            var names = aggregator.nameCounts
            names.intersections = 0
            #expect(names == NameCounts(), place)
        }
    }

    /// The property test covers a feature only if its input has it: each of these features must occur often.
    @Test func randomWorldCoversServicesLabelsAndTranslation() {
        var records: [FlowRecord] = []
        for seed in 0..<60 as Range<UInt64> {
            var world = RandomWorld(seed: seed, onlyWorkloads: false)
            var aggregator = FlowAggregator(
                configuration: FlowLogConfiguration(levelForAllowed: .podPrefix),
                resolver: world.resolver,
                tracker: world.tracker,
                startTime: 0
            )
            for step in 0..<60 as Range<Int64> {
                aggregator.process(world.batch())
                if step % 3 == 0 { world.changeCluster() }
                if step % 5 == 0 { world.changeConnections() }
                aggregator.use(world.resolver)
                if step % 10 == 9 { aggregator.flush(at: step) { records.append(copy $0) } }
            }
        }
        let labels = records.flatMap { [$0.source.labels, $0.destination.labels] }.compactMap(\.self)
        #expect(records.count { $0.service != nil } > 100)
        #expect(records.count { $0.natOutgoingPorts.count > 1 } > 10)
        #expect(labels.count { $0.labels.isEmpty } > 100)
        #expect(labels.count { $0.labels.count == 1 } > 100)
        #expect(labels.count { $0.labels.count > 1 } > 100)
        #expect(records.count { $0.flows.total > 1 } > 100)
    }
}
