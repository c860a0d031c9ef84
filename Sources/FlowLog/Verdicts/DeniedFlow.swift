import FlowModel

/// A datapath flow with denied packets, now or until recently.
struct DeniedFlow {
    /// The datapath's identifier of the flow.
    let flowID: UInt32
    /// The connection, as the end of ``localEnd`` sees it.
    var connection: ResolvedFlow
    /// The end that the flow is reported for; the initiator, if the flow is not reported.
    let localEnd: InterfaceEnd
    /// Whether the flow is reported itself; otherwise another flow may report its denied packets.
    let isReported: Bool
    /// The place of the conversation, if the flow is not reported.
    var waitingPlace: UInt32?
    /// The share of memory that it is charged to (``DetailBudget``).
    let share: UInt16
    /// The destination that was called, if denied packets were on their way to another one.
    var called: FlowDrop.Destination?

    /// The ledger's flow of the own end; nil before it has begun, and if the flow is not reported.
    var own: LedgerFlow?
    /// Whether ``own`` is known to have the ends and the policies of ``connection`` and ``evaluation``.
    var isOwnCurrent = false
    /// The ledger's flow of the other end, which never sees the packets, as long as they are denied.
    var otherEnd: LedgerFlow?
    /// The verdict to continue with under another name.
    var resumedAction: FlowAction?

    /// The policies' verdict on the connection; nil until it is evaluated, and when it must be evaluated again.
    var evaluation: VerdictEvaluation? {
        didSet { isOwnCurrent = false }
    }
    /// The record that denied packets of the initiator belong to.
    private(set) var decider = Decider.own

    /// Denied packets of the initiator.
    var forward = DenialBalance()
    /// Denied answers.
    var backward = DenialBalance()
    /// The changes of the present batch.
    var changes = Changes()

    /// The record that denied packets belong to.
    enum Decider {
        /// The end that the flow is reported for.
        case own
        /// The other end.
        case otherEnd(FlowReporter)
        /// The flow of the interface by which the packets entered.
        case entryInterface
        /// The flow that a host endpoint reports for the other interface; no record where there is none.
        case otherInterface
        /// No record: neither end belongs to this node.
        case nobody
    }

    /// The changes of a flow in one batch.
    struct Changes {
        /// Traffic that entered the node through the interface.
        var ingress = TrafficCounters.zero
        /// The traffic that left the node.
        var egress = TrafficCounters.zero
        /// Denied packets of the initiator: the counted ones, and the uncounted ones.
        var forward = (counted: TrafficCounters.zero, uncounted: TrafficCounters.zero)
        /// Denied answers, likewise.
        var backward = (counted: TrafficCounters.zero, uncounted: TrafficCounters.zero)
        /// The part of the counted denied traffic that may be counted with the next batch.
        var later = TrafficCounters.zero
        /// The last decision.
        var reason: DropReason?
        /// Whether the flow is listed to be settled.
        var isListed = false
    }

    /// The end beside the own one whose record holds the denied packets; nil if there is none.
    var otherEndReporter: FlowReporter? {
        switch decider {
        case .otherEnd(let reporter): reporter
        case .entryInterface: .source
        case .own, .otherInterface, .nobody: nil
        }
    }

    /// The initiator.
    var initiator: InterfaceEnd { connection.reporter == .source ? localEnd : localEnd.other }

    /// Whether the initiator's packets are denied, as far as is known.
    var isDenied: Bool { otherEndReporter == nil ? own?.action == .deny : otherEnd != nil }

    /// The connection with a verdict, as one of its ends records it.
    func withVerdict(_ action: FlowAction, by reporter: FlowReporter) -> ResolvedFlow {
        connection.seen(by: reporter).withVerdict(action, by: evaluation?.trace(for: reporter))
    }

    /// Changes the record that denied packets belong to from now on.
    ///
    /// The other end's record has denied packets when the drop is reported, the own record when the packets are counted. Drops
    /// that were reported and not counted yet move to the own flow, or have been recorded already.
    mutating func decide(_ next: Decider) {
        let wasAtOtherEnd = otherEndReporter != nil
        decider = next
        guard wasAtOtherEnd != (otherEndReporter != nil) else { return }
        if !wasAtOtherEnd { changes.forward.counted += forward.owed }
        forward = DenialBalance()
    }

    /// Takes in denied packets.
    mutating func add(_ drop: FlowDrop) {
        let isForward = initiator == .near
        let counted = drop.isIngressCounted ? drop.deniedIngress : .zero
        let uncounted = drop.isIngressCounted ? .zero : drop.deniedIngress
        if isForward {
            changes.forward.counted += counted
            changes.forward.uncounted += uncounted
            changes.backward.uncounted += drop.deniedEgress
        } else {
            changes.backward.counted += counted
            changes.backward.uncounted += uncounted
            changes.forward.uncounted += drop.deniedEgress
        }
        if drop.isIngressCounted { changes.later = drop.later }
        if let reason = drop.decision { changes.reason = reason }
    }
}

/// A flow in the ledger, and the group it counts for.
struct LedgerFlow {
    /// The flow.
    let flow: UInt32
    /// Its group.
    let group: UInt32
    /// Its verdict.
    let action: FlowAction
    /// Whether the flow began in this interval for the first time.
    var isNew = false
}

/// The verdicts of policies at both ends of a connection, with the generations they were made from.
struct VerdictEvaluation {
    /// The verdict at the initiator; nil if it has no policies.
    let egress: PolicyTrace?
    /// The verdict at the responder; nil if it has no policies.
    let ingress: PolicyTrace?
    /// The evaluator's generation, nil if there was none, and the resolver's.
    let generations: (policies: UInt64?, resolver: UInt64)

    /// The trace at one of the ends.
    func trace(for reporter: FlowReporter) -> PolicyTrace? {
        reporter == .source ? egress : ingress
    }
}
