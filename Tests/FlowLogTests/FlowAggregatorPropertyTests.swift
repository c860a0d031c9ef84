import FlowModel
import Testing

@testable import FlowLog

/// Random lives of flows, held against ``ReferenceFlowLog``: few addresses, ports and numbers, so that flows merge,
/// reopen, change hands and wait all the time.
@Suite struct FlowAggregatorPropertyTests {
    @Test(arguments: AggregationLevel.allCases, 0..<8 as Range<UInt64>)
    func sameRecordsAsTheReference(level: AggregationLevel, seed: UInt64) {
        for run in 0..<60 as Range<UInt64> {
            var world = RandomWorld(seed: seed << 32 | run << 8 | UInt64(level.rawValue))
            var aggregator = FlowAggregator(
                configuration: FlowLogConfiguration(levelForAllowed: level, levelForDenied: .none),
                resolver: world.resolver,
                startTime: world.time
            )
            var reference = ReferenceFlowLog(level: level, resolver: world.resolver, startTime: world.time)
            var emitted = TrafficCounters.zero

            func flush() {
                var records: [RecordText] = []
                aggregator.flush(at: world.time) { record in
                    records.append(RecordText(record))
                    emitted += record.inbound
                    emitted += record.outbound
                }
                #expect(records.sorted() == reference.flush(at: world.time), "seed \(seed), run \(run)")
            }

            for _ in 0..<60 {
                switch Int.random(in: 0..<12, using: &world.random) {
                case 0:
                    world.passTime()
                    flush()
                case 1:
                    world.changeResolver()
                    aggregator.use(world.resolver)
                    reference.use(world.resolver)
                default:
                    let batch = world.batch()
                    aggregator.process(batch)
                    reference.process(batch)
                }
                #expect(aggregator.statistics.liveFlows == reference.live)
                #expect(aggregator.statistics.unreportedFlows == reference.unreported)
            }
            let rest = world.lastBatch()
            aggregator.process(rest)
            reference.process(rest)
            flush()
            #expect(emitted == reference.reported, "conservation; seed \(seed), run \(run)")
            let nothing = FlowAggregator.Statistics(
                liveFlows: 0,
                groups: 0,
                unreportedFlows: 0,
                endedFlows: 0,
                unknownNumbers: 0
            )
            #expect(aggregator.statistics == nothing)
            #expect(aggregator.nameCounts.addresses == 0 && aggregator.nameCounts.identities == 0)
        }
    }
}

/// Makes batches that keep the datapath's promises, and resolvers that keep the inventory's.
private struct RandomWorld {
    var random: SplitMix64
    var resolver = TableResolver()
    var time: Int64 = 1000
    private var live: Set<UInt32> = []
    private var nextEndpoint: UInt32 = 1

    private static let addresses = (1...5).map { IPAddress(10, 0, 0, $0) } + [IPAddress(ipv6High: 1, low: 1)]
    private static let protocols = [.tcp, .tcp, .tcp, .udp, .icmp, .icmp6, IPProtocol(rawValue: 47)]

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        changeResolver()
    }

    /// Now and then the clock goes backwards.
    mutating func passTime() {
        time += Int64.random(in: -20..<300, using: &random)
    }

    /// A few addresses get another owner; the generation grows, now and then without reason.
    mutating func changeResolver() {
        resolver.generation += 1
        for address in Self.addresses where Bool.random(using: &random) {
            if Int.random(in: 0..<3, using: &random) == 0 {
                resolver.own.insert(address)
            } else {
                resolver.own.remove(address)
            }
            resolver.endpoints[address] = Bool.random(using: &random) ? nil : endpoint()
        }
    }

    mutating func batch() -> FlowBatch {
        var batch = FlowBatch()
        let before = live
        for number in 0..<12 as Range<UInt32> where !before.contains(number) {
            guard Int.random(in: 0..<3, using: &random) == 0 else { continue }
            batch.births.append(birth(number))
            live.insert(number)
        }
        for number in live.sorted() where Bool.random(using: &random) { batch.deltas.append(delta(number)) }
        for number in live.sorted() where Int.random(in: 0..<4, using: &random) == 0 {
            // Most of what ends has lived longer than one batch.
            guard before.contains(number) || Bool.random(using: &random) else { continue }
            batch.ends.append(number)
            live.remove(number)
        }
        return batch
    }

    mutating func lastBatch() -> FlowBatch {
        var batch = FlowBatch()
        batch.ends = live.sorted()
        live = []
        return batch
    }

    private mutating func birth(_ number: UInt32) -> FlowBirth {
        let proto = Self.protocols.randomElement(using: &random) ?? .tcp
        let ports: [UInt16] = proto.rawValue == 47 ? [0] : [80, 443, 40000]
        let key = FlowKey(
            interfaceIndex: UInt32.random(in: 1...3, using: &random),
            near: Self.addresses.randomElement(using: &random) ?? Self.addresses[0],
            far: Self.addresses.randomElement(using: &random) ?? Self.addresses[0],
            nearPort: ports.randomElement(using: &random) ?? 0,
            farPort: ports.randomElement(using: &random) ?? 0,
            proto: proto
        )
        return FlowBirth(
            number: number,
            key: key,
            role: Bool.random(using: &random) ? .host : .workload,
            marks: FlowMarks(rawValue: UInt32.random(in: 0..<32, using: &random) << 16),
            joined: Bool.random(using: &random)
        )
    }

    private mutating func delta(_ number: UInt32) -> FlowDelta {
        FlowDelta(
            number: number,
            ingress: TrafficCounters(
                packets: UInt64.random(in: 0..<10, using: &random),
                bytes: UInt64.random(in: 0..<10000, using: &random)
            ),
            egress: TrafficCounters(
                packets: UInt64.random(in: 0..<10, using: &random),
                bytes: UInt64.random(in: 0..<10000, using: &random)
            )
        )
    }

    private mutating func endpoint() -> Endpoint {
        nextEndpoint += 1
        let aggregatedName = ["web-*", "api-*"].randomElement(using: &random) ?? "web-*"
        return Endpoint(
            id: nextEndpoint,
            kind: Bool.random(using: &random) ? .workload : .networkSet,
            name: aggregatedName + (Bool.random(using: &random) ? "a" : "b"),
            aggregatedName: aggregatedName,
            namespace: Bool.random(using: &random) ? "shop" : nil
        )
    }
}
