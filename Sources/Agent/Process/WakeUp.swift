import Glibc

/// Ends another thread's wait, which is limited by the monotonic clock.
///
/// A timed wait for a `DispatchSemaphore` ends by the wall clock on Linux (`sem_timedwait`): if that is set back by an hour, a
/// wait of a second takes an hour.
final class WakeUp: Sendable {
    private let reader: Int32
    private let writer: Int32

    /// Creates a wake-up that is not signalled.
    init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "pipe: out of descriptors at start")
        (reader, writer) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    /// The descriptor to poll for a signal.
    var descriptor: Int32 { reader }

    deinit {
        close(reader)
        close(writer)
    }

    /// Ends the wait, or the next one; never blocks.
    func signal() {
        // A full pipe already wakes the reader.
        _ = write(writer, [1], 1)
    }

    /// Waits for a signal with a time limit, and consumes all signals so far.
    ///
    /// - Returns: whether there was a signal.
    @discardableResult
    func wait(atMost limit: Duration) -> Bool {
        let end = Clock.monotonic + max(0, limit.nanoseconds)
        while true {
            // Rounded up, so that a wait never ends before its time.
            let milliseconds = Int32(clamping: (end - Clock.monotonic + 999_999) / 1_000_000)
            var entry = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, max(0, milliseconds)) > 0 {
                drain()
                return true
            }
            if Clock.monotonic >= end { return false }
        }
    }

    private func drain() {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { scratch in
            while read(reader, scratch.baseAddress, scratch.count) == scratch.count {}
        }
    }
}
