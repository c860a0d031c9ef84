import Glibc
import Synchronization

/// The request to end a run: a descriptor that becomes readable, from any thread or by a signal, and stays readable.
package final class StopSource: Sendable {
    /// Readable once the run must end.
    let descriptor: Int32
    private let writer: Int32
    /// CLOCK_MONOTONIC, ns; 0 until a stop is requested.
    private let firstRequest = Atomic<Int64>(0)

    /// Creates a source whose stop was not requested.
    package init() {
        var ends: [Int32] = [-1, -1]
        precondition(pipe(&ends) == 0, "pipe: out of descriptors at start")
        (descriptor, writer) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    deinit {
        close(descriptor)
        close(writer)
    }

    /// Ends the run.
    package func stop() {
        _ = firstRequest.compareExchange(expected: 0, desired: Clock.monotonic, ordering: .relaxed)
        // A full pipe already wakes the reader.
        _ = write(writer, [1], 1)
    }

    /// The time when the run was first requested to end, CLOCK_MONOTONIC ns; nil if it was not.
    var requestedAt: Int64? {
        let time = firstRequest.load(ordering: .relaxed)
        return time == 0 ? nil : time
    }

    /// Whether the run must end.
    package var isStopped: Bool {
        wait(milliseconds: 0)
    }

    /// Waits until the run must end, or for a time; returns whether it must end.
    package func wait(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }
}
