import Agent
import Bench
import Foundation
import Logging
import Store

/// Measures the cost of an audit log whose changes a run stores: reading, comparing, and writing into the store.
enum AuditStoreBenchmark {
    private static let events = 20_000
    /// The number of events per second that a run must process.
    private static let rate = 1_000.0
    /// The largest share of a core that they may use, %.
    private static let share = 3.0

    /// Measures changes of all kinds, and changes of policies only, which cost most.
    ///
    /// - Parameter report: takes the results.
    /// - Throws: the errors of the store and of the reader of logs.
    static func run(report: (Bench.Measurement) -> Void) throws {
        for (name, line) in [("events", AuditTraffic.change), ("policies", AuditTraffic.policyChange)] {
            try measure(name, (0..<events).map(line), report)
        }
    }

    /// Measures the events of a log.
    ///
    /// - Parameters:
    ///   - log: its path.
    ///   - report: takes the results.
    /// - Throws: what reading the log, the store and the reader of logs throw.
    static func run(log: String, report: (Bench.Measurement) -> Void) throws {
        let text = try String(contentsOfFile: log, encoding: .utf8)
        try measure("log", text.split(separator: "\n").map(String.init), report)
    }

    private static func measure(_ name: String, _ lines: [String], _ report: (Bench.Measurement) -> Void) throws {
        let cost = try timeOfEvent(lines)
        let start = processTime()
        for line in lines { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
        report(
            Bench.Measurement(
                "audit/\(name)-into-store",
                unit: "µs/event",
                value: cost / 1e3,
                baseline: (processTime() - start) / Double(lines.count) / 1e3,
                against: "JSONSerialization; ours has the changes in a store, in CPU time of one core"
            )
        )
        report(
            Bench.Measurement(
                "audit/\(name)-into-store",
                unit: "% of a core",
                value: cost * rate / 1e9 * 100,
                baseline: share,
                against: "the limit; \(Int(rate)) events a second"
            )
        )
    }

    /// CPU time of an event, ns.
    private static func timeOfEvent(_ lines: [String]) throws -> Double {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let log = folder.appendingPathComponent("kube-audit.log").path
        try (lines.joined(separator: "\n") + "\n").write(toFile: log, atomically: false, encoding: .utf8)
        let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        let path = folder.appendingPathComponent("flows.db").path
        let store = try StoreTap.make(path, limits: .none, logger: logger)
        var shipping = AuditShipping()
        shipping.logs = [log]
        shipping.statePath = folder.appendingPathComponent("audit.state").path
        let start = processTime()
        let shipper = try AuditShipper(shipping, sinks: [store.changes], logger: logger)
        while shipper.counts.read + shipper.counts.malformed < lines.count { usleep(10_000) }
        let time = processTime() - start
        shipper.finish()
        return time / Double(lines.count)
    }

    /// CPU time of the process so far, ns.
    private static func processTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}
