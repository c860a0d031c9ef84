import AsyncHTTPClient
import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// An HTTP client with its connections, until another one takes its place.
///
/// HTTP/2 where the server has it: one connection carries all watches, which spares the server some twenty connections
/// from each node. A dead connection without a reset would stop all watches and later requests: the kernel's keep-alive
/// detects it within a minute, and a request without an answer has the client replaced. Of each stream up to 8 MiB (its
/// flow-control window) may wait here to be read, while the observer is slow.
final class ClientGeneration: Sendable {
    /// Distinguishes successive clients.
    let number: Int
    /// Does the requests.
    let http: HTTPClient
    private let lastActivityAt = Mutex(ContinuousClock.now)

    /// The thread that moves the bytes of all clients; it stays for the life of the program.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// Makes a client; nothing is connected yet.
    init(
        number: Int,
        configuration: KubernetesConfiguration,
        tls: TLSMaterial.Loaded?,
        connectLimit: Duration
    ) {
        self.number = number
        var settings = HTTPClient.Configuration(
            tlsConfiguration: tls?.configuration,
            // A redirect could lead the token elsewhere; API servers do not redirect these requests.
            redirectConfiguration: .disallow,
            timeout: .init(connect: TimeAmount(connectLimit)),
            decompression: .disabled
        )
        settings.httpVersion = .automatic
        // The reflectors have their own pauses between attempts.
        settings.connectionPool.retryConnectionEstablishment = false
        // Over HTTP/1.1 each watch has a connection to itself.
        settings.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 64
        if configuration.address.isSecure, let name = configuration.tls.serverName {
            settings.dnsOverride = [name: configuration.address.host]
        }
        settings.http1_1ConnectionDebugInitializer = Self.keepAlive
        settings.http2ConnectionDebugInitializer = Self.keepAlive
        http = HTTPClient(eventLoopGroup: Self.group, configuration: settings)
    }

    /// Notes that bytes arrived over this client's connections.
    func noteActivity() {
        lastActivityAt.withLock { $0 = .now }
    }

    /// The time when the last bytes arrived.
    var lastActivity: ContinuousClock.Instant {
        lastActivityAt.withLock { $0 }
    }

    /// Ends all requests and connections without waiting for it.
    func abandon() {
        http.shutdown { _ in }
    }

    /// Ends all requests and connections; waits for that, but not longer than the limit.
    ///
    /// An attempt to connect cannot be broken off, and lasts until its own time is up.
    func shutdown(within limit: Duration) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let waiting = WaitingOnce(continuation)
            Self.group.any().scheduleTask(in: TimeAmount(limit)) { waiting.resume() }
            http.shutdown { _ in waiting.resume() }
        }
    }

    /// Has the kernel ask after 30 s of silence whether the other side is still there, and give up after 30 s more.
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

/// A continuation that several may resume; the first one does.
private final class WaitingOnce: Sendable {
    private let continuation: Mutex<CheckedContinuation<Void, Never>?>

    init(_ continuation: CheckedContinuation<Void, Never>) {
        self.continuation = Mutex(continuation)
    }

    func resume() {
        continuation.withLock { $0.take() }?.resume()
    }
}
