public import FlowModel

/// Traffic of flows that is in no record, or in a record of another interface, since the beginning.
///
/// The sum of this and of the traffic in records is all traffic of flows and remainders that the datapath reported.
public struct UnrecordedTraffic: Sendable, Equatable {
    /// Traffic of flows without an end that is known to belong to this node.
    public var transit = TrafficCounters.zero
    /// Traffic of flows that are reported at another interface of this node, the interface of their workload.
    public var elsewhere = TrafficCounters.zero
    /// Traffic of unknown flow identifiers.
    public var unknown = TrafficCounters.zero

    /// Creates an empty value.
    public init() {}
}

extension FlowAggregator {
    /// Adds traffic to a flow that is not reported.
    mutating func addToTransit(ingress: TrafficCounters, egress: TrafficCounters, at place: UInt32) {
        transit.add(ingress + egress, at: place)
    }

    /// Removes the conversation of a flow that is not reported, and counts its traffic.
    mutating func removeWaiting(at place: UInt32) {
        classify(transit.take(place), of: waiting[place])
        release(DetailCost.waiting, from: waiting[place].share)
        waiting.remove(place)
    }

    /// Counts the unreported traffic of the interval; must be called while its flows are still kept.
    mutating func endTransitInterval() {
        for (place, traffic) in transit.takeAll() where traffic != .zero { classify(traffic, of: waiting[place]) }
    }

    private mutating func classify(_ traffic: TrafficCounters, of conversation: Conversation) {
        guard traffic != .zero else { return }
        if isReportedElsewhere(conversation) {
            unrecorded.elsewhere += traffic
        } else {
            unrecorded.transit += traffic
        }
    }

    /// Whether another interface reports a conversation, or would if there were memory for its flow.
    func isReportedElsewhere(_ conversation: Conversation) -> Bool {
        let isOfWorkload = resolver.isLocalWorkload(conversation.near) || resolver.isLocalWorkload(conversation.far)
        if isOfWorkload, hasWorkloadInterfaces { return true }
        let connection = conversation.flow(from: conversation.initiator, by: resolver)
        if ledger.keeps(connection) || ledger.keeps(connection.seen(by: .destination)) { return true }
        return hostInterface != nil && ledger.keeps(connection.seen(by: .forward))
    }
}
