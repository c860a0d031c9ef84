import Synchronization

/// Work on a thread of its own while the caller goes on: traffic during a measurement, a monitor during traffic.
package final class BackgroundWork<Value: Sendable>: Sendable {
    /// The place for the result of the work.
    private final class Outcome: Sendable {
        let result = Mutex<Result<Value, any Error>?>(nil)
    }

    private let outcome: Outcome
    private let thread: Mutex<PosixThread?>

    /// Starts the work.
    package init(_ body: @escaping @Sendable () throws -> Value) throws(LabError) {
        let outcome = Outcome()
        let started = try PosixThread {
            let result = Result { try body() }
            outcome.result.withLock { $0 = result }
        }
        self.outcome = outcome
        thread = Mutex(started)
    }

    /// Waits for the end of the work, once or more often, and returns what it returned.
    ///
    /// If the caller does not wait, the last release of this object waits for the work.
    package func value() throws -> Value {
        thread.withLock { $0 = nil }
        guard let result = outcome.result.withLock({ $0 }) else {
            throw LabError.invalid("background work ended without a result")
        }
        return try result.get()
    }
}
