import FlowModel
import Testing

@testable import FlowLog

/// Floods of flows, and their effect on detail and memory: totals are always exact, and a flood on one interface does
/// not reduce the detail of the others.
@Suite struct FlowMemoryTests {
    private static let attacker = IPAddress(10, 1, 0, 1)
    private static let victim = IPAddress(10, 1, 0, 2)
    private static let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)

    /// A node with two pods behind interfaces 7 (the attacker's) and 8 (the victim's).
    private struct Node: ~Copyable {
        var aggregator: FlowAggregator
        let limit: Int
        var fed: [UInt32: TrafficCounters] = [:]
        var denied: UInt64 = 0
        private var nextNumber: UInt32 = 0

        init(limit: Int, level: AggregationLevel = .none) {
            var resolver = FakeResolver()
            for (address, name) in [(attacker, "attacker"), (victim, "victim")] {
                resolver.localWorkloads.insert(address)
                resolver.owners[address] = Endpoint(kind: .workload, name: name, aggregatedName: name, namespace: "a")
            }
            aggregator = FlowAggregator(
                configuration: FlowLogConfiguration(
                    levelForAllowed: level,
                    levelForDenied: .sourcePort,
                    memoryLimit: limit
                ),
                resolver: resolver,
                tracker: nil,
                startTime: 100
            )
            self.limit = limit
        }

        /// Starts `count` flows from a pod to different addresses, in one batch, each with one packet of 100 bytes.
        mutating func flows(_ count: Int, from pod: IPAddress, on interface: UInt32, isDenied: Bool = false) -> [UInt32]
        {
            var batch = FlowBatch()
            for _ in 0..<count {
                let flowID = nextNumber
                nextNumber += 1
                let far = IPAddress(20, UInt8(flowID >> 16 & 255), UInt8(flowID >> 8 & 255), UInt8(flowID & 255))
                batch.births.append(
                    AggregatorFixture.birth(flowID, near: pod, far: far, role: .workload, interface: interface)
                )
                let traffic = TrafficCounters(packets: 1, bytes: 100)
                batch.deltas.append(FlowDelta(flowID: flowID, ingress: traffic, egress: .zero))
                if isDenied {
                    batch.drops.append(
                        FlowDrop(flowID: flowID, deniedIngress: traffic, decision: FlowMemoryTests.reason)
                    )
                    denied += 1
                }
                fed[interface, default: .zero] += traffic
            }
            aggregator.process(batch)
            return batch.births.map(\.flowID)
        }

        mutating func end(_ flowIDs: [UInt32]) {
            var batch = FlowBatch()
            batch.ends = flowIDs
            aggregator.process(batch)
        }

        mutating func flush(_ body: (borrowing FlowRecord) -> Void = { _ in }) {
            aggregator.flush(at: 200, emit: body)
        }
    }

    private static func sums(_ node: inout Node) -> (attacker: TrafficCounters, victim: TrafficCounters, denied: UInt64)
    {
        var (attacker, victim, denied) = (TrafficCounters.zero, TrafficCounters.zero, 0 as UInt64)
        node.flush { record in
            if record.action == .deny { denied += record.outbound.packets }
            if record.source.endpoint.name == "attacker" { attacker += record.outbound }
            if record.source.endpoint.name == "victim" { victim += record.outbound }
        }
        return (attacker, victim, denied)
    }

    @Test(arguments: [false, true]) func floodStaysWithinLimitAndKeepsTotals(isDenied: Bool) {
        var node = Node(limit: 4 << 20)
        for _ in 0..<40 {
            _ = node.flows(2_500, from: Self.attacker, on: 7, isDenied: isDenied)
            // Denied flows get their groups at the end of a batch, and may exceed half of the limit by these groups.
            #expect(node.aggregator.statistics.memory < node.limit / 2 + node.limit / 16)
        }
        #expect(node.aggregator.statistics.foldedFlows > 70_000)
        let fed = node.fed[7] ?? .zero
        let denied = node.denied
        let sums = Self.sums(&node)
        #expect(sums.attacker == fed)
        #expect(sums.denied == denied)
    }

    /// Packets of a folded flow that another interface dropped are denied, and the records count them once.
    @Test func dropOfFoldedFlowOnOtherInterfaceCountsOnce() {
        var node = Node(limit: 4 << 20)
        while node.aggregator.statistics.foldedFlows == 0 { _ = node.flows(500, from: Self.attacker, on: 7) }
        let folded = node.flows(1, from: Self.attacker, on: 7)
        let flowID = folded[0]
        let far = IPAddress(20, UInt8(flowID >> 16 & 255), UInt8(flowID >> 8 & 255), UInt8(flowID & 255))
        var batch = FlowBatch()
        batch.births = [
            AggregatorFixture.birth(
                flowID + 1,
                near: far,
                far: Self.attacker,
                nearPort: 80,
                farPort: 40000,
                role: .host,
                interface: 2,
                marks: .openedEgress
            )
        ]
        batch.drops = [
            FlowDrop(flowID: flowID + 1, deniedEgress: TrafficCounters(packets: 1, bytes: 100), decision: Self.reason)
        ]
        node.aggregator.process(batch)
        let fed = node.fed[7] ?? .zero
        let sums = Self.sums(&node)
        #expect(sums.attacker == fed)
        #expect(sums.denied == 1)
        #expect(node.aggregator.statistics.unrecordedDenials == 0)
    }

    /// Flows of one pod keep all detail while another pod floods.
    @Test(arguments: [false, true]) func floodDoesNotReduceDetailOfOtherPod(isDenied: Bool) {
        var node = Node(limit: 4 << 20)
        for _ in 0..<30 {
            _ = node.flows(2_500, from: Self.attacker, on: 7, isDenied: isDenied)
            _ = node.flows(10, from: Self.victim, on: 8)
        }
        var victims: [FlowRecord] = []
        var attackers = 0
        node.flush { record in
            if record.source.endpoint.name == "victim" { victims.append(copy record) } else { attackers += 1 }
        }
        #expect(victims.count == 300)
        #expect(victims.allSatisfy { $0.flows.total == 1 && $0.destination.address != nil && $0.outbound.bytes == 100 })
        #expect(attackers < 20_000)
    }

    /// A limit below the memory that a flood uses already leaves the other interfaces their share, and the flood none.
    @Test(arguments: [false, true]) func loweredLimitDoesNotReduceDetailOfOtherPod(isDenied: Bool) {
        var node = Node(limit: 4 << 20)
        var taken: Set<Int> = []
        for _ in 0..<30 {
            _ = node.flows(2_500, from: Self.attacker, on: 7, isDenied: isDenied)
            let share = node.aggregator.ledger.budget.share(of: 7)
            taken.insert(node.aggregator.ledger.budget.bytes(of: share))
            node.aggregator.setMemoryLimit(node.aggregator.statistics.memory / 2, reserve: 1 << 20)
            _ = node.flows(10, from: Self.victim, on: 8, isDenied: isDenied)
        }
        #expect(taken.count == 1)
        var victims: [FlowRecord] = []
        node.flush { if $0.source.endpoint.name == "victim" { victims.append(copy $0) } }
        #expect(victims.count == 300)
        #expect(victims.allSatisfy { $0.flows.total == 1 && $0.destination.address != nil && $0.outbound.bytes == 100 })
    }

    /// Many flooding interfaces leave a quarter of the memory to later ones, each of which gets an equal share.
    @Test func floodsLeaveMemoryForLaterInterfaces() {
        var budget = DetailBudget(limit: 1 << 20)
        for _ in 0..<2_000 {
            for flood in 1...9 as ClosedRange<UInt32> {
                let share = budget.share(of: flood)
                if budget.detail(for: share, used: 0) != .none { budget.charge(500, to: share) }
            }
        }
        // The last flow of each interface may exceed its share.
        #expect((700_000...(1 << 20) * 3 / 4 + 9 * 500).contains(budget.charged))
        for quiet in 101...127 as ClosedRange<UInt32> {
            let share = budget.share(of: quiet)
            for _ in 0..<14 {
                #expect(budget.detail(for: share, used: 0) == .full)
                budget.charge(500, to: share)
            }
        }
        #expect(budget.charged <= (1 << 20) + 9 * 500)
    }

    /// If the time for the last interval is short, records of quiet pods come first, and the rest of a flood is in the
    /// remainder of its pod.
    @Test(arguments: [false, true]) func shortFlushAddsRestOfFloodToRemainder(isDenied: Bool) {
        var node = Node(limit: 64 << 20)
        for _ in 0..<4 { _ = node.flows(2_500, from: Self.attacker, on: 7, isDenied: isDenied) }
        _ = node.flows(300, from: Self.victim, on: 8)
        var (looks, victims, details) = (10, 0, 0)
        var (attacker, denied) = (TrafficCounters.zero, 0 as UInt64)
        node.aggregator.flush(
            100...200,
            while: {
                looks -= 1
                return looks > 0
            }
        ) { record in
            if record.source.endpoint.name == "victim" {
                victims += 1
                #expect(record.destination.address != nil)
                return
            }
            attacker += record.outbound
            if record.destination.address != nil || record.destination.port != nil { details += 1 }
            if record.action == .deny { denied += record.outbound.packets }
        }
        #expect(victims == 300)
        #expect(attacker == node.fed[7])
        #expect(denied == node.denied)
        #expect((1..<1_000).contains(details))
        #expect(node.aggregator.statistics.foldedFlows > 9_000)
    }

    /// Two flooding interfaces divide the memory that one alone gets, and leave a share for a third.
    @Test func floodingInterfacesGetEqualShares() {
        var node = Node(limit: 4 << 20)
        for _ in 0..<40 {
            _ = node.flows(1_000, from: Self.attacker, on: 7)
            _ = node.flows(1_000, from: Self.victim, on: 8)
        }
        let shares = [7, 8].map { node.aggregator.ledger.budget.share(of: $0) }
        let bytes = shares.map { node.aggregator.ledger.budget.bytes(of: $0) }
        #expect(bytes[0] > node.limit / 4 && bytes[1] > node.limit / 4)
        #expect(node.aggregator.statistics.memory < node.limit * 3 / 4)
    }

    /// Before the log folds flows, it groups them in records without addresses.
    @Test func removesAddressesBeforeFoldingFlows() {
        var node = Node(limit: 4 << 20)
        while node.aggregator.statistics.coarseFlows == 0 { _ = node.flows(100, from: Self.attacker, on: 7) }
        #expect(node.aggregator.statistics.foldedFlows == 0)
        _ = node.flows(500, from: Self.attacker, on: 7)
        var coarse: [FlowRecord] = []
        node.flush { if $0.level == .podPrefix { coarse.append(copy $0) } }
        #expect(coarse.count == 1)
        #expect(coarse.first?.destination.endpoint.aggregatedName == "pub")
        #expect((coarse.first?.flows.total ?? 0) >= 500)
    }
}

