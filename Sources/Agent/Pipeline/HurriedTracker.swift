import FlowModel
import Synchronization

/// Asks connection tracking as long as there is time for it.
///
/// A question takes the kernel some microseconds. When a run ends and many flows are new, their records are worth more than
/// what was translated of them.
final class HurriedTracker: ConnectionTracker {
    private let tracker: any ConnectionTracker
    private let plan: StopPlan
    private let skippedCount = Atomic<UInt64>(0)

    /// Takes the tracker to ask, and the plan that limits the time.
    init(_ tracker: any ConnectionTracker, _ plan: StopPlan) {
        self.tracker = tracker
        self.plan = plan
    }

    /// How many questions were not asked.
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
