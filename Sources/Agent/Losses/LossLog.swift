import Logging

/// Logs losses when they happen: for each counter at once, then at growing intervals while it grows.
struct LossLog {
    /// The log state of one value.
    private struct Entry {
        /// The counter's value when it was logged last.
        var logged: UInt64 = 0
        /// The time when it may be logged again, CLOCK_MONOTONIC ns.
        var next = Int64.min
        var pause = LossLog.shortestPause
    }

    private struct Key: Hashable {
        let counter: String
        let output: String?
    }

    /// Pauses grow from ten seconds to ten minutes, ns.
    private static let shortestPause: Int64 = 10_000_000_000
    private static let longestPause: Int64 = 60 * shortestPause

    private let logger: Logger
    private let counters: [LossCounter]
    private var entries: [Key: Entry] = [:]

    /// Writes to a logger.
    init(_ logger: Logger, counters: [LossCounter] = LossCounter.all) {
        self.logger = logger
        self.counters = counters
    }

    /// Logs new losses; to be called about once a second.
    mutating func note(_ reading: LossReading, now: Int64 = Clock.monotonic) {
        for counter in counters {
            for value in counter.values(in: reading) { note(value, of: counter, now) }
        }
    }

    private mutating func note(_ value: LossCounter.Value, of counter: LossCounter, _ now: Int64) {
        let key = Key(counter: counter.name, output: value.labels["output"])
        var entry = entries[key] ?? Entry()
        guard value.total > entry.logged else {
            // After a quiet pause, a new loss is logged at once again.
            if value.total > 0, now >= entry.next, now - entry.next >= entry.pause {
                entry.pause = Self.shortestPause
                entries[key] = entry
            }
            return
        }
        guard now >= entry.next else { return }
        var metadata = Self.metadata(of: value)
        metadata[counter.unit] = "\(value.total - entry.logged)"
        metadata["total"] = "\(value.total)"
        logger.log(
            level: counter.level,
            "\(counter.message)\(counter.advice.isEmpty ? "" : "; \(counter.advice)")",
            metadata: metadata
        )
        entry.logged = value.total
        entry.next = now + entry.pause
        entry.pause = min(entry.pause * 2, Self.longestPause)
        entries[key] = entry
    }

    /// Logs the losses of the whole run, a line for each counter that is not 0.
    func summarize(_ reading: LossReading) {
        for counter in counters {
            for value in counter.values(in: reading) where value.total > 0 {
                var metadata = Self.metadata(of: value)
                metadata[counter.name] = "\(value.total)"
                logger.log(level: counter.level, "in this run: \(counter.message)", metadata: metadata)
            }
        }
    }

    private static func metadata(of value: LossCounter.Value) -> Logger.Metadata {
        value.labels.mapValues { "\($0)" }
    }
}