// MARK: - Ended flows

extension FlowMemoryTests {
    /// Thousands of short connections fill the interval before the log folds any of them.
    @Test func endedFlowsFillTheInterval() {
        var node = Node(limit: 8 << 20)
        var flushes = 0
        for _ in 0..<100 {
            node.end(node.flows(1_000, from: Self.attacker, on: 7))
            guard node.aggregator.isIntervalFull else { continue }
            node.flush()
            flushes += 1
        }
        #expect(flushes > 2)
        #expect(node.aggregator.statistics.foldedFlows == 0)
    }

    @Test func freesMemoryAndCountsRemainingFlows() {
        var node = Node(limit: 64 << 20)
        let flowIDs = node.flows(40_000, from: Self.attacker, on: 7)
        let kept = node.flows(1, from: Self.victim, on: 8) + flowIDs.filter { $0 % 1_000 == 0 }
        let denied = node.flows(20_000, from: Self.attacker, on: 7, isDenied: true)
        let keptDenied = denied.filter { $0 % 1_000 == 0 }
        node.flush()
        node.end(flowIDs.filter { $0 % 1_000 != 0 } + denied.filter { $0 % 1_000 != 0 })
        node.flush()
        #expect(node.aggregator.deniedFlows.limit == 20)
        #expect(!node.aggregator.ledger.isSparse)
        #expect(node.aggregator.statistics.liveFlows == 61)

        var batch = FlowBatch()
        let traffic = TrafficCounters(packets: 1, bytes: 7)
        for flowID in kept + keptDenied {
            batch.deltas.append(FlowDelta(flowID: flowID, ingress: traffic, egress: .zero))
        }
        for flowID in keptDenied {
            batch.drops.append(FlowDrop(flowID: flowID, deniedIngress: traffic, decision: Self.reason))
        }
        node.aggregator.process(batch)
        var (allowed, denials): (UInt64, UInt64) = (0, 0)
        node.flush { record in
            if record.action == .allow { allowed += record.outbound.bytes } else { denials += record.outbound.bytes }
        }
        #expect(allowed == UInt64(kept.count) * 7)
        #expect(denials == UInt64(keptDenied.count) * 7)
        node.end(kept + keptDenied)
        node.flush()
        #expect(node.aggregator.nameCounts.endpoints == 0)
        #expect(node.aggregator.statistics.memory == 0)
        #expect(node.aggregator.ledger.budget.charged == 0)
    }
}

