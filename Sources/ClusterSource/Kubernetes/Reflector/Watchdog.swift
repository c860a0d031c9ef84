import Synchronization

/// Detects that expected data does not arrive.
final class Watchdog: Sendable {
    private struct State {
        var limit: Duration
        var deadline: ContinuousClock.Instant?
        /// The time that was left when data arrived.
        var rest: Duration
    }

    private let state: Mutex<State>

    /// Starts to wait.
    init(limit: Duration) {
        state = Mutex(State(limit: limit, deadline: .now + limit, rest: limit))
    }

    /// Pauses the timer: data arrived, and its processing does not count.
    func pause() {
        state.withLock { state in
            if let deadline = state.deadline.take() { state.rest = deadline - .now }
        }
    }

    /// Restarts the timer for the next data; partial data does not extend the time.
    func resume(limit: Duration, isWhole: Bool = true) {
        state.withLock { state in
            let time = isWhole ? limit : min(state.rest, limit)
            state = State(limit: limit, deadline: .now + time, rest: time)
        }
    }

    /// Returns when the data did not arrive in time, or when the task is cancelled.
    func bark() async {
        while !Task.isCancelled {
            let now = ContinuousClock.now
            let wake = state.withLock { $0.deadline ?? now + $0.limit }
            guard wake > now else { return }
            try? await Task.sleep(until: wake, clock: .continuous)
        }
    }
}
