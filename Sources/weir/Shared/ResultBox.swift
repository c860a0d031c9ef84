import Agent
import Dispatch
import Synchronization

/// The result of a run on another thread.
final class ResultBox: Sendable {
    private let result = Mutex<Result<Agent.Outcome, any Error>?>(nil)
    private let ready = DispatchSemaphore(value: 0)

    /// Whether the result is set.
    var isSet: Bool { result.withLock { $0 != nil } }

    /// Sets the result; may be called once.
    func set(_ value: Result<Agent.Outcome, any Error>) {
        result.withLock { $0 = value }
        ready.signal()
    }

    /// Waits for the result; may be called once.
    func wait() -> Result<Agent.Outcome, any Error> {
        ready.wait()
        return result.withLock { $0 } ?? .failure(CommandFailure(description: "the monitor ended without a result"))
    }
}
