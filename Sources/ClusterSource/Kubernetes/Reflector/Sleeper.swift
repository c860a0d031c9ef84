import Synchronization

/// Pauses that can be broken off: all that wait for the server end when it is there again.
final class Sleeper: Sendable {
    private struct State {
        var sleeping: [Int: Task<Void, Never>] = [:]
        var next = 0
    }

    private let state = Mutex(State())

    /// Waits; less if the task is cancelled, or if it is the server that is waited for and that is there again.
    func sleep(for time: Duration, isForServer: Bool = false) async {
        guard isForServer else {
            try? await Task.sleep(for: time)
            return
        }
        let pause = Task { _ = try? await Task.sleep(for: time) }
        let number = state.withLock { state in
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
        for pause in state.withLock({ Array($0.sleeping.values) }) { pause.cancel() }
    }
}
