import Posix

/// Lines on a connected stream: a Unix socket, TCP, or TLS.
///
/// A line counts as delivered when the kernel has all of it; what a reader leaves unread in the kernel when it dies is
/// lost without a trace. Every connection begins with the beginning of a line.
final class StreamSocketSink: Sink {
    /// The most bytes of one write, so that a stop is noticed in between.
    private static let writeLimit = 1 << 20

    let resumption = SinkResumption.wholeLine
    private let stream: any ByteStream

    /// Makes a sink on a stream that is not connected.
    init(_ stream: any ByteStream) {
        self.stream = stream
    }

    func open() throws(SinkFailure) -> SinkProgress { try stream.advance() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        // The kernel would still take bytes for a TCP reader that is gone.
        if let end = stream.end { throw end }
        let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.writeLimit))
        return try stream.send(part).map { .accepted($0) } ?? .blocked
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? { stream.pollEntry(for: interest) }

    func hangUp() -> SinkFailure? { stream.end ?? SocketStream.readerIsGone }

    func close(tornBytes: Int) { stream.reset() }
}
