import Dispatch
import Glibc
import Synchronization

/// The way to end a run: a descriptor that becomes readable, from any thread or by a signal, and stays so.
public final class StopSource: Sendable {
    /// Readable once the run is to end.
    let descriptor: Int32
    private let writer: Int32

    /// Makes a source that has not been asked to stop.
    public init() {
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
    public func stop() {
        // A full pipe says the same.
        _ = write(writer, [1], 1)
    }

    /// Whether the run is to end.
    public var isStopped: Bool {
        wait(milliseconds: 0)
    }

    /// Waits until the run is to end, or for so long; returns whether it is to end.
    public func wait(milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) > 0
    }
}

/// Counts the signals that came.
private final class Signals: Sendable {
    private let count = Atomic(0)

    /// Notes a signal; returns whether there was one before.
    func isSecond() -> Bool {
        count.add(1, ordering: .relaxed).oldValue > 0
    }
}

/// Ends a run on SIGINT or SIGTERM, for as long as it lives; a second signal ends the process at once.
///
/// Ignores SIGPIPE: a reader that goes away is an error of write(2), not the end.
public final class StopSignals {
    private let sources: [any DispatchSourceSignal]

    /// Begins to listen for signals.
    public init(_ stop: StopSource) {
        signal(SIGPIPE, SIG_IGN)
        let signals = Signals()
        sources = [SIGINT, SIGTERM].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            let listening = DispatchSemaphore(value: 0)
            source.setRegistrationHandler { listening.signal() }
            source.setEventHandler {
                if signals.isSecond() { _exit(128 + number) }
                stop.stop()
            }
            source.activate()
            // Until then the signal ends the process, as it should: ignored, it would be lost.
            listening.wait()
            return source
        }
    }

    deinit {
        for source in sources { source.cancel() }
    }
}
