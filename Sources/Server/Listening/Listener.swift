import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// A listening address, and the task that serves it.
final class Listener: Sendable {
    /// The kind of address.
    enum Place: Sendable {
        /// A TCP address, with TLS where it is configured.
        case tcp(ListenAddress, TLSConfiguration?)
        /// A Unix socket.
        case unix(String)
    }

    /// The address as text, with the actual port.
    let name: String
    /// The TCP port; nil for a Unix socket.
    let port: Int?
    private let task: Task<Void, Never>
    private let channel: any Channel
    private let connections: ConnectionTable
    private let socketPath: String?
    /// The file of the Unix socket when listening began.
    private let socketFile: SocketFile?

    /// A file, identified by device and inode.
    private struct SocketFile: Equatable {
        let device: dev_t
        let number: ino_t

        /// Reads the identity of the file at a path, without following a symbolic link; nil if there is none.
        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else { return nil }
            (device, number) = (status.st_dev, status.st_ino)
        }
    }

    private static let patience = TimeAmount.seconds(20)
    /// The umask for the socket: only owner and group may connect.
    private static let socketMask: mode_t = 0o117

    /// Starts to listen.
    ///
    /// - Throws: ``ServerError/listen(_:reason:)``.
    init(
        _ place: Place,
        _ router: ServerRouter,
        _ group: MultiThreadedEventLoopGroup,
        _ logger: Logger,
        _ connections: ConnectionTable,
        _ refusals: Refusals,
        _ configuration: HTTPServerConfiguration,
        _ idleTimeout: TimeAmount
    ) async throws(ServerError) {
        if case .unix(let path) = place { try UnixSocketPlace.prepare(path) }
        // The library's messages have no additional information.
        var quiet = logger
        if quiet.logLevel > .debug { quiet.logLevel = .critical }
        let loop = group.next()
        let beginning = loop.makePromise(of: (any Channel).self)
        let mask = place.isSocket ? umask(Self.socketMask) : nil
        defer { if let mask { umask(mask) } }
        let limits = (head: TimeAmount(configuration.headLimit), read: TimeAmount(configuration.readLimit))
        let handlers = { @Sendable () -> [any RemovableChannelHandler] in
            [ConnectionGate(connections, refusals, headLimit: limits.head), ReadingWatch(limit: limits.read)]
        }
        let application = try Self.application(place, router, group, quiet, handlers, idleTimeout, beginning)
        task = Task.detached {
            do {
                try await application.run()
                beginning.fail(CancellationError())
            } catch {
                beginning.fail(error)
            }
        }
        // The promise takes the first result: the address, or the timeout.
        let limit = loop.scheduleTask(in: Self.patience) {
            beginning.fail(ServerError.listen("", reason: "no answer within 20 s"))
        }
        do {
            channel = try await beginning.futureResult.get()
            limit.cancel()
        } catch {
            limit.cancel()
            task.cancel()
            await task.value
            throw .listen(place.name(port: nil), reason: Self.text(of: error))
        }
        self.connections = connections
        port = channel.localAddress?.port
        name = place.name(port: port)
        socketPath = place.path
        socketFile = place.path.flatMap(SocketFile.init)
    }

    /// Stops listening, closes the connections, and removes the socket unless another process has replaced it.
    ///
    /// The library's task ends by itself. Cancelling it, or closing its channel while a connection is being accepted, would
    /// crash the process: swift-nio treats a connection without a handler as a fault.
    func cancel() {
        if let socketPath, let socketFile, SocketFile(socketPath) == socketFile { unlink(socketPath) }
        let loop = channel.eventLoop
        channel.setOption(.autoRead, value: false)
            .flatMap { loop.submit {} }  // runs after the connections that were accepted before
            .flatMap { [channel] in channel.close() }
            .whenComplete { [connections] _ in connections.closeAll() }
    }

    private static func application(
        _ place: Place,
        _ router: ServerRouter,
        _ group: MultiThreadedEventLoopGroup,
        _ logger: Logger,
        _ handlers: @escaping @Sendable () -> [any RemovableChannelHandler],
        _ idleTimeout: TimeAmount,
        _ beginning: EventLoopPromise<any Channel>
    ) throws(ServerError) -> some ApplicationProtocol {
        let plain = HTTPServerBuilder.http1(
            configuration: .init(
                additionalChannelHandlers: handlers(),
                idleTimeout: idleTimeout,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 16 << 10,
                    maxHeaderListSize: 32 << 10,
                    maxHeaderFieldCount: 100
                )
            )
        )
        let builder: HTTPServerBuilder
        do { builder = try place.encryption.map { try .tls(plain, tlsConfiguration: $0) } ?? plain } catch {
            throw .listen(place.name(port: nil), reason: "TLS: \(error)")
        }
        return Application(
            router: router,
            server: builder,
            configuration: ApplicationConfiguration(
                address: place.bindAddress,
                serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    ConnectionTable.limit + ConnectionTable.closing,
                    logger: logger
                )
            ),
            onServerRunning: { channel in beginning.succeed(channel) },
            eventLoopGroupProvider: .shared(group),
            logger: logger
        )
    }

    private static func text(of error: any Error) -> String {
        if case .listen(_, let reason)? = error as? ServerError { return reason }
        guard let error = error as? IOError else { return "\(error)" }
        let text = String(cString: strerror(error.errnoCode))
        return error.errnoCode == EADDRINUSE
            ? "\(text): another program listens there; choose another address" : text
    }
}

extension Listener.Place {
    fileprivate var isSocket: Bool { path != nil }

    fileprivate var path: String? {
        if case .unix(let path) = self { path } else { nil }
    }

    fileprivate var encryption: TLSConfiguration? {
        if case .tcp(_, let encryption) = self { encryption } else { nil }
    }

    fileprivate var bindAddress: BindAddress {
        switch self {
        case .tcp(let address, _): .hostname(address.host, port: Int(address.port))
        case .unix(let path): .unixDomainSocket(path: path)
        }
    }

    fileprivate func name(port: Int?) -> String {
        switch self {
        case .unix(let path): return "unix:\(path)"
        case .tcp(var address, let encryption):
            if let port { address.port = UInt16(clamping: port) }
            return "\(encryption == nil ? "http" : "https")://\(address)"
        }
    }
}
