import Posix

/// Sends records as syslog messages on a stream with octet counting.
///
/// Over TCP (RFC 6587, section 3.4.1) or TLS (RFC 5425, section 4.3). There are no acknowledgements: a record counts as
/// delivered when the kernel has the whole message.
final class SyslogStreamSink: Sink {
    /// The maximum number of lines that are formatted at once.
    private static let lineLimit = 64

    let resumption = SinkResumption.wholeLine
    private let message: SyslogMessage
    private let stream: any ByteStream
    /// The messages in progress, the number of sent bytes, and the end of each line's message.
    private var frames: [UInt8] = []
    private var sent = 0
    private var ends: [(frame: Int, line: Int)] = []

    /// Creates a sink on a stream that is not connected.
    init(_ stream: any ByteStream, _ options: OutputOptions) {
        self.stream = stream
        message = SyslogMessage(content: options.syslogContent, host: options.http.hostName)
    }

    func open() throws(SinkFailure) -> SinkProgress { try stream.advance() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        if let end = stream.end { throw end }
        if ends.isEmpty { frame(bytes) }
        let count = try frames[sent...].withUnsafeBufferPointer { bytes throws(SinkFailure) in
            try stream.send(UnsafeRawBufferPointer(bytes))
        }
        guard let count else { return .blocked }
        sent += count
        // A line is done when its message is completely sent.
        let whole = ends.prefix { $0.frame <= sent }
        let done = whole.last?.line ?? 0
        ends.removeFirst(whole.count)
        for index in ends.indices { ends[index].line -= done }
        return .accepted(done)
    }

    /// Formats the next lines as messages.
    private func frame(_ bytes: UnsafeRawBufferPointer) {
        (frames, sent) = ([], 0)
        var start = 0
        while ends.count < Self.lineLimit, start < bytes.count {
            let end = bytes[start...].firstIndex(of: newline) ?? bytes.count
            if let body = message.bytes(of: Array(bytes[start..<end])[...]) {
                frames += Array("\(body.count) ".utf8) + body
            }
            start = min(end + 1, bytes.count)
            ends.append((frames.count, start))
        }
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? { stream.pollEntry(for: interest) }

    func hangUp() -> SinkFailure? { stream.end ?? SocketStream.readerIsGone }

    func close(tornBytes: Int) {
        stream.reset()
        (frames, sent, ends) = ([], 0, [])
    }
}

/// The end of a line.
private let newline = UInt8(ascii: "\n")
