/// What an output's log says of its outages: each begin and end, and each other reason, as long as they are few.
///
/// An output that fails and works again by turns would fill the log.
struct OutageLog {
    /// A message to log.
    struct Message: Equatable {
        /// Whether nothing of this outage was logged yet.
        let isFirst: Bool
        /// The reason of the last failure.
        let reason: String
        /// How many messages were not logged since the last one.
        let heldBack: Int
    }

    private var limit = RepetitionLimit()
    /// The reason that was logged last in this outage; nil if nothing was.
    private var logged: String?

    /// Notes a failure.
    ///
    /// - Returns: the message to log; nil if it was logged, or there were too many. The beginning of an outage that was
    ///   held back is logged with one of its later failures.
    mutating func failed(_ reason: String, now: ContinuousClock.Instant) -> Message? {
        guard reason != logged, let heldBack = limit.admit(now: now) else { return nil }
        defer { logged = reason }
        return Message(isFirst: logged == nil, reason: reason, heldBack: heldBack)
    }

    /// Notes that the output works again.
    ///
    /// - Returns: whether its outage was logged, so that its end is logged too.
    mutating func ended() -> Bool {
        defer { logged = nil }
        return logged != nil
    }
}

/// Admits a few messages at once, and after that one a minute.
struct RepetitionLimit {
    private static let burst = 5
    private static let pause = Duration.seconds(60)

    private var room = Self.burst
    private var filled: ContinuousClock.Instant?
    private var heldBack = 0

    /// Asks for a message.
    ///
    /// - Returns: how many were not admitted since the last one that was; nil if this one is not.
    mutating func admit(now: ContinuousClock.Instant) -> Int? {
        let last = filled ?? now
        let more = min(Self.burst, Int((now - last) / Self.pause))
        filled = last + Self.pause * more
        room = min(Self.burst, room + more)
        if room == Self.burst { filled = now }
        guard room > 0 else {
            heldBack += 1
            return nil
        }
        room -= 1
        defer { heldBack = 0 }
        return heldBack
    }
}
