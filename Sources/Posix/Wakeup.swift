import Glibc

/// Ends another thread's wait.
///
/// A pair of sockets and not an eventfd, because Swift's C library module does not show the latter.
package struct Wakeup: ~Copyable, Sendable {
    private let ends: SocketPair

    /// Makes the descriptors.
    package init() throws(SystemError) {
        ends = try FileDescriptor.pair()
    }

    /// Ends the current wait, or the next one; any thread, never blocks.
    package func signal() {
        let byte: [UInt8] = [0]
        // A full buffer is a signal too.
        byte.withUnsafeBytes { bytes in _ = try? ends.far.send(bytes) }
    }

    /// Takes back all signals.
    package func clear() {
        while ends.near.discardInput() {}
    }

    /// An entry to poll for a signal.
    package var pollEntry: PollEntry { ends.near.pollEntry(Int32(POLLIN)) }
}
