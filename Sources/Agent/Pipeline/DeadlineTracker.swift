import FlowModel
import Synchronization

/// Queries connection tracking until the plan's time for queries is over.
///
/// A query takes some microseconds in the kernel. If a run ends with many new flows, their records are more important than the
/// addresses before translation.
final class DeadlineTracker: ConnectionTracker {
    private let tracker: any ConnectionTracker
    private let plan: StopPlan
    private let skippedCount = Atomic<UInt64>(0)

    /// Wraps a tracker; the plan limits the time.
    init(_ tracker: any ConnectionTracker, _ plan: StopPlan) {
        self.tracker = tracker
        self.plan = plan
    }

    /// The number of connections that were not queried.
    var skipped: UInt64 { skippedCount.load(ordering: .relaxed) }

    func connection(of packets: TrackedConnection.Tuple) -> TrackedConnection? {
        guard !plan.isOver(.questions) else {
            skippedCount.add(1, ordering: .relaxed)
            return nil
        }
        return tracker.connection(of: packets)
    }

    func connections(of packets: [TrackedConnection.Tuple]) -> [TrackedConnection?] {
        guard !plan.isOver(.questions) else {
            skippedCount.add(UInt64(packets.count), ordering: .relaxed)
            return Array(repeating: nil, count: packets.count)
        }
        return tracker.connections(of: packets)
    }
}
