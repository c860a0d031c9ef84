import Posix

/// Sends lines on a connected stream: a Unix socket, TCP, or TLS.
///
/// A line counts as delivered when the kernel has all of it. Lines that a reader has not read when it ends are lost without
/// notice. Each connection starts at the beginning of a line.
final class StreamSocketSink: Sink {
    /// The maximum size of one write in bytes, so that a stop is noticed in between.
    private static let writeLimit = 1 << 20

    let resumption = SinkResumption.wholeLine
    private let stream: any ByteStream

    /// Creates a sink on a stream that is not connected.
    init(_ stream: any ByteStream) {
        self.stream = stream
    }

    func open() throws(SinkFailure) -> SinkProgress { try stream.advance() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        // The kernel would still accept bytes for a TCP reader that has closed.
        if let end = stream.end { throw end }
        let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.writeLimit))
        return try stream.send(part).map { .accepted($0) } ?? .blocked
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? { stream.pollEntry(for: interest) }

    func hangUp() -> SinkFailure? { stream.end ?? SocketStream.readerIsGone }

    func close(tornBytes: Int) { stream.reset() }
}
