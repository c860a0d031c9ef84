import Glibc

/// A descriptor and the events to wait for.
package struct PollEntry {
    /// `POLLRDHUP`, which the C library declares only with GNU extensions: the peer of a stream has stopped sending.
    package static let peerClosed: Int32 = 0x2000

    private var entry: pollfd

    /// Takes an open descriptor's number and the events of `poll(2)`.
    package init(number: Int32, events: Int16) {
        entry = pollfd(fd: number, events: events, revents: 0)
    }

    /// The result of a wait.
    package struct Outcome {
        /// The first entry has an event.
        package var isWoken = false
        /// The second entry is readable or writable.
        package var isReady = false
        /// The second entry has an error, or its peer has closed the connection.
        package var isHungUp = false
    }

    /// Waits for events of one or two descriptors, until an instant at the latest (`poll(2)`).
    package static func wait(for wakeup: PollEntry, and sink: PollEntry?, until: ContinuousClock.Instant?) -> Outcome {
        // `poll` ignores a descriptor of -1.
        var entries: InlineArray<2, pollfd> = [wakeup.entry, sink?.entry ?? pollfd(fd: -1, events: 0, revents: 0)]
        var span = entries.mutableSpan
        let limit = milliseconds(until: until)
        let count = span.withUnsafeMutableBufferPointer { poll($0.baseAddress, 2, limit) }
        // An interrupted wait looks like a timeout: the caller checks its clock and waits again.
        guard count > 0 else { return Outcome() }
        let seen = Int32(entries[1].revents)
        let hangUps = Int32(POLLERR | POLLHUP | POLLNVAL) | peerClosed
        return Outcome(
            isWoken: entries[0].revents != 0,
            isReady: seen & Int32(POLLIN | POLLOUT) != 0,
            isHungUp: seen & hangUps != 0
        )
    }

    /// Returns the present events of a descriptor without waiting.
    package func now() -> Outcome {
        Self.wait(for: PollEntry(number: -1, events: 0), and: self, until: .now)
    }

    /// The timeout of `poll`, rounded up so that a wait never ends before its time; -1 waits forever.
    private static func milliseconds(until instant: ContinuousClock.Instant?) -> Int32 {
        guard let instant else { return -1 }
        let (seconds, fraction) = (instant - .now).components
        guard seconds >= 0, fraction >= 0 else { return 0 }
        guard seconds < 3600 else { return 3_600_000 }
        return Int32(seconds) * 1000 + Int32((fraction + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
