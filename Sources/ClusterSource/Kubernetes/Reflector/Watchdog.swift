import Synchronization

/// Notices when something that is waited for does not come.
final class Watchdog: Sendable {
    private struct State {
        var limit: Duration
        var deadline: ContinuousClock.Instant?
    }

    private let state: Mutex<State>

    /// Waits from now on.
    init(limit: Duration) {
        state = Mutex(State(limit: limit, deadline: .now + limit))
    }

    /// It came; what is done with it does not count.
    func pause() {
        state.withLock { $0.deadline = nil }
    }

    /// Waits for the next one, for as long as the limit.
    func resume(limit: Duration) {
        state.withLock { $0 = State(limit: limit, deadline: .now + limit) }
    }

    /// Returns when what was waited for did not come in time, or when the task is cancelled.
    func bark() async {
        while !Task.isCancelled {
            let now = ContinuousClock.now
            let wake = state.withLock { $0.deadline ?? now + $0.limit }
            guard wake > now else { return }
            try? await Task.sleep(until: wake, clock: .continuous)
        }
    }
}
