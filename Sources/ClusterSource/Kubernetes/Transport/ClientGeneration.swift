import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// An HTTP client with its connections, until another one replaces it.
///
/// It uses HTTP/2 if the server supports it: one connection carries all watches, which saves the server some twenty
/// connections for each node. A dead connection without a reset would stop all watches and later requests. The kernel's
/// keep-alive detects it within a minute, and an unanswered request causes a replacement of the client. While the
/// observer is slow, up to 8 MiB of each stream (its flow-control window) may wait here.
final class ClientGeneration: Sendable {
    /// The number of the client, which distinguishes successive clients.
    let number: Int
    /// Executes the requests.
    let http: HTTPClient
    private let lastActivityAt = Mutex(ContinuousClock.now)

    /// The event loop for the I/O of all clients; it exists as long as the process.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Creates a client without connecting.
    init(
        number: Int,
        configuration: KubernetesConfiguration,
        tls: TLSMaterial.Loaded?,
        connectLimit: Duration
    ) {
        self.number = number
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls?.configuration,
            // A redirect could send the token to another server; API servers do not redirect these requests.
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(connectLimit)),
            decompression: .disabled
        )
        settings.httpVersion = .automatic
        // The reflectors pause between attempts themselves.
        settings.connectionPool.retryConnectionEstablishment = false
        // Over HTTP/1.1 each watch needs a connection of its own.
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        if configuration.address.isSecure, let name = configuration.tls.serverName {
            settings.dnsOverride = [name: configuration.address.host]
        }
        settings.http1_1ConnectionDebugInitializer = Self.keepAlive
        settings.http2ConnectionDebugInitializer = Self.keepAlive
        http = HTTPClient(eventLoopGroup: Self.group, configuration: settings)
    }

    /// Records that bytes arrived over this client's connections.
    func noteActivity() {
        lastActivityAt.withLock { $0 = .now }
    }

    /// The time when the last bytes arrived.
    var lastActivity: ContinuousClock.Instant {
        lastActivityAt.withLock { $0 }
    }

    /// Cancels all requests and closes all connections without waiting.
    func abandon() {
        http.shutdown { _ in }
    }

    /// Cancels all requests and closes all connections; waits for that, but not longer than the limit.
    ///
    /// An attempt to connect cannot be cancelled, and lasts until its own timeout.
    func shutdown(within limit: Duration) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let waiting = WaitingOnce(continuation)
            Self.group.any().scheduleTask(in: TimeAmount(limit)) { waiting.resume() }
            http.shutdown { _ in waiting.resume() }
        }
    }

    /// Enables TCP keep-alive: probes after 30 s of silence, and a timeout after 30 s more.
    private static let keepAlive: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
        let options: [(ChannelOptions.Types.SocketOption, Int)] = [
            (.socketOption(.so_keepalive), 1),
            (.tcpOption(.init(rawValue: TCP_KEEPIDLE)), 30),
            (.tcpOption(.init(rawValue: TCP_KEEPINTVL)), 10),
            (.tcpOption(.init(rawValue: TCP_KEEPCNT)), 3),
            (.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), 60_000),
        ]
        let futures = options.map { channel.setOption($0.0, value: $0.1) }
        return EventLoopFuture.andAllComplete(futures, on: channel.eventLoop)
    }
}

/// A continuation that several callers may resume; only the first call has an effect.
private final class WaitingOnce: Sendable {
    private let continuation: Mutex<CheckedContinuation<Void, Never>?>

    init(_ continuation: CheckedContinuation<Void, Never>) {
        self.continuation = Mutex(continuation)
    }

    func resume() {
        continuation.withLock { $0.take() }?.resume()
    }
}
