import FlowLog
import FlowModel
import Synchronization

/// What records carry of what the interfaces carried, and what is in none, and why.
///
/// An account that is balanced says where each packet was counted; this says whether anybody can read of it.
struct RecordAccount: Sendable, Equatable {
    /// What records say that endpoints sent and got.
    var recorded = TrafficCounters.zero
    /// Of that, what records say without its other end, because the datapath had no room for the flow.
    var remainder = TrafficCounters.zero
    /// Traffic of flows that is in no record, or in that of another interface.
    var unrecorded = UnrecordedTraffic()
    /// Denied packets that no record says to be denied.
    var unrecordedDenials: UInt64 = 0
}

/// Hands the account of records from the pipeline to whoever asks.
final class RecordTally: Sendable {
    private let state = Mutex(RecordAccount())

    /// The account as of the last flush.
    var account: RecordAccount { state.withLock { $0 } }

    /// Takes in a flush.
    ///
    /// - Parameters:
    ///   - recorded: what its records carried.
    ///   - statistics: the aggregator's, after it.
    func add(_ recorded: TrafficCounters, _ statistics: FlowAggregator.Statistics) {
        state.withLock { account in
            account.recorded += recorded
            account.remainder = statistics.remainder
            account.unrecorded = statistics.unrecorded
            account.unrecordedDenials = statistics.unrecordedDenials
        }
    }
}
