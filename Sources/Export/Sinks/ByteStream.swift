import Glibc
import Posix

/// An ordered byte stream: a socket, or TLS over a socket.
///
/// Used by one thread at a time: the thread that creates it, then the output's thread.
protocol ByteStream: AnyObject {
    /// Starts or continues to connect.
    func advance() throws(SinkFailure) -> SinkProgress

    /// Sends as many bytes as possible without waiting; returns nil if no bytes can be sent now.
    ///
    /// After nil, the next call must begin with the same bytes, because an implementation may have taken them already.
    func send(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> Int?

    /// The descriptor to poll for an interest; nil if there is none.
    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry?

    /// The reason why an open stream has lost its reader, even if the socket still accepts bytes; nil if it has not.
    var end: SinkFailure? { get }

    /// Closes the stream; the next attempt resolves the host again.
    func reset()
}

extension ByteStream {
    /// The failure for a disconnected reader.
    static var readerIsGone: SinkFailure { SinkFailure("the reader closed the connection", .reopen) }
}

/// A Unix stream socket, or TCP.
final class SocketStream: ByteStream {
    private let watched: Int32
    private var connector: SocketConnector

    /// Creates a stream that is not connected.
    init(_ target: SocketConnector.Target) {
        connector = SocketConnector(target)
        // Only the FIN shows that a reader closed a TCP connection. On a Unix socket a full close is always reported, and a
        // reader may close only its own sending half.
        watched =
            switch target {
            case .unix: 0
            case .port: PollEntry.peerClosed
            }
    }

    func advance() throws(SinkFailure) -> SinkProgress { try connector.advance() }

    func send(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> Int? {
        do throws(SystemError) {
            return try connector.send(bytes)
        } catch {
            throw SinkFailure(error, .reopen)
        }
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        switch interest {
        case .nothing: nil
        case .opening: connector.pollEntry(Int32(POLLOUT))
        case .writing: connector.pollEntry(Int32(POLLOUT) | watched)
        case .hangUp: connector.pollEntry(watched)
        }
    }

    var end: SinkFailure? { connector.pollEntry(watched)?.now().isHungUp == true ? Self.readerIsGone : nil }

    func reset() { connector.reset() }
}
