import Synchronization

@testable import ClusterSource

/// A clock that stands still until a test advances it, and its sleepers.
final class StandingClock: Sendable {
    private struct State {
        var now = Duration.zero
        var sleeping: [Int: (due: Duration, wake: CheckedContinuation<Void, Never>)] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    /// The time since the clock was made.
    var now: Duration { state.withLock { $0.now } }

    /// The number of sleepers.
    var sleepers: Int { state.withLock { $0.sleeping.count } }

    /// A sleeper whose pauses end by this clock.
    func sleeper() -> Sleeper {
        Sleeper { await self.sleep(for: $0) }
    }

    private func sleep(for time: Duration) async {
        let number = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                state.withLock { $0.sleeping[number] = ($0.now + time, continuation) }
                if Task.isCancelled { wake(number) }
            }
        } onCancel: {
            wake(number)
        }
    }

    private func wake(_ number: Int) {
        state.withLock { $0.sleeping.removeValue(forKey: number) }?.wake.resume()
    }

    /// Moves the clock to the end of the shortest pause.
    func advance() {
        let woken = state.withLock { state in
            guard let due = state.sleeping.values.map(\.due).min() else {
                return [] as [CheckedContinuation<Void, Never>]
            }
            state.now = max(state.now, due)
            let over = state.sleeping.filter { $0.value.due <= state.now }
            for number in over.keys { state.sleeping[number] = nil }
            return over.values.map(\.wake)
        }
        for continuation in woken { continuation.resume() }
    }
}
