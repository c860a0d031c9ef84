import Glibc
import Posix

/// Records as messages of syslog: a datagram each (RFC 5426), or on a stream with their length before them (RFC 6587,
/// section 3.4.1).
///
/// Nobody acknowledges: a record counts as delivered when the kernel has the whole message.
final class SyslogSink: Sink {
    /// How messages travel.
    enum Transport: String, Sendable {
        case udp
        case tcp
    }

    /// The most lines that are made into messages at once.
    private static let lineLimit = 64
    /// The payload of the largest IPv4 datagram.
    private static let datagramLimit = 65_507

    let resumption = SinkResumption.wholeLine
    private let transport: Transport
    private let message: SyslogMessage
    private var connector: SocketConnector
    /// Messages on their way, how many of their bytes are sent, and where the message of each line ends.
    private var frames: [UInt8] = []
    private var sent = 0
    private var ends: [(frame: Int, line: Int)] = []
    /// Messages that were refused and are not counted yet.
    private var refused = 0

    /// Makes a sink that is not connected.
    init(_ transport: Transport, host: String, port: UInt16, _ options: OutputOptions) {
        self.transport = transport
        message = SyslogMessage(content: options.syslogContent, host: options.http.hostName)
        connector = SocketConnector(.port(host: host, port: port, type: transport == .udp ? SOCK_DGRAM : SOCK_STREAM))
    }

    func open() throws(SinkFailure) -> SinkProgress { try connector.advance() }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        transport == .udp ? try sendDatagram(bytes) : try sendFrames(bytes)
    }

    // MARK: Datagrams

    private func sendDatagram(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        let end = bytes.firstIndex(of: newline) ?? bytes.count
        let count = min(end + 1, bytes.count)
        guard let datagram = message.bytes(of: Array(bytes[..<end])[...], limit: Self.datagramLimit) else {
            return .accepted(count, drops: OutputDrops(tooLong: 1))
        }
        do throws(SystemError) {
            guard try send(datagram[...]) != nil else { return .blocked }
            defer { refused = 0 }
            return .accepted(count, drops: OutputDrops(refused: min(refused, 1)))
        } catch  where error.code == EMSGSIZE {
            return .accepted(count, drops: OutputDrops(tooLong: 1))
        } catch  where error.code == ECONNREFUSED {
            // It was the one before, and this one was not sent.
            refused = 1
            return .blocked
        } catch {
            throw SinkFailure(error, .reopen)
        }
    }

    // MARK: Streams

    private func sendFrames(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        if connector.pollEntry(PollEntry.peerClosed)?.now().isHungUp == true, let hangUp { throw hangUp }
        if ends.isEmpty { frame(bytes) }
        do throws(SystemError) {
            guard let count = try send(frames[sent...]) else { return .blocked }
            sent += count
        } catch {
            throw SinkFailure(error, .reopen)
        }
        // Lines whose messages are sent whole are done with.
        let whole = ends.prefix { $0.frame <= sent }
        let done = whole.last?.line ?? 0
        ends.removeFirst(whole.count)
        for index in ends.indices { ends[index].line -= done }
        return .accepted(done)
    }

    /// Makes messages of the next lines.
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

    private func send(_ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int? {
        try bytes.withUnsafeBufferPointer { bytes throws(SystemError) in
            try connector.send(UnsafeRawBufferPointer(bytes))
        }
    }

    // MARK: Waits

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        let watched = transport == .tcp ? PollEntry.peerClosed : 0
        return switch interest {
        case .nothing: nil
        case .opening: connector.pollEntry(Int32(POLLOUT))
        case .writing: connector.pollEntry(Int32(POLLOUT) | watched)
        case .hangUp: transport == .tcp ? connector.pollEntry(watched) : nil
        }
    }

    var hangUp: SinkFailure? {
        transport == .tcp ? SinkFailure("the reader closed the connection", .reopen) : nil
    }

    func close(tornBytes: Int) {
        connector.reset()
        (frames, sent, ends) = ([], 0, [])
    }
}

/// What ends a line.
private let newline = UInt8(ascii: "\n")
