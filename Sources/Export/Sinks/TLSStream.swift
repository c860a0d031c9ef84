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

    /// Makes a stream that is not connected.
    init(host: String, port: UInt16, _ options: HTTPOptions) {
        self.host = host
        self.port = port
        self.options = options
    }

    func advance() throws(SinkFailure) -> SinkProgress {
        if let connection { return try connection.progress() }
        do {
            // Files of certificates and keys are read for each attempt: they may have been renewed.
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
        // The next write detects a closed connection: a wait for it alone would find old signals repeatedly.
        interest == .opening || interest == .writing ? connection?.pollEntry : nil
    }

    var end: SinkFailure? { connection?.end }

    func reset() {
        connection?.close()
        connection = nil
    }
}

/// A connection with TLS, from the attempt to its end.
final class TLSConnection: Sendable {
    private struct State {
        var isOpen = false
        var isClosed = false
        var failure: String?
        var channel: (any Channel)?
        /// Bytes in progress; nil for none.
        var writing: Int?
        /// Bytes that have arrived in the kernel and are not reported yet.
        var written: Int?
    }

    private let state = Mutex(State())
    private let settled: Wakeup

    /// How long the other side may take to answer the handshake, less than ``DeliveryMachine/openingLimit``.
    private static let handshakeLimit = TimeAmount.seconds(8)

    /// Makes a connection that has not begun.
    init() throws(SystemError) {
        settled = try Wakeup()
    }

    /// The descriptor to poll for progress.
    var pollEntry: PollEntry { settled.pollEntry }

    /// Why an open connection has ended; nil while it has not.
    var end: SinkFailure? {
        state.withLock { $0.isOpen ? $0.failure : nil }.map { SinkFailure($0, .reopen) }
    }

    /// Begins to connect.
    func begin(host: String, port: Int, _ context: NIOSSLContext, serverName: String) {
        let isAddress = (try? SocketAddress(ipAddress: serverName, port: 0)) != nil
        ClientBootstrap(group: EventLoops.shared)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    // Without a name, the certificate must have the address.
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

    /// The state of the connection.
    func progress() throws(SinkFailure) -> SinkProgress {
        settled.clear()
        let (isOpen, failure) = state.withLock { ($0.isOpen, $0.failure) }
        if let failure { throw SinkFailure(failure, .reopen) }
        return isOpen ? .ready : .pending
    }

    /// Sends bytes, or returns how many earlier bytes have arrived; nil while they are in progress.
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

    /// Opens it, unless it has failed.
    fileprivate func open() {
        state.withLock { $0.isOpen = $0.isOpen || $0.failure == nil }
        settled.signal()
    }

    fileprivate func fail(_ reason: String) {
        state.withLock { $0.failure = $0.failure ?? reason }
        settled.signal()
    }
}

/// Opens a connection when the server has had its say about the client.
///
/// With TLS 1.3 the handshake has ended for the client before the server looks at its certificate, and a server that
/// wants another closes then: what was written meanwhile would be lost. A server that is content usually sends a ticket.
private final class TLSSettling: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    /// How long a server may take to say no.
    private static let limit = TimeAmount.milliseconds(500)

    private let connection: TLSConnection
    private var hasShakenHands = false

    init(_ connection: TLSConnection) {
        self.connection = connection
    }

    /// The handshake has ended for the client.
    func settle(_ context: ChannelHandlerContext) {
        hasShakenHands = true
        context.eventLoop.scheduleTask(in: Self.limit) { [connection] in connection.open() }
    }

    /// What comes after the handshake is a ticket, or a reason to close, which is noticed before this returns.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let isSettled = hasShakenHands
        context.fireChannelRead(data)
        if isSettled { connection.open() }
    }
}

/// Reports the events of a connection.
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

    /// Discards incoming bytes: readers of records send none.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        connection.fail("TLS: \(ConnectionFault.text(error))")
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        connection.fail("the reader closed the connection")
    }
}
