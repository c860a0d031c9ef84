import Dispatch
import Synchronization

/// A bounded queue between the thread that reads the kernel and the one that makes records.
///
/// The sender never waits here: a full mailbox says so, and the kernel's tables hold what is not yet read.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        var first = 0
    }

    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    /// Adds a message; false if the mailbox is full.
    func offer(_ message: Message) -> Bool {
        let accepted = state.withLock { state in
            guard state.messages.count - state.first < limit else { return false }
            state.messages.append(message)
            return true
        }
        if accepted { available.signal() }
        return accepted
    }

    /// Waits for a message and takes it.
    func next() -> Message {
        available.wait()
        return state.withLock { state in
            let message = state.messages[state.first]
            state.first += 1
            // Taken messages are let go of in bulk, also when the mailbox never runs empty.
            if state.first == state.messages.count || state.first == limit {
                state.messages.removeFirst(state.first)
                state.first = 0
            }
            return message
        }
    }
}
