import Synchronization

/// Pauses that can end early: all that wait for the server end when it is back.
final class Sleeper: Sendable {
    private struct State {
        var sleeping: [Int: Task<Void, Never>] = [:]
        var next = 0
        var wakes = 0
    }

    private let state = Mutex(State())
    private let timer: @Sendable (Duration) async -> Void

    /// Creates a sleeper with no wakes yet.
    ///
    /// - Parameter timer: returns after the given time, or at once when its task is cancelled; tests pass another clock.
    init(timer: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) }) {
        self.timer = timer
    }

    /// The number of times that the server came back; if it changes during an attempt, the server came back meanwhile.
    var wakes: Int { state.withLock { $0.wakes } }

    /// Waits for a time; less if the task is cancelled, or if the server is back and `isForServer` is true.
    ///
    /// - Parameters:
    ///   - time: the longest wait.
    ///   - isForServer: whether the wait is for the server.
    ///   - wakes: the value of ``wakes`` before the failed attempt.
    func sleep(for time: Duration, isForServer: Bool = false, since wakes: Int = 0) async {
        guard isForServer else {
            await timer(time)
            return
        }
        let pause = Task { [timer] in await timer(time) }
        let number = state.withLock { state in
            // The server came back while the attempt was failing.
            if state.wakes != wakes { pause.cancel() }
            state.next += 1
            state.sleeping[state.next] = pause
            return state.next
        }
        await withTaskCancellationHandler {
            await pause.value
        } onCancel: {
            pause.cancel()
        }
        state.withLock { _ = $0.sleeping.removeValue(forKey: number) }
    }

    /// Waits until a time; less if the task is cancelled.
    func sleep(until time: ContinuousClock.Instant) async {
        try? await Task.sleep(until: time, clock: .continuous)
    }

    /// Ends the pauses of all that wait for the server.
    func wake() {
        let pauses = state.withLock { state in
            state.wakes += 1
            return Array(state.sleeping.values)
        }
        for pause in pauses { pause.cancel() }
    }
}
