import Synchronization

/// The division of the time after the request to stop, so that the run always ends within ten seconds.
///
/// The request comes from the stop source, or from ``begin()`` if a run ends by itself. A part that begins late gets less time,
/// and work for which the time is too short is done in less detail.
final class StopPlan: Sendable {
    /// A part of the end, with the milliseconds after the request at which it is over.
    enum Part: Int64, CaseIterable {
        /// Connection tracking is queried for new flows.
        case questions = 1_500
        /// New flows are processed individually; the rest is added up by interface and local end.
        case detail = 3_000
        /// The datapath waits for the pipeline before it passes on the next batch.
        case posting = 5_000
        /// Every record of the last interval is made.
        case everyRecord = 6_000
        /// The rest of the last interval is recorded without the other ends.
        case records = 8_500
        /// Outputs write their queues.
        case outputs = 9_300
        /// All other parts.
        case rest = 9_800
    }

    /// The longest time from the request to the end of the process.
    static let total = Duration.seconds(10)

    private let stop: StopSource
    /// The time when the run began to end by itself, ns; 0 until then.
    private let ownStart = Atomic<Int64>(0)
    private let clock: @Sendable () -> Int64

    /// Makes the plan of a run that a stop source ends.
    ///
    /// - Parameters:
    ///   - stop: the source of the request.
    ///   - clock: CLOCK_MONOTONIC, ns, or another clock for tests.
    init(_ stop: StopSource, clock: @escaping @Sendable () -> Int64 = { Clock.monotonic }) {
        self.stop = stop
        self.clock = clock
    }

    /// Notes that the run ends now, unless a stop was requested before.
    func begin() {
        _ = ownStart.compareExchange(expected: 0, desired: clock(), ordering: .relaxed)
    }

    /// Whether the run is ending.
    var hasBegun: Bool { start != nil }

    /// Whether the time of a part is over; false as long as the run is not ending.
    func isOver(_ part: Part) -> Bool {
        guard let start else { return false }
        return clock() >= start + part.rawValue * 1_000_000
    }

    /// Returns the time that a part has left, at most `limit`; all of `limit` as long as the run is not ending.
    func time(for part: Part, atMost limit: Duration = StopPlan.total) -> Duration {
        guard let start else { return limit }
        return min(limit, max(.zero, .nanoseconds(start + part.rawValue * 1_000_000 - clock())))
    }

    private var start: Int64? {
        let own = ownStart.load(ordering: .relaxed)
        guard let requested = stop.requestedAt else { return own == 0 ? nil : own }
        return own == 0 ? requested : min(own, requested)
    }
}
