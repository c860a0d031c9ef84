import Glibc
import Posix

/// Lines on a connected stream: a Unix socket or TCP.
///
/// A line counts as delivered when the kernel has all of it; what a reader leaves unread in the kernel when it dies is
/// lost without a trace. Every connection begins with the beginning of a line.
final class StreamSocketSink: Sink {
    /// The most bytes of one write, so that a stop is noticed in between.
    private static let writeLimit = 1 << 20

    let resumption = SinkResumption.wholeLine
    private let watched: Int32
    private var connector: SocketConnector

    /// Makes a sink that is not connected.
    init(_ target: SocketConnector.Target) {
        connector = SocketConnector(target)
        // A reader that closed a TCP connection is noticed only by its FIN. On a Unix socket a full close is reported
        // always, and a reader may well close its own sending half.
        watched =
            switch target {
            case .unix: 0
            case .port: PollEntry.peerClosed
            }
    }

    func open() throws(SinkFailure) -> SinkProgress {
        try connector.advance()
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> SinkWrite {
        // The kernel would still take bytes for a TCP reader that is gone.
        if connector.pollEntry(watched)?.now().isHungUp == true, let hangUp { throw hangUp }
        do throws(SystemError) {
            let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.writeLimit))
            return try connector.send(part).map { .accepted($0) } ?? .blocked
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

    var hangUp: SinkFailure? { SinkFailure("the reader closed the connection", .reopen) }

    func close(tornBytes: Int) {
        connector.reset()
    }
}
