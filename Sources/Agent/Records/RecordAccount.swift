import FlowLog
import FlowModel
import Synchronization

/// The part of the interfaces' traffic that is in records, the part that is not, and the reasons.
///
/// A balanced account shows where each packet was counted; this one shows how many packets are in records.
struct RecordAccount: Sendable, Equatable {
    /// Traffic that records show as sent and received by endpoints, or as forwarded by the host.
    var recorded = TrafficCounters.zero
    /// The part of the recorded traffic that is in records without the other end, because the datapath had no room for the
    /// flow.
    var remainder = TrafficCounters.zero
    /// Traffic of flows that is in no record, or in the record of another interface.
    var unrecorded = UnrecordedTraffic()
    /// Denied packets that no record contains as denied.
    var unrecordedDenials: UInt64 = 0
}

/// Passes the account of records from the pipeline to its readers.
final class RecordTally: Sendable {
    private let state = Mutex(RecordAccount())

    /// The account as of the last flush.
    var account: RecordAccount { state.withLock { $0 } }

    /// Adds a flush.
    ///
    /// - Parameters:
    ///   - recorded: the traffic in its records.
    ///   - statistics: the aggregator's statistics after it.
    func add(_ recorded: TrafficCounters, _ statistics: FlowAggregator.Statistics) {
        state.withLock { account in
            account.recorded += recorded
            account.remainder = statistics.remainder
            account.unrecorded = statistics.unrecorded
            account.unrecordedDenials = statistics.unrecordedDenials
        }
    }
}
