import Agent
import Export
import FlowLog
import FlowModel
import Foundation
import Logging

/// Measures the pipeline from deltas to bytes in a file, in time and allocations.
///
/// 20,000 connections of ``ConnectionSample`` are open, and each has traffic in every scan. Records have the default levels (2
/// and 1), and are written to a file.
package enum PipelineBenchmark {
    private static let flows = 20_000
    private static let rounds = 12

    /// Measures records of ten scans and of one, and with unreachable outputs.
    ///
    /// - Parameter report: takes the results.
    /// - Throws: the reason why an output cannot be created.
    package static func run(report: (Measurement) -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-bench-\(getpid())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for scans in [10, 1] {
            let path = try Path(folder + "/\(scans)", flows: flows, away: 0)
            let best = path.best(of: rounds, scans: scans)
            report(
                Measurement(
                    "pipeline/delta-to-file-\(scans)-scans",
                    unit: "ns/delta",
                    value: best.total / Double(flows * scans),
                    baseline: best.deltas / Double(flows * scans),
                    against: "its part until the flush; \(best.records) records of \(flows * scans) deltas"
                )
            )
            guard let allocations = best.allocations else { continue }
            report(
                Measurement(
                    "pipeline/allocations-\(scans)-scans",
                    unit: "1/record",
                    value: Double(allocations) / Double(best.records),
                    baseline: Double(allocations) / Double(flows * scans),
                    against: "for each delta; \(allocations) of the whole process in a flush interval"
                )
            )
        }
        try compareAway(folder, report)
    }

    /// Compares a flush to a file alone with a flush to a file and three unreachable outputs with full queues.
    private static func compareAway(_ folder: String, _ report: (Measurement) -> Void) throws {
        let alone = try Path(folder + "/alone", flows: flows, away: 0)
        let beside = try Path(folder + "/beside", flows: flows, away: 3)
        var (flush, flushBeside) = (Double.infinity, Double.infinity)
        // In turn, so that the load of the machine is the same for both.
        for _ in 0..<rounds {
            flush = min(flush, alone.best(of: 1, scans: 1).flush)
            flushBeside = min(flushBeside, beside.best(of: 1, scans: 1).flush)
        }
        report(
            Measurement(
                "pipeline/flush-3-outputs-away",
                unit: "ms",
                value: flushBeside / 1e6,
                baseline: flush / 1e6,
                against: "the same flush with the file alone; \(beside.dropped) records dropped at full queues"
            )
        )
    }
}

/// The pipeline to a file, and some unreachable outputs.
private final class Path {
    /// The cost of an interval, times in ns.
    struct Cost {
        /// The time until the flush.
        var deltas = 0.0
        /// The time of the flush, until its lines are passed to the outputs.
        var flush = 0.0
        /// The time until the lines are in the file.
        var total = Double.infinity
        var records = 0
        /// Allocations of the whole process; nil without a counter.
        var allocations: UInt64?
    }

    private var aggregator: FlowAggregator
    private let writer: RecordWriter
    private let file: Output
    private let away: [Output]
    private let batch: FlowBatch
    private var interval: Int64 = 0

    init(_ path: String, flows: Int, away count: Int) throws {
        let quiet = Logger(label: "weir-bench") { _ in SwiftLogNoOpLogHandler() }
        file = try Output(.file(path: path), logger: quiet)
        // No process listens on port 1 of loopback. The queues are full after the first flush.
        let places = ["tcp:127.0.0.1:1", "http://127.0.0.1:1/in", "unix:\(path).socket"]
        away = try places.prefix(count).map { place in
            try Output(try OutputSpecification(parsing: place), queueLimit: 512 << 10, logger: quiet)
        }
        writer = RecordWriter([file] + away, patience: .seconds(5))
        let sample = ConnectionSample(flows: flows)
        aggregator = sample.running()
        batch = sample.scan
        // The first interval contains the births.
        _ = pass(scans: 1)
    }

    deinit {
        for output in [file] + away { _ = output.finish(within: .seconds(5)) }
    }

    /// The number of records that the unreachable outputs dropped.
    var dropped: Int { away.reduce(0) { $0 + $1.statistics.dropped } }

    /// The cheapest of some intervals.
    func best(of rounds: Int, scans: Int) -> Cost {
        var best = Cost()
        for _ in 0..<rounds {
            let cost = pass(scans: scans)
            if cost.total < best.total { best = cost }
        }
        return best
    }

    private func pass(scans: Int) -> Cost {
        let clock = ContinuousClock()
        var cost = Cost()
        let counted = AllocationCount.now
        let start = clock.now
        for _ in 0..<scans { aggregator.process(batch) }
        let flushed = clock.now
        writer.beginFlush()
        interval += 10
        aggregator.flush(at: interval) { record in
            cost.records += 1
            writer.write(record)
        }
        writer.endFlush()
        let handed = clock.now
        while file.statistics.queued > 0 { usleep(20) }
        let end = clock.now
        cost.deltas = Self.nanoseconds(flushed - start)
        cost.flush = Self.nanoseconds(handed - flushed)
        cost.total = Self.nanoseconds(end - start)
        if let counted, let now = AllocationCount.now { cost.allocations = now - counted }
        return cost
    }

    private static func nanoseconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) * 1e9 + Double(duration.components.attoseconds) / 1e9
    }
}
