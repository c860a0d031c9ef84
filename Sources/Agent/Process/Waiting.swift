import Synchronization

/// Lets a thread outside of Swift's pool wait for a task.
package enum Waiting {
    /// Runs a task and returns its result; blocks the calling thread, which must not be one of the pool.
    package static func run<Value: Sendable>(_ body: @escaping @Sendable () async -> Value) -> Value {
        let value = Mutex<Value?>(nil)
        let isThere = WakeUp()
        Task.detached {
            let made = await body()
            value.withLock { $0 = made }
            isThere.signal()
        }
        while true {
            isThere.wait(atMost: .seconds(3600))
            if let made = value.withLock({ $0 }) { return made }
        }
    }
}
