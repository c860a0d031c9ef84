/// Decides which messages about an output's outages are logged: begin and end of each, and changes of the reason.
///
/// The number of messages is limited, because an output that repeatedly fails and recovers would fill the log.
struct OutageLog {
    /// A message to log.
    struct Message: Equatable {
        /// Whether this is the first logged message of the outage.
        let isFirst: Bool
        /// The reason of the last failure.
        let reason: String
        /// The number of suppressed messages since the last logged one.
        let heldBack: Int
    }

    private var limit = RepetitionLimit()
    /// The reason that was last logged for this outage; nil if none was.
    private var logged: String?

    /// Records a failure.
    ///
    /// - Returns: the message to log; nil if it repeats the last one, or if there were too many. If the first message of an
    ///   outage is suppressed, a later failure is logged as its first one.
    mutating func failed(_ reason: String, now: ContinuousClock.Instant) -> Message? {
        guard reason != logged, let heldBack = limit.admit(now: now) else { return nil }
        defer { logged = reason }
        return Message(isFirst: logged == nil, reason: reason, heldBack: heldBack)
    }

    /// Records that the output works again.
    ///
    /// - Returns: whether the outage was logged, so that its end must be logged, too.
    mutating func ended() -> Bool {
        defer { logged = nil }
        return logged != nil
    }
}

/// A rate limit: allows a burst of messages, and then one per minute.
struct RepetitionLimit {
    private static let burst = 5
    private static let pause = Duration.seconds(60)

    private var room = Self.burst
    private var filled: ContinuousClock.Instant?
    private var heldBack = 0

    /// Requests permission for a message.
    ///
    /// - Returns: the number of suppressed messages since the last allowed one; nil if this one is suppressed.
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
