package import Hummingbird
import NIOCore

/// A part of the agent that answers HTTP requests.
///
/// A provider adds its routes once, when the server is made, and answers on the server's tasks for as long as the run
/// lasts. Handlers never run on the threads that read the kernel or make records: they read values that those threads
/// publish, and may not hold a lock that those threads wait for longer than a copy takes. Bodies of requests are
/// bounded (``RequestContext/maxUploadSize``); a handler bounds what it answers.
///
/// ```swift
/// struct ClockRoutes: RouteProvider {
///     func addRoutes(to router: ServerRouter) {
///         router.get("/api/v1/clock") { _, _ in "\(ContinuousClock.now)\n" }
///     }
/// }
/// ```
///
/// `/healthz`, `/readyz` and ``openPaths`` are open; every other route needs the bearer token where one is configured,
/// except on the Unix socket, which its file mode protects.
package protocol RouteProvider: Sendable {
    /// Paths that need no token, because their content is the same on every host.
    var openPaths: Set<String> { get }

    /// Adds the provider's routes; paths of two providers may not be the same.
    func addRoutes(to router: ServerRouter)
}

extension RouteProvider {
    /// By default no path is open.
    package var openPaths: Set<String> { [] }
}

/// The router to which routes are added.
package typealias ServerRouter = Router<ServerRequestContext>

/// The context of a request.
package struct ServerRequestContext: RequestContext {
    /// The framework's part of the context.
    package var coreContext: CoreRequestContextStorage
    /// Whether the request came over the Unix socket.
    package let isLocal: Bool

    /// The maximum size of a decoded request body, in bytes.
    package var maxUploadSize: Int { 64 << 10 }

    private let channel: any Channel

    /// Takes the framework's description of the connection.
    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
        isLocal = source.channel.localAddress?.protocol == .unix
    }

    /// The address of the client; nil where it has none.
    var client: String? { channel.remoteAddress?.ipAddress }

    /// Notes that the client of the connection may send requests: the connection does not make room for others.
    func admitConnection() {
        channel.triggerUserOutboundEvent(ConnectionAdmission(), promise: nil)
    }
}
