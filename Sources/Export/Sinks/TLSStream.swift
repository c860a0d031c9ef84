import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import Posix
import Synchronization

/// TLS over TCP, on the shared event loops of all outputs.
///
/// The server's certificate must be valid for the host name, or for ``HTTPOptions/serverName``. One write is in
/// progress at a time; its bytes count as sent when the kernel has them.
final class TLSStream: ByteStream {
    /// The maximum size of one write, in bytes.
    private static let writeLimit = 256 << 10

    private let host: String
    private let port: UInt16
    private let options: HTTPOptions
    private var connection: TLSConnection?

    /// Creates a stream that is not connected.
    init(host: String, port: UInt16, _ options: HTTPOptions) {
        self.host = host
        self.port = port
        self.options = options
    }

    func advance() throws(SinkFailure) -> SinkProgress {
        if let connection { return try connection.progress() }
        do {
            // The files with certificates and keys are read for each attempt, because they may have been renewed.
            let context = try NIOSSLContext(configuration: TLSConfiguration(client: options))
            let connection = try TLSConnection()
            connection.begin(host: host, port: Int(port), context, serverName: options.serverName ?? host)
            self.connection = connection
            return .pending
        } catch let error as SystemError {
            throw SinkFailure(error, .reopen)
        } catch {
            throw SinkFailure("certificates and keys of TLS: \(error)", .reopen)
        }
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> Int? {
        guard let connection else { throw SinkFailure("not open", .reopen) }
        return try connection.send(UnsafeRawBufferPointer(rebasing: bytes.prefix(Self.writeLimit)))
    }

    func pollEntry(for interest: DeliveryMachine.Interest) -> PollEntry? {
        // The next write detects a closed connection: waiting for it here would find old signals repeatedly.
        interest == .opening || interest == .writing ? connection?.pollEntry : nil
    }

    var end: SinkFailure? { connection?.end }

    func reset() {
        connection?.close()
        connection = nil
    }
}

/// A TLS connection, from the attempt to connect to its end.
final class TLSConnection: Sendable {
    private struct State {
        var isOpen = false
        var isClosed = false
        var failure: String?
        var channel: (any Channel)?
        /// Bytes in progress; nil for none.
        var writing: Int?
        /// Bytes that were passed to the kernel and are not reported yet.
        var written: Int?
    }

    private let state = Mutex(State())
    private let settled: Wakeup

    /// The time limit for the server's part of the handshake; less than ``DeliveryMachine/openingLimit``.
    private static let handshakeLimit = TimeAmount.seconds(8)

    /// Creates a connection that is not started.
    init() throws(SystemError) {
        settled = try Wakeup()
    }

    /// The descriptor to poll for progress.
    var pollEntry: PollEntry { settled.pollEntry }

    /// The reason why an open connection has ended; nil if it has not.
    var end: SinkFailure? {
        state.withLock { $0.isOpen ? $0.failure : nil }.map { SinkFailure($0, .reopen) }
    }

    /// Starts to connect.
    func begin(host: String, port: Int, _ context: NIOSSLContext, serverName: String) {
        let isAddress = (try? SocketAddress(ipAddress: serverName, port: 0)) != nil
        ClientBootstrap(group: EventLoops.shared)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Without a server name, the certificate must contain the address.
                    let tls = try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : serverName)
                    let settling = TLSSettling(self)
                    try channel.pipeline.syncOperations.addHandlers(settling, tls, TLSObserver(self, settling))
                }
            }
            .connect(host: host, port: port)
            .whenComplete { [self] result in
                switch result {
                case .failure(let error): fail("connect: \(ConnectionFault.text(error))")
                case .success(let channel):
                    let isClosed = state.withLock { state in
                        state.channel = channel
                        return state.isClosed
                    }
                    if isClosed { channel.close(promise: nil) }
                    channel.eventLoop.scheduleTask(in: Self.handshakeLimit) { [self] in
                        guard !state.withLock({ $0.isOpen || $0.isClosed }) else { return }
                        fail("connect: \(ConnectionFault.noHandshake)")
                        channel.close(promise: nil)
                    }
                }
            }
    }

    /// Returns the progress of opening.
    func progress() throws(SinkFailure) -> SinkProgress {
        settled.clear()
        let (isOpen, failure) = state.withLock { ($0.isOpen, $0.failure) }
        if let failure { throw SinkFailure(failure, .reopen) }
        return isOpen ? .ready : .pending
    }

    /// Sends bytes; returns the number of earlier bytes that were passed to the kernel, nil while they are in progress.
    func send(_ bytes: UnsafeRawBufferPointer) throws(SinkFailure) -> Int? {
        settled.clear()
        let (written, isBusy, failure, channel) = state.withLock { state in
            defer { state.written = nil }
            return (state.written, state.writing != nil, state.failure, state.channel)
        }
        if let written { return written }
        if let failure { throw SinkFailure(failure, .reopen) }
        guard !isBusy, let channel else { return nil }
        state.withLock { $0.writing = bytes.count }
        channel.writeAndFlush(ByteBuffer(bytes: bytes)).whenComplete { [self] result in
            state.withLock { state in
                if case .success = result { state.written = state.writing }
                if case .failure(let error) = result {
                    state.failure = state.failure ?? "send: \(ConnectionFault.text(error))"
                }
                state.writing = nil
            }
            settled.signal()
        }
        return nil
    }

    /// Closes the connection; returns immediately.
    func close() {
        let channel = state.withLock { state in
            state.isClosed = true
            return state.channel
        }
        channel?.close(promise: nil)
    }

    /// Marks the connection as open, unless it has failed.
    fileprivate func open() {
        state.withLock { $0.isOpen = $0.isOpen || $0.failure == nil }
        settled.signal()
    }

    fileprivate func fail(_ reason: String) {
        state.withLock { $0.failure = $0.failure ?? reason }
        settled.signal()
    }
}

/// Marks a connection as open only after the server has checked the client's certificate.
///
/// With TLS 1.3, the client's handshake ends before the server checks the client's certificate. A server that rejects the
/// certificate then closes the connection, and bytes written meanwhile would be lost. A server that accepts it usually sends a
/// session ticket.
private final class TLSSettling: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// The time after which the client counts as accepted, if the server sends nothing.
    private static let limit = TimeAmount.milliseconds(500)

    private let connection: TLSConnection
    private var hasShakenHands = false

    init(_ connection: TLSConnection) {
        self.connection = connection
    }

    /// Handles the end of the client's handshake.
    func settle(_ context: ChannelHandlerContext) {
        hasShakenHands = true
        context.eventLoop.scheduleTask(in: Self.limit) { [connection] in connection.open() }
    }

    /// After the handshake, the server sends a ticket, or an alert, after which the connection fails before this returns.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let isSettled = hasShakenHands
        context.fireChannelRead(data)
        if isSettled { connection.open() }
    }
}

/// Reports the events of a connection to its owner.
private final class TLSObserver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connection: TLSConnection
    private let settling: TLSSettling

    init(_ connection: TLSConnection, _ settling: TLSSettling) {
        self.connection = connection
        self.settling = settling
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.handshakeCompleted) = event as? TLSUserEvent { settling.settle(context) }
        context.fireUserInboundEventTriggered(event)
    }

    /// Discards incoming bytes: receivers of records send none.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.fail("TLS: \(ConnectionFault.text(error))")
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.fail("the reader closed the connection")
    }
}
