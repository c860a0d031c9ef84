package import Hummingbird
import NIOCore

/// A part of the agent that answers HTTP requests.
///
/// A provider adds its routes once, when the server is created, and its handlers run on the server's tasks until the run ends.
/// Handlers never run on the threads that read the kernel or make records. They read values that those threads publish, and may
/// hold a lock that those threads use only for the time of a copy. The sizes of request bodies are limited
/// (``RequestContext/maxUploadSize``); a handler must limit the size of its responses.
///
/// ```swift
/// struct ClockRoutes: RouteProvider {
///     func addRoutes(to router: ServerRouter) {
///         router.get("/api/v1/clock") { _, _ in "\(ContinuousClock.now)\n" }
///     }
/// }
/// ```
///
/// `/healthz`, `/readyz` and ``openPaths`` need no token. If a bearer token is configured, all other routes need it, except on
/// the Unix socket, which its file mode protects.
package protocol RouteProvider: Sendable {
    /// Paths that need no token, because their content is the same on every host.
    var openPaths: Set<String> { get }

    /// Adds the provider's routes; two providers must not have the same path.
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
    /// Whether the request arrived over the Unix socket.
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

    /// The address of the client; nil if it has none.
    var client: String? { channel.remoteAddress?.ipAddress }

    /// Marks the connection as having an admitted request, so that it is not closed for a new one.
    func admitConnection() {
        channel.triggerUserOutboundEvent(ConnectionAdmission(), promise: nil)
    }
}
