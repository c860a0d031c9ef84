import Glibc

/// Ends the wait of another thread.
///
/// It uses a pair of sockets and not an eventfd, because Swift's C library module does not declare `eventfd`.
package struct Wakeup: ~Copyable, Sendable {
    private let ends: SocketPair

    /// Opens the sockets.
    package init() throws(SystemError) {
        ends = try FileDescriptor.pair()
    }

    /// Ends the current wait, or the next one; callable from any thread, never blocks.
    package func signal() {
        let byte: [UInt8] = [0]
        // If the buffer is full, a signal is already pending.
        byte.withUnsafeBytes { bytes in _ = try? ends.far.send(bytes) }
    }

    /// Removes all pending signals.
    package func clear() {
        while ends.near.discardInput() {}
    }

    /// An entry to poll for a signal.
    package var pollEntry: PollEntry { ends.near.pollEntry(Int32(POLLIN)) }
}
