import Datapath
import FlowLog
import FlowModel
import Names
import Policy
import Server
import Synchronization

/// Statistics that the threads of a run publish for metrics, probes and status.
///
/// Each thread publishes a copy after a scan, a flush or a batch. A reader delays it no longer than a copy takes, and no single
/// packet or record is published.
final class RunBoard: Sendable {
    /// Statistics of the thread that reads the kernel.
    struct Kernel: Sendable {
        /// Everything that the datapath counts.
        var reading = DatapathReading()
        /// Packets that the kernel dropped.
        var drops: [DroppedPackets] = []
        /// The times of the programs, where the kernel measures them.
        var programs: [ProgramTime] = []
        /// Whether the kernel reports drops.
        var countsDrops = false
        /// Whether the existing interfaces are watched.
        var isAttached = false
        /// The number of times that the programs were attached again after another program had removed them.
        var reattachments: UInt64 = 0
        /// The time of the last scan of the flow table, CLOCK_MONOTONIC ns.
        var scannedAt: Int64 = 0
        /// The durations of scans, in seconds.
        var scans = MetricHistogram.durations
    }

    /// Statistics of the pipeline.
    struct Records: Sendable {
        /// The aggregator's counters; nil before the first batch.
        var statistics: FlowAggregator.Statistics?
        /// Records that were made.
        var records: UInt64 = 0
        /// Statistics of DNS messages; nil where they are not collected.
        var names: DomainTracker.Statistics?
        /// The durations of flushes, in seconds.
        var flushes = MetricHistogram.durations
        /// Traffic of workloads; nil if it is not configured.
        var workloads: [FlowMeter.Entry]?
        /// The last time when the pipeline was alive, CLOCK_MONOTONIC ns.
        var workedAt: Int64 = 0
    }

    /// The time when the run began, CLOCK_MONOTONIC ns.
    let startedAt = Clock.monotonic
    private let kernelState = Mutex(Kernel())
    private let recordState = Mutex(Records())
    private let findingState = Mutex<[PolicyFinding.Severity: Int]>([:])
    private let findingTexts = Mutex<[String]>([])
    /// The most findings that are kept as texts.
    private static let textLimit = 20

    /// The last statistics of the kernel's reader.
    var kernel: Kernel { kernelState.withLock { $0 } }
    /// The last statistics of the pipeline.
    var records: Records { recordState.withLock { $0 } }
    /// The number of findings about policies, by severity.
    var findings: [PolicyFinding.Severity: Int] { findingState.withLock { $0 } }

    /// The first findings as text.
    var firstFindings: [String] { findingTexts.withLock { $0 } }

    /// Changes the statistics of the kernel's reader.
    func noteKernel(_ change: (inout Kernel) -> Void) {
        kernelState.withLock { change(&$0) }
    }

    /// Changes the statistics of the pipeline.
    func noteRecords(_ change: (inout Records) -> Void) {
        recordState.withLock { change(&$0) }
    }

    /// Stores the findings about policies.
    func note(_ findings: [PolicyFinding]) {
        let counts = Dictionary(findings.map { ($0.severity, 1) }, uniquingKeysWith: +)
        findingState.withLock { $0 = counts }
        let texts = findings.prefix(Self.textLimit).map(\.description)
        findingTexts.withLock { $0 = texts }
    }
}
