import Export
import Server
import Store
import Synchronization

/// Publishes metrics of records for the store.
struct StoreMetrics: MetricsSource {
    /// The numbers that the threads that write the store publish; reading them never waits for the disk.
    final class Tally: Sendable {
        /// The state after the last commit.
        struct State {
            var records = StoreStatistics()
            var isFailing = false
            var losesChanges = false
        }

        let state = Mutex(State())
    }

    let tally: Tally
    let queue: QueuedTap

    func write(to writer: inout MetricsWriter) {
        let (records, isFailing, losesChanges) = tally.state.withLock { ($0.records, $0.isFailing, $0.losesChanges) }
        writer.family("weir_store_records", .counter, "Records for the store, by what became of them.")
        for (result, count) in [
            ("stored", records.stored), ("queue_full", queue.lostRecords), ("failed", records.failed),
            ("too_old", records.tooOld), ("unreadable", records.unreadable),
        ] {
            writer.sample(MetricLabels(["result": result]), UInt64(clamping: count))
        }
        writer.family("weir_store_failing", .gauge, "1 while the store cannot be written, by what is not stored.")
        writer.sample(MetricLabels(["content": "records"]), UInt64(isFailing ? 1 : 0))
        writer.sample(MetricLabels(["content": "changes"]), UInt64(losesChanges ? 1 : 0))
    }
}