// MARK: - Random flows

extension FlowMemoryTests {
    /// At each limit, all input is in a record or counted as unrecorded, and no state is left.
    @Test(arguments: [0, 1_000, 3_000, 10_000], 0..<12 as Range<UInt64>)
    func countsAllTrafficAtEachMemoryLimit(limit: Int, seed: UInt64) {
        for run in 0..<12 as Range<UInt64> {
            var world = RandomWorld(seed: seed << 32 | run << 8, onlyWorkloads: run % 3 == 0)
            var aggregator = FlowAggregator(
                configuration: FlowLogConfiguration(levelForAllowed: .none, memoryLimit: limit),
                resolver: world.resolver,
                tracker: world.tracker,
                startTime: world.time
            )
            var emitted = TrafficCounters.zero
            for step in 0..<60 {
                if step % 6 == 5 { aggregator.flush(at: world.time) { emitted += $0.inbound + $0.outbound } }
                if step % 4 == 3 {
                    world.changeCluster()
                    aggregator.use(world.resolver)
                }
                aggregator.process(world.batch())
            }
            aggregator.process(world.lastBatch())
            aggregator.flush(at: world.time) { emitted += $0.inbound + $0.outbound }
            let statistics = aggregator.statistics
            let unrecorded = statistics.unrecorded
            let place: Comment = "seed \(seed), run \(run)"
            #expect(emitted + unrecorded.transit + unrecorded.elsewhere + unrecorded.unknown == world.fed, place)
            #expect(aggregator.ledger.budget.charged == 0, place)
            #expect(statistics.memory == 0, place)
            #expect(aggregator.remainders.count == 0, place)
        }
    }

    /// Low limits make the log fold flows of these worlds, and a high limit does not.
    @Test func lowMemoryLimitsFoldFlows() {
        var folded: [UInt64] = []
        for limit in [0, 3_000, 1 << 20] {
            var world = RandomWorld(seed: 1, onlyWorkloads: true)
            var aggregator = FlowAggregator(
                configuration: FlowLogConfiguration(memoryLimit: limit),
                resolver: world.resolver,
                tracker: world.tracker,
                startTime: 0
            )
            for _ in 0..<60 { aggregator.process(world.batch()) }
            folded.append(aggregator.statistics.foldedFlows)
        }
        #expect(folded[0] > folded[1] && folded[1] > 0 && folded[2] == 0)
    }
}
