import Synchronization

/// Work on a separate thread while the caller continues: traffic during a measurement, or a monitor during traffic.
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

    /// Waits for the end of the work, and returns its result; may be called repeatedly.
    ///
    /// If the caller does not wait, releasing the last reference to this object waits.
    package func value() throws -> Value {
        thread.withLock { $0 = nil }
        guard let result = outcome.result.withLock({ $0 }) else {
            throw LabError.invalid("background work ended without a result")
        }
        return try result.get()
    }
}
