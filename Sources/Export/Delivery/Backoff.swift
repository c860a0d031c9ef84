/// Growing pauses between attempts, each up to twice as long as the previous one.
///
/// Each is shortened at random, so that many agents do not reconnect at the same instant.
struct Backoff {
    /// The longest first pause.
    let minimum: Duration
    /// The longest pause of all.
    let maximum: Duration
    private var ceiling: Duration

    /// Begins with pauses of at most `minimum`.
    init(minimum: Duration = .milliseconds(100), maximum: Duration = .seconds(10)) {
        self.minimum = minimum
        self.maximum = maximum
        ceiling = minimum
    }

    /// Takes the next pause, between half of the ceiling and the ceiling, and doubles the ceiling.
    ///
    /// - Parameter chance: where in that range, from 0 to 1.
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
