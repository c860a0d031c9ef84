/// Decides when a lasting failure is logged: after some time, then at growing intervals, and at its end.
struct LastingFailure: Sendable {
    /// A message to log.
    enum Notice: Sendable, Hashable {
        /// The failure began.
        case began
        /// The failure has lasted for this time.
        case lasts(Duration)
        /// The failure has ended after this time.
        case ended(Duration)
    }

    /// The time that a new failure must last to be logged after the end of a logged one.
    ///
    /// It keeps an intermittent failure from filling the log.
    static let quiet = Duration.seconds(60)
    private static let firstPeriod = Duration.seconds(60)
    private static let longestPeriod = Duration.seconds(3600)

    private var since: ContinuousClock.Instant?
    private var loggedAt: ContinuousClock.Instant?
    private var endedAt: ContinuousClock.Instant?
    private var period = firstPeriod

    /// The time since when it fails; nil if it does not fail.
    var failingSince: ContinuousClock.Instant? { since }

    /// Whether it fails and the failure was logged.
    var isLogged: Bool { loggedAt != nil }

    /// Records a failure; `patience` is the time that it must last to be logged.
    mutating func failed(at now: ContinuousClock.Instant, patience: Duration) -> Notice? {
        let since = self.since ?? now
        self.since = since
        guard let loggedAt else {
            let isSoonAgain = endedAt.map { now - $0 < Self.quiet } ?? false
            guard now - since >= (isSoonAgain ? max(patience, Self.quiet) : patience) else { return nil }
            self.loggedAt = now
            period = Self.firstPeriod
            return .began
        }
        guard now - loggedAt >= period else { return nil }
        self.loggedAt = now
        period = min(period * 2, Self.longestPeriod)
        return .lasts(now - since)
    }

    /// Records a success.
    mutating func succeeded(at now: ContinuousClock.Instant) -> Notice? {
        guard let since = since.take(), loggedAt.take() != nil else { return nil }
        endedAt = now
        return .ended(now - since)
    }
}

extension Duration {
    /// A text such as `45s`, `12m`, `3h`, `2d`, in the greatest unit of which the duration has at least one.
    var roughly: String {
        let seconds = components.seconds
        return switch seconds {
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m"
        case ..<86400: "\(seconds / 3600)h"
        default: "\(seconds / 86400)d"
        }
    }
}
