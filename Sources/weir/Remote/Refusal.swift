import Synchronization

/// The reason why a task ended, shared with another thread.
final class Refusal: Sendable {
    private let state = Mutex<CommandFailure?>(nil)

    /// The reason; nil if there is none.
    var failure: CommandFailure? { state.withLock { $0 } }

    /// Stores the reason.
    func note(_ failure: CommandFailure?) {
        state.withLock { $0 = failure }
    }
}
