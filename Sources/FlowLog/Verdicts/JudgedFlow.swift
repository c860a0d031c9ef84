import FlowModel

/// A number of the datapath whose flow something is denied of, or was until lately.
struct JudgedFlow {
    /// The datapath's number.
    let number: UInt32
    /// The connection, as the end of ``localEnd`` sees it.
    var connection: ResolvedFlow
    /// The end that the number is reported for; of a number that is not reported, the end that began.
    let localEnd: InterfaceEnd
    /// Whether the number is reported itself; otherwise another number may report what is denied.
    let isReported: Bool
    /// Where the conversation of a number lies that is not reported.
    var waitingPlace: UInt32?
    /// The share of memory that it is charged to (``DetailBudget``).
    let share: UInt16
    /// The destination that was called, if denied packets were on their way to another one.
    var called: FlowDrop.Destination?

    /// The flow that the number counts for; nil before it has begun, and for a number that is not reported.
    var own: LedgerFlow?
    /// Whether ``own`` is known to have the ends and the policies of ``connection`` and ``evaluation``.
    var isOwnCurrent = false
    /// The flow of a local end that never sees the number's packets, as long as it is denied.
    var mirror: LedgerFlow?
    /// The verdict to go on with under another name.
    var resumedAction: FlowAction?

    /// The policies' verdict on the connection; nil until it is evaluated, and when it must be evaluated again.
    var evaluation: VerdictEvaluation? {
        didSet { isOwnCurrent = false }
    }
    /// The record that denied packets of the initiator belong to.
    private(set) var decider = Decider.own

    /// What was denied of packets of the end that began.
    var forward = DenialBalance()
    /// What was denied of answers.
    var backward = DenialBalance()
    /// The changes of the present batch.
    var news = News()

    /// The record that denied packets belong to.
    enum Decider {
        /// The end that the number is reported for.
        case own
        /// An end that the number is not reported for.
        case mirror(FlowReporter)
        /// The number of the interface through which the packets came in.
        case entrance
        /// No record: neither end belongs to this node.
        case nobody
    }

    /// The changes of a number in one batch.
    struct News {
        /// What entered the node through the interface.
        var ingress = TrafficCounters.zero
        /// What left it.
        var egress = TrafficCounters.zero
        /// Denied packets of the end that began: those that were counted, and those that were not.
        var forward = (counted: TrafficCounters.zero, uncounted: TrafficCounters.zero)
        /// Denied answers, likewise.
        var backward = (counted: TrafficCounters.zero, uncounted: TrafficCounters.zero)
        /// How much of the denied that is counted may be counted with the next batch.
        var later = TrafficCounters.zero
        /// The last decision.
        var reason: DropReason?
        /// Whether the number is in the list of those to look at.
        var isListed = false
    }

    /// Whose record beside the number's own is to hold what was denied; nil if there is to be none.
    var mirroringReporter: FlowReporter? {
        switch decider {
        case .mirror(let reporter): reporter
        case .entrance: .source
        case .own, .nobody: nil
        }
    }

    /// The end that began.
    var initiator: InterfaceEnd { connection.reporter == .source ? localEnd : localEnd.other }

    /// Whether what the end that began sends is denied, as far as is known.
    var isDenied: Bool { mirroringReporter == nil ? own?.action == .deny : mirror != nil }

    /// The connection with a verdict, as one of its ends records it.
    func judged(_ action: FlowAction, by reporter: FlowReporter) -> ResolvedFlow {
        connection.seen(by: reporter).judged(action, by: evaluation?.trace(for: reporter))
    }

    /// Changes the record that denied packets belong to from now on.
    ///
    /// A mirror records denied packets when the drop is reported, the number's own flow when the packets are counted.
    /// Drops that were reported and not counted yet move to the own flow, or have been recorded already.
    mutating func decide(_ next: Decider) {
        let wasMirrored = mirroringReporter != nil
        decider = next
        guard wasMirrored != (mirroringReporter != nil) else { return }
        if !wasMirrored { news.forward.counted += forward.owed }
        forward = DenialBalance()
    }

    /// Takes in what was denied.
    mutating func add(_ drop: FlowDrop) {
        let isForward = initiator == .near
        let counted = drop.isIngressCounted ? drop.deniedIngress : .zero
        let uncounted = drop.isIngressCounted ? .zero : drop.deniedIngress
        if isForward {
            news.forward.counted += counted
            news.forward.uncounted += uncounted
            news.backward.uncounted += drop.deniedEgress
        } else {
            news.backward.counted += counted
            news.backward.uncounted += uncounted
            news.forward.uncounted += drop.deniedEgress
        }
        if drop.isIngressCounted { news.later = drop.later }
        if let reason = drop.decision { news.reason = reason }
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
    var isNews = false
}

/// The verdicts of policies at both ends of a connection, and the generations they were made from.
struct VerdictEvaluation {
    /// At the end that began; nil if it has no policies.
    let egress: PolicyTrace?
    /// At the end that was called.
    let ingress: PolicyTrace?
    /// The evaluator's generation, nil if there was none, and the resolver's.
    let generations: (policies: UInt64?, resolver: UInt64)

    /// The trace at one of the ends.
    func trace(for reporter: FlowReporter) -> PolicyTrace? {
        reporter == .source ? egress : ingress
    }
}
