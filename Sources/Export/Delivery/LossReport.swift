/// Decides when to say that records were refused: the first time at once, then with doubling period.
struct LossReport {
    private static let shortestPeriod = Duration.seconds(1)
    private static let longestPeriod = Duration.seconds(3600)

    private var pending = 0
    private var period = Self.shortestPeriod
    private var nextAt: ContinuousClock.Instant?

    /// Notes that records were refused.
    mutating func add(_ records: Int, now: ContinuousClock.Instant) {
        // After a quiet time of a whole period, a new loss is news again.
        if pending == 0, let last = nextAt, now > last + period {
            nextAt = nil
            period = Self.shortestPeriod
        }
        pending += records
    }

    /// When the next report is due, after one was made; nil when there is nothing to say.
    var due: ContinuousClock.Instant? {
        pending > 0 ? nextAt : nil
    }

    /// The records refused since the last report, if it is time to report them.
    mutating func take(now: ContinuousClock.Instant) -> Int? {
        guard pending > 0, nextAt.map({ now >= $0 }) ?? true else { return nil }
        nextAt = now + period
        period = min(period * 2, Self.longestPeriod)
        defer { pending = 0 }
        return pending
    }
}
