import FlowModel

/// A datapath flow whose packets are, or were until recently, denied.
struct DeniedFlow {
    /// The datapath's identifier of the flow.
    let flowID: UInt32
    /// The connection as ``localEnd`` sees it.
    var connection: ResolvedFlow
    /// The end that the flow is reported for; if the flow is not reported, the initiator.
    let localEnd: InterfaceEnd
    /// Whether this flow is reported; otherwise another flow may report its denied packets.
    let isReported: Bool
    /// The place of the conversation, if the flow is not reported.
    var waitingPlace: UInt32?
    /// The share of memory that the flow is charged to (``DetailBudget``).
    let share: UInt16
    /// The original destination, if denied packets had another one.
    var called: FlowDrop.Destination?

    /// The ledger's flow of the reporting end; nil before it has begun, and if the flow is not reported.
    var own: LedgerFlow?
    /// Whether ``own`` has the current ends and policies of ``connection`` and ``evaluation``.
    var isOwnCurrent = false
    /// The ledger's flow of the other end, or of a host endpoint that forwards, which does not receive the packets; only while
    /// they are denied.
    var otherEnd: LedgerFlow?
    /// The ledger's flows for which packets of the connection were counted, in the last interval with any.
    private(set) var lastCounted = CountedFlows(interval: .max)
    /// The verdict with which the flow continues after a change of names.
    var resumedAction: FlowAction?
    /// The record that denied packets of the initiator belong to.
    private(set) var decider = Decider.own
    /// The process that owns the reporting end's socket, if it is known; the socket may not report it again.
    var process: FlowProcess?

    /// The policies' verdict on the connection; nil until the evaluation, and if it must be repeated.
    var evaluation: VerdictEvaluation? {
        didSet { isOwnCurrent = false }
    }

    /// Denied packets of the initiator.
    var forward = DenialBalance()
    /// Denied packets of the responder.
    var backward = DenialBalance()
    /// The changes of the present batch.
    var changes = Changes()

    /// The record that denied packets belong to.
    enum Decider {
        /// The record of the end that the flow is reported for.
        case own
        /// The record of the other end, or of a host endpoint that forwards.
        case otherEnd(FlowReporter)
        /// The record of the flow at the interface through which the packets entered.
        case entryInterface
        /// The record of the flow that a host endpoint reports for the other interface; no record if there is none.
        case otherInterface
        /// No record: neither end belongs to this node.
        case nobody
    }

    /// The changes of a flow in one batch.
    struct Changes {
        /// Traffic that entered the node through the interface.
        var ingress = TrafficCounters.zero
        /// Traffic that left the node through the interface.
        var egress = TrafficCounters.zero
        /// Denied packets of the initiator: those that the interface counted, and those that it did not.
        var forward = (counted: TrafficCounters.zero, uncounted: TrafficCounters.zero)
        /// Denied packets of the responder, likewise.
        var backward = (counted: TrafficCounters.zero, uncounted: TrafficCounters.zero)
        /// The part of the counted denied traffic that may be in the next batch's count.
        var later = TrafficCounters.zero
        /// The last decision.
        var reason: DropReason?
        /// Whether the flow is on the list of flows to settle.
        var isListed = false
    }

    /// The ledger's flows of the own end for which packets of the connection were counted in an interval.
    struct CountedFlows {
        /// The number of the interval.
        var interval: UInt32
        /// The flow of allowed packets; ``none`` if there were none.
        fileprivate var allowed = none
        /// The flow of denied packets; ``none`` if there were none.
        fileprivate var denied = none

        fileprivate static let none = UInt32.max

        init(interval: UInt32) { self.interval = interval }
    }

    /// The flow for which the connection's allowed packets were counted in an interval, else that of its denied ones; nil if it
    /// had neither.
    func counted(in interval: UInt32) -> UInt32? {
        guard lastCounted.interval == interval else { return nil }
        let flow = lastCounted.allowed == CountedFlows.none ? lastCounted.denied : lastCounted.allowed
        return flow == CountedFlows.none ? nil : flow
    }

    /// Notes that packets were counted for a flow in an interval.
    mutating func noteCounted(for flow: LedgerFlow, in interval: UInt32) {
        if lastCounted.interval != interval { lastCounted = CountedFlows(interval: interval) }
        if flow.action == .allow { lastCounted.allowed = flow.flow } else { lastCounted.denied = flow.flow }
    }

    /// The reporter of the other end's record, if that record contains the denied packets; else nil.
    var otherEndReporter: FlowReporter? {
        switch decider {
        case .otherEnd(let reporter): reporter
        case .entryInterface: .source
        case .own, .otherInterface, .nobody: nil
        }
    }

    /// The initiator.
    var initiator: InterfaceEnd { connection.reporter == .source ? localEnd : localEnd.other }

    /// Whether the initiator's packets are denied, as far as known.
    var isDenied: Bool { otherEndReporter == nil ? own?.action == .deny : otherEnd != nil }

    /// Returns the connection with a verdict, as one of its ends or a host endpoint records it.
    func withVerdict(_ action: FlowAction, by reporter: FlowReporter) -> ResolvedFlow {
        // Allowed packets leave through an interface whose host endpoint does not deny them.
        let isAllowedForward = reporter == .forward && action == .allow
        let trace = isAllowedForward ? connection.policies : evaluation?.trace(for: reporter)
        return connection.seen(by: reporter).withVerdict(action, by: trace)
    }

    /// Changes the record that denied packets belong to from now on.
    ///
    /// The other end's record gets denied packets when the drop is reported; the flow's own record gets them when they are
    /// counted. Drops that are reported but not counted yet move to the own record, or have been recorded already.
    mutating func decide(_ next: Decider) {
        let wasAtOtherEnd = otherEndReporter != nil
        decider = next
        guard wasAtOtherEnd != (otherEndReporter != nil) else { return }
        if !wasAtOtherEnd { changes.forward.counted += forward.owed }
        forward = DenialBalance()
    }

    /// Adds denied packets.
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

/// A flow in the ledger, with its group.
struct LedgerFlow {
    /// The flow.
    let flow: UInt32
    /// Its group.
    let group: UInt32
    /// Its verdict.
    let action: FlowAction
    /// Whether the flow began in this interval, and not earlier.
    var isNew = false
}

/// The verdicts of policies at both ends of a connection, with the generations of their inputs.
struct VerdictEvaluation {
    /// The verdict at the initiator; nil if it has no policies.
    let egress: PolicyTrace?
    /// The verdict at the responder; nil if it has no policies.
    let ingress: PolicyTrace?
    /// The verdict of host endpoints on packets that are forwarded; nil if none governs them.
    let transit: PolicyTrace?
    /// The generation of the evaluator (0 if there was none), and of the resolver.
    let generations: (policies: UInt64, resolver: UInt64)

    /// Returns the trace at the place of a reporter.
    func trace(for reporter: FlowReporter) -> PolicyTrace? {
        switch reporter {
        case .source: egress
        case .destination: ingress
        case .forward: transit
        }
    }
}
