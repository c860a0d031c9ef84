import Dispatch
import Synchronization

/// A bounded queue between the thread that reads the kernel and the one that makes records.
///
/// The sender never waits here: a full mailbox refuses messages, and the kernel's tables hold what is not yet read.
final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        /// The messages; taken ones are nil, so that they are released.
        var messages: [(message: Message, bytes: Int)?] = []
        var first = 0
        var bytes = 0
    }

    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)
    private let limit: Int
    private let byteLimit: Int
    private let size: @Sendable (Message) -> Int
    private let delayedCount = Atomic<UInt64>(0)

    /// Creates an empty mailbox.
    ///
    /// - Parameters:
    ///   - limit: the most messages.
    ///   - byteLimit: the most bytes of all of them; a single message alone may have more.
    ///   - size: returns the bytes of a message.
    init(limit: Int, byteLimit: Int = .max, size: @escaping @Sendable (Message) -> Int = { _ in 0 }) {
        self.limit = limit
        self.byteLimit = byteLimit
        self.size = size
    }

    /// Adds a message; false if the mailbox is full, or if as many as `mostWaiting` are in it.
    func offer(_ message: Message, mostWaiting: Int = .max) -> Bool {
        let bytes = size(message)
        let accepted = state.withLock { state in
            let waiting = state.messages.count - state.first
            guard waiting < min(limit, mostWaiting), waiting == 0 || bytes <= byteLimit - state.bytes else {
                return false
            }
            state.messages.append((message, bytes))
            state.bytes += bytes
            return true
        }
        if accepted { available.signal() }
        return accepted
    }

    /// Adds a message even if the mailbox is full.
    func insist(_ message: Message) {
        let bytes = size(message)
        state.withLock { state in
            state.messages.append((message, bytes))
            state.bytes += bytes
        }
        available.signal()
    }

    /// The number of messages that wait.
    var waiting: Int { state.withLock { $0.messages.count - $0.first } }

    /// Notes that a message has to wait for room.
    func noteDelay() {
        delayedCount.add(1, ordering: .relaxed)
    }

    /// The number of messages that had to wait for room.
    var delayed: UInt64 { delayedCount.load(ordering: .relaxed) }

    /// Waits for a message and takes it.
    func next() -> Message {
        available.wait()
        return state.withLock { state in
            guard let (message, bytes) = state.messages[state.first] else {
                preconditionFailure("a message for each signal")
            }
            state.messages[state.first] = nil
            state.first += 1
            state.bytes -= bytes
            // Taken messages are released in bulk, also when the mailbox never runs empty.
            if state.first == state.messages.count || state.first >= limit {
                state.messages.removeFirst(state.first)
                state.first = 0
            }
            return message
        }
    }
}
