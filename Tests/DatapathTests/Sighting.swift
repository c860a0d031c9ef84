import CWeir
import FlowModel
import Testing

@testable import Datapath

/// The bucket in which a packet was counted.
enum Sighting: Hashable {
    /// In a flow.
    case flow(FlowKey, TrafficCounters, FlowMarks)
    /// A frame that is not IP.
    case notIP(TrafficCounters)
    /// A frame that could not be parsed.
    case unparsed(Reason, TrafficCounters)
    /// The account or the table contradicts itself.
    case contradiction(String)

    /// The buckets of ``UnparsedReasons``.
    enum Reason: Hashable {
        case link
        case network
        case `extension`
        case transport
    }
}

extension TestRunCounter {
    /// Sends one frame through `lo`, and returns its sighting; the table is empty before and after.
    ///
    /// The rest of the account must not change.
    func sight(
        _ frame: [UInt8],
        _ direction: Direction = .ingress,
        gso: (size: UInt32, segments: UInt32) = (0, 0)
    ) throws -> Sighting {
        let before = account(direction)
        let other = account(direction == .ingress ? .egress : .ingress)
        try run(frame, direction, gso: gso)
        let batch = try scan(ending: true)
        let after = account(direction)
        guard account(direction == .ingress ? .egress : .ingress) == other else {
            return .contradiction("the other direction counted")
        }
        guard after.isBalanced, after.remainder == before.remainder, after.overflow == before.overflow else {
            return .contradiction("not balanced: \(after)")
        }
        let skb = after.skb.since(before.skb)
        guard skb == TrafficCounters(packets: 1, bytes: UInt64(frame.count)) else {
            return .contradiction("as the device counts: \(skb)")
        }
        return bucket(before, after, batch, direction)
    }

    private func bucket(
        _ before: DirectionAccount,
        _ after: DirectionAccount,
        _ batch: FlowBatch,
        _ direction: Direction
    ) -> Sighting {
        let (notIP, unparsed) = (after.notIP.since(before.notIP), after.unparsed.since(before.unparsed))
        let reasons: [(Sighting.Reason, UInt64)] = [
            (.link, after.unparsedReasons.link - before.unparsedReasons.link),
            (.network, after.unparsedReasons.network - before.unparsedReasons.network),
            (.extension, after.unparsedReasons.extension - before.unparsedReasons.extension),
            (.transport, after.unparsedReasons.transport - before.unparsedReasons.transport),
        ]
        let grown = reasons.filter { $0.1 != 0 }
        switch (batch.births.count, notIP.packets, unparsed.packets) {
        case (0, 1, 0) where grown.isEmpty && batch.isEmpty: return .notIP(notIP)
        case (0, 0, 1) where grown.map(\.1) == [1] && batch.isEmpty: return .unparsed(grown[0].0, unparsed)
        case (1, 0, 0) where grown.isEmpty && batch.deltas.count == 1 && batch.ends == batch.births.map(\.flowID):
            let delta = batch.deltas[0]
            let (counted, other) =
                direction == .ingress ? (delta.ingress, delta.egress) : (delta.egress, delta.ingress)
            guard other == .zero else { return .contradiction("the flow's other direction counted") }
            return .flow(batch.births[0].key, counted, batch.births[0].marks)
        default: return .contradiction("\(batch), not IP \(notIP), unparsed \(unparsed) \(grown)")
        }
    }
}
