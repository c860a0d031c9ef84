import FlowModel
import Records

/// The reporter and the verdict of a record.
struct PairView: Sendable {
    let reporter: FlowReporter
    let isDenied: Bool

    /// Reads a record.
    init(_ record: ReadRecord) {
        reporter = record.isForwarded ? .forward : record.isDestinationReported ? .destination : .source
        isDenied = record.isDenied
    }
}

/// The amounts of one pair by reporter.
///
/// A connection may be in a record of each end, and in one of a host that forwards it, so these amounts overlap.
struct PairAmounts {
    private struct Verdicts {
        var all = Amount()
        var denied = Amount()

        mutating func add(_ amount: Amount, isDenied: Bool) {
            all += amount
            if isDenied { denied += amount }
        }
    }

    private var source = Verdicts()
    private var destination = Verdicts()
    private var forward = Verdicts()

    /// Adds an amount.
    mutating func add(_ amount: Amount, _ view: PairView) {
        switch view.reporter {
        case .source: source.add(amount, isDenied: view.isDenied)
        case .destination: destination.add(amount, isDenied: view.isDenied)
        case .forward: forward.add(amount, isDenied: view.isDenied)
        }
    }

    /// The amounts with each connection counted once.
    ///
    /// The end with more connections counts for the total, and what either end denied is denied; without a record of an end,
    /// the host that forwards counts. Its denials always count, except those that the ends report, too: connections that it
    /// denied before any end saw them are added to the total.
    var counted: (allowed: Amount, denied: Amount) {
        let isOfSource = source.all.connections >= destination.all.connections && source.all != Amount()
        let ends = isOfSource ? source.all : destination.all
        let total = ends == Amount() ? forward.all : ends
        // The source sees all of its connections, the destination only those that arrive.
        let unseen =
            source.all == Amount() ? forward.denied.limited(to: forward.all.without(total)) : Amount()
        let deniedByEnds = source.denied.adding(destination.denied)
        let deniedBetween = forward.denied.without(unseen).without(deniedByEnds)
        let denied = deniedByEnds.adding(unseen).adding(deniedBetween)
        return (total.adding(unseen).without(denied), denied)
    }
}
