/// Pauses between attempts; the upper limit doubles with each pause.
///
/// Each pause is randomly shortened, so that many agents do not reconnect at the same time.
struct Backoff {
    /// The upper limit of the first pause.
    let minimum: Duration
    /// The upper limit of all pauses.
    let maximum: Duration
    private var ceiling: Duration

    /// Starts with pauses of at most `minimum`.
    init(minimum: Duration = .milliseconds(100), maximum: Duration = .seconds(10)) {
        self.minimum = minimum
        self.maximum = maximum
        ceiling = minimum
    }

    /// Returns the next pause, between half of the ceiling and the ceiling, and doubles the ceiling.
    ///
    /// - Parameter chance: the position in that range, from 0 to 1.
    /// - Returns: the pause.
    mutating func next(chance: Double) -> Duration {
        let pause = ceiling / 2 + ceiling / 2 * chance
        ceiling = min(ceiling * 2, maximum)
        return pause
    }

    /// Resets to the shortest pause, after a success.
    mutating func reset() {
        ceiling = minimum
    }
}
