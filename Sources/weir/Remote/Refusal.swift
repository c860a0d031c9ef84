import Synchronization

/// Why a task ended, which another thread asks for.
final class Refusal: Sendable {
    private let state = Mutex<CommandFailure?>(nil)

    /// The reason; nil if there is none.
    var failure: CommandFailure? { state.withLock { $0 } }

    /// Takes the reason.
    func note(_ failure: CommandFailure?) {
        state.withLock { $0 = failure }
    }
}
