import ClusterModel
import ClusterSource
import Datapath
import Server

/// The health of a run, for probes.
struct RunHealth: Sendable {
    let board: RunBoard
    let sources: InventorySources
    private let intervals: LiveIntervals

    /// The minimum time of silence after which a thread counts as stuck, ns.
    private static let shortestPatience: Int64 = 60_000_000_000

    /// Takes the run's parts; a thread counts as stuck when it has been silent for several of its intervals.
    init(_ intervals: LiveIntervals, _ board: RunBoard, _ sources: InventorySources) {
        self.board = board
        self.sources = sources
        self.intervals = intervals
    }

    /// The time without a sign of life after which the thread that reads the kernel counts as stuck, ns.
    private var readerPatience: Int64 { Self.patience(10, of: intervals.poll) }

    /// The same time for the pipeline.
    private var pipelinePatience: Int64 { Self.patience(3, of: intervals.flush) }

    /// A number of intervals, ns, but not less than the minimum; intervals may be as long as a hundred years.
    private static func patience(_ count: Int64, of interval: Duration) -> Int64 {
        let (time, isBeyond) = interval.nanoseconds.multipliedReportingOverflow(by: count)
        return isBeyond ? .max : max(shortestPatience, time)
    }

    /// Faults that a restart of the process would remove.
    var ailments: [String] {
        let now = Clock.monotonic
        var lines: [String] = []
        let kernel = board.kernel
        if kernel.isAttached, now - max(kernel.scannedAt, board.startedAt) > readerPatience {
            lines.append("the flow table has not been read for \((now - kernel.scannedAt) / 1_000_000_000) s")
        }
        let worked = board.records.workedAt
        if worked > 0, now - worked > pipelinePatience {
            lines.append("no records have been made for \((now - worked) / 1_000_000_000) s")
        }
        return lines
    }

    /// Parts that are not ready yet.
    var missing: [String] {
        var lines: [String] = []
        let kernel = board.kernel
        if !kernel.isAttached {
            lines.append("datapath: not attached yet")
        } else if kernel.reading.watched.isEmpty {
            lines.append("datapath: no interface is watched")
        }
        guard let cluster = sources.clusterStatistics else { return lines }
        let waiting = cluster.kinds.filter { !$0.value.isSettled }.keys.map(\.rawValue).sorted()
        if !waiting.isEmpty {
            lines.append("inventory: not all objects are known of \(waiting.joined(separator: ", "))")
        }
        return lines
    }
}
