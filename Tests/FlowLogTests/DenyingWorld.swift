import FlowModel

@testable import FlowLog

/// A ``RandomWorld`` whose kernel also denies packets.
///
/// Denied packets that were counted are in the deltas of the same batch, or of the next one if the kernel reports the
/// drop early. All others are in no delta.
struct DenyingWorld {
    /// The reported denials, by direction.
    struct ReportedDenials {
        /// Packets of originators.
        var forward = TrafficCounters.zero
        /// Packets of responders.
        var backward = TrafficCounters.zero
        /// The packets of both directions that are in no delta.
        var uncounted = TrafficCounters.zero
    }

    var world: RandomWorld
    /// The sum of all deltas.
    private(set) var fed = TrafficCounters.zero
    private(set) var told = ReportedDenials()
    /// Whether responders never answer.
    private let isOneWay: Bool
    private var initiators: [UInt32: InterfaceEnd] = [:]
    /// The IDs of flows of which most packets are denied.
    private var denied: Set<UInt32> = []
    /// Packets that were reported as dropped and are not counted yet, by flow ID.
    private var early: [UInt32: TrafficCounters] = [:]
    private var version: UInt64 = 0

    private static let decision = DropReason(name: "NETFILTER_DROP", isDecision: true)
    private static let queueDrop = DropReason(name: "QDISC_DROP", isDecision: false)
    private static let traces = [
        nil, PolicyTrace(enforced: ["0|default|default.one|allow|0"]),
        PolicyTrace(enforced: ["0|default|default.two|allow|0"]),
        PolicyTrace(enforced: ["0|default|default.one|deny|1"]),
        PolicyTrace(enforced: ["0|default|default.two|deny|-1"], pending: ["0|default|default.staged:two|allow|0"]),
    ]

    init(_ world: RandomWorld, isOneWay: Bool = false) {
        self.world = world
        self.isOneWay = isOneWay
    }

    private mutating func chance(_ parts: Int, of whole: Int) -> Bool {
        Int.random(in: 0..<whole, using: &world.random) < parts
    }

    private mutating func counters() -> TrafficCounters {
        TrafficCounters(
            packets: UInt64.random(in: 1..<5, using: &world.random),
            bytes: UInt64.random(in: 1..<5000, using: &world.random)
        )
    }

    /// Returns policies that decide each connection in the same way until the next call.
    mutating func evaluator() -> FakeEvaluator {
        version += 1
        let salt = UInt64.random(in: 0..<1000, using: &world.random)
        return FakeEvaluator(generation: version) { packets in
            var dice = SplitMix64(seed: salt ^ packets.source.word1 << 16 ^ packets.destination.word1 << 40)
            dice = SplitMix64(seed: dice.next() ^ UInt64(packets.destinationPort))
            return (Self.traces.randomElement(using: &dice) ?? nil, Self.traces.randomElement(using: &dice) ?? nil)
        }
    }
}

// MARK: - Batches

extension DenyingWorld {
    mutating func batch() -> FlowBatch {
        var batch = world.batch()
        if world.tracksNothing { agreeOnInitiators(in: &batch) }
        for birth in batch.births {
            initiators[birth.flowID] = birth.initiator
            if chance(1, of: 2) { denied.insert(birth.flowID) } else { denied.remove(birth.flowID) }
        }
        if isOneWay { removeAnswers(in: &batch) }
        let due = early
        early = [:]
        for flowID in world.live.union(batch.ends).sorted() { deny(flowID, in: &batch) }
        count(due, in: &batch)
        return batch
    }

    mutating func lastBatch() -> FlowBatch {
        var batch = world.lastBatch()
        count(early, in: &batch)
        early = [:]
        return batch
    }

    /// Counts drops that were reported early, and sums up all deltas.
    private mutating func count(_ due: [UInt32: TrafficCounters], in batch: inout FlowBatch) {
        for (flowID, traffic) in due.sorted(by: { $0.key < $1.key }) {
            if let index = batch.deltas.firstIndex(where: { $0.flowID == flowID }) {
                batch.deltas[index].ingress += traffic
            } else {
                batch.deltas.append(FlowDelta(flowID: flowID, ingress: traffic, egress: .zero))
            }
        }
        for delta in batch.deltas {
            fed += delta.ingress
            fed += delta.egress
        }
    }

    /// Gives all IDs of a flow the same initiator.
    private func agreeOnInitiators(in batch: inout FlowBatch) {
        for index in batch.births.indices {
            let key = batch.births[index].key
            let nearBegan = key.near.word1 &+ UInt64(key.nearPort) <= key.far.word1 &+ UInt64(key.farPort)
            batch.births[index].marks = nearBegan ? .openedIngress : [.openedEgress, .firstEgress]
        }
    }

    private func removeAnswers(in batch: inout FlowBatch) {
        for index in batch.deltas.indices {
            if initiators[batch.deltas[index].flowID] == .near {
                batch.deltas[index].egress = .zero
            } else {
                batch.deltas[index].ingress = .zero
            }
        }
    }
}

// MARK: - Drops

extension DenyingWorld {
    private mutating func deny(_ flowID: UInt32, in batch: inout FlowBatch) {
        if chance(1, of: 10) { denied.formSymmetricDifference([flowID]) }
        guard denied.contains(flowID) ? chance(4, of: 5) : chance(1, of: 20) else { return }
        let isNear = initiators[flowID] == .near
        let sent = batch.deltas.first { $0.flowID == flowID }?.ingress ?? .zero
        var drop = FlowDrop(flowID: flowID, decision: Self.decision)
        if isNear || !isOneWay {
            drop.deniedIngress = part(of: sent)
            if world.live.contains(flowID), chance(1, of: 6) {
                let next = counters()
                early[flowID] = next
                drop.deniedIngress += next
            }
        }
        if !isNear || !isOneWay, chance(1, of: 4) { drop.deniedEgress = counters() }
        if chance(1, of: 8) {
            drop.failures = (1, 2)
            drop.failureReason = Self.queueDrop
        }
        if !world.tracksNothing, drop.deniedIngress != .zero, chance(1, of: 4) {
            drop.destination = FlowDrop.Destination(
                address: IPAddress(10, 0, 0, UInt8.random(in: 1...5, using: &world.random)),
                port: 443
            )
        }
        batch.drops.append(drop)
        addReported(drop.deniedIngress, isForward: isNear, isCounted: true)
        addReported(drop.deniedEgress, isForward: !isNear, isCounted: false)
        guard isNear || !isOneWay, chance(1, of: 8) else { return }
        let uncounted = counters()
        batch.drops.append(
            FlowDrop(flowID: flowID, deniedIngress: uncounted, isIngressCounted: false, decision: Self.decision)
        )
        addReported(uncounted, isForward: isNear, isCounted: false)
    }

    private mutating func addReported(_ traffic: TrafficCounters, isForward: Bool, isCounted: Bool) {
        if isForward { told.forward += traffic } else { told.backward += traffic }
        if !isCounted { told.uncounted += traffic }
    }

    /// Returns a random part of the packets, or all of them.
    private mutating func part(of sent: TrafficCounters) -> TrafficCounters {
        guard sent.packets > 0, chance(3, of: 4) else { return sent.packets > 0 ? sent : .zero }
        let packets = UInt64.random(in: 1...sent.packets, using: &world.random)
        let bytes = packets == sent.packets ? sent.bytes : UInt64.random(in: 0...sent.bytes, using: &world.random)
        return TrafficCounters(packets: packets, bytes: bytes)
    }
}
