import Glibc

/// The meaning of signals for a run.
///
/// The first SIGINT or SIGTERM requests an orderly end. Many programs send the signal twice within milliseconds, to the process
/// and to its group. Only a signal that comes a second later ends the process at once, and only if a person at a terminal may
/// have sent it: other programs that stop processes send SIGKILL after a time limit.
struct SignalRule {
    /// The reaction to a signal.
    enum Action: Equatable {
        /// End the run.
        case stop
        /// End the process without a last flush, with this exit code.
        case exit(Int32)
        /// Ignore the signal.
        case ignore
    }

    /// The time after the first signal within which another one counts as a repetition, ns.
    static let repetition: Int64 = 1_000_000_000

    private let isOnTerminal: Bool
    private let endsOnHangUp: Bool
    private var stoppedAt: Int64?

    /// Creates the rule of a run that has received no signal.
    ///
    /// - Parameters:
    ///   - isOnTerminal: whether a person may have started the run at a terminal.
    ///   - endsOnHangUp: whether SIGHUP also requests the end.
    init(isOnTerminal: Bool, endsOnHangUp: Bool) {
        self.isOnTerminal = isOnTerminal
        self.endsOnHangUp = endsOnHangUp
    }

    /// Returns the reaction to a signal that was received at a time (CLOCK_MONOTONIC, ns).
    mutating func receive(_ number: Int32, at now: Int64) -> Action {
        guard number != SIGHUP || endsOnHangUp else { return .ignore }
        guard let stoppedAt else {
            self.stoppedAt = now
            return .stop
        }
        guard number != SIGHUP, isOnTerminal, now - stoppedAt >= Self.repetition else { return .ignore }
        return .exit(128 + number)
    }
}
