import Synchronization

/// The amounts of the last minute, from samples of counters that only grow.
final class RateMeter: Sendable {
    /// Counters as of one moment.
    struct Sample: Sendable, Equatable {
        /// CLOCK_MONOTONIC, ns.
        var time: Int64
        /// Packets that the programs saw.
        var packets: UInt64 = 0
        /// Their bytes.
        var bytes: UInt64 = 0
        /// Packets that were denied.
        var denied: UInt64 = 0
        /// Records that were made.
        var records: UInt64 = 0
    }

    private let samples = Mutex<[Sample]>([])

    /// The length of time that rates cover, ns.
    private static let window: Int64 = 60_000_000_000
    /// The most samples that are kept.
    private static let limit = 90

    /// Adds a sample; to be called about once a second.
    func add(_ sample: Sample) {
        samples.withLock { samples in
            samples.append(sample)
            let oldest = sample.time - Self.window
            while samples.count > 2, samples.count > Self.limit || samples[1].time <= oldest { samples.removeFirst() }
        }
    }

    /// Rates over the window; nil before there are two samples.
    var rates: AgentStatus.Rates? {
        samples.withLock { samples in
            guard let first = samples.first, let last = samples.last, last.time > first.time else { return nil }
            let seconds = Double(last.time - first.time) / 1e9
            func rate(_ value: (Sample) -> UInt64) -> Double {
                // Counters of removed interfaces stay; if one shrinks nevertheless, the rate is 0.
                Double(value(last) - min(value(first), value(last))) / seconds
            }
            return AgentStatus.Rates(
                seconds: seconds,
                packets: rate(\.packets),
                bytes: rate(\.bytes),
                deniedPackets: rate(\.denied),
                records: rate(\.records)
            )
        }
    }
}
