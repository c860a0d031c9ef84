import FlowModel

/// A number of the datapath whose flow something is denied of, or was until lately.
struct JudgedFlow {
    /// The datapath's number.
    let number: UInt32
    /// The connection, as the end of ``localEnd`` sees it.
    var connection: ResolvedFlow
    /// The end that the number is reported for; of a number that is not reported, the end that began.
    let localEnd: InterfaceEnd
    /// Whether the number is reported itself; else what is denied may be another's to report.
    let isReported: Bool
    /// Where the conversation of a number lies that is not reported.
    var waitingPlace: UInt32?
    /// Who pays for it (``DetailBudget``).
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

    /// What policies said of the connection; nil until they are asked, and when they are to be asked anew.
    var evaluation: VerdictEvaluation? {
        didSet { isOwnCurrent = false }
    }
    /// Whose denial it is when packets of the end that began are denied.
    private(set) var decider = Decider.own

    /// What was denied of packets of the end that began.
    var forward = DenialBalance()
    /// What was denied of answers.
    var backward = DenialBalance()
    /// What the batch says.
    var news = News()

    /// Who records what was denied.
    enum Decider {
        /// The end that the number is reported for.
        case own
        /// An end that the number is not reported for.
        case mirror(FlowReporter)
        /// The number of the interface through which the packets came in.
        case entrance
        /// Nobody: neither end is this node's.
        case nobody
    }

    /// What a batch says of a number.
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

    /// Lets somebody record from now on what is denied.
    ///
    /// A mirror records denied packets when they are told, the number's own flow when they are counted: what was told and is
    /// not counted yet changes hands, or has been recorded.
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
    /// Whether it had not begun in this interval before.
    var isNews = false
}

/// What policies say of a connection at both ends, and as of when.
struct VerdictEvaluation {
    /// At the end that began; nil if it has no policies.
    let egress: PolicyTrace?
    /// At the end that was called.
    let ingress: PolicyTrace?
    /// The evaluator's generation, nil if there was none, and the resolver's.
    let generations: (policies: UInt64?, resolver: UInt64)

    /// What it says at one of the ends.
    func trace(for reporter: FlowReporter) -> PolicyTrace? {
        reporter == .source ? egress : ingress
    }
}
