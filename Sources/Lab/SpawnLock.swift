import Synchronization

/// Lets this process wait until a descriptor that it closed is closed in all programs that it starts, too.
///
/// A child gets copies of all descriptors, and those with `O_CLOEXEC` are closed when it executes its program. Until then, what
/// this process closes stays open: a connection does not end, and a port or a lock is not free.
package enum SpawnLock {
    private static let mutex = Mutex(())

    /// Starts a program while no other one is being started.
    ///
    /// - Parameter spawn: a call of posix_spawn(3), which returns when the child has executed its program.
    /// - Returns: the result of the call.
    package static func start(_ spawn: () -> Int32) -> Int32 {
        mutex.withLock { _ in spawn() }
    }

    /// Waits until the programs that are being started have been executed.
    package static func barrier() {
        mutex.withLock { _ in }
    }
}
