import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
package import Logging
import NIOCore
import NIOPosix
import NIOSSL

/// Serves HTTP on a TCP address and on a Unix socket, independently of the threads of a run.
///
/// One thread serves the connections; handlers run on Swift's pool. Each of the two accepts at most 64 connections at a time;
/// for a new one, it closes the oldest connection without an admitted request, or without an unanswered one.
package final class HTTPServer: Sendable {
    private let listeners: [Listener]
    private let refusals: Refusals
    private let logger: Logger

    /// The event loop of all connections, which exists as long as the process.
    ///
    /// swift-nio reports a fault if a loop ends at the same time as its connections.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    private static let idleTimeout = TimeAmount.seconds(60)

    /// Starts to listen; returns when all sockets listen.
    ///
    /// - Parameters:
    ///   - configuration: the addresses and their protection.
    ///   - routes: the providers of routes.
    ///   - logger: logs events.
    /// - Throws: an error if a required address cannot be used, or a file cannot be read.
    package init(
        _ configuration: HTTPServerConfiguration,
        routes: [any RouteProvider],
        logger: Logger
    ) async throws(ServerError) {
        self.logger = logger
        let refusals = Refusals(logger: logger)
        self.refusals = refusals
        let token = try configuration.tokenPath.map { path throws(ServerError) in try BearerToken(path: path) }
        let encryption = try Self.encryption(configuration)
        let router = Self.router(routes, token, refusals)
        var listeners: [Listener] = []
        do throws(ServerError) {
            if let address = configuration.address {
                let isRequired = configuration.isAddressRequired
                let place = Listener.Place.tcp(address, encryption)
                let listener = try await Self.listen(place, router, configuration, isRequired, refusals, logger)
                if let listener { listeners.append(listener) }
                let isProtected = token != nil || configuration.clientAuthorityPath != nil
                Self.warnOfOpenAddress(address, isProtected: isProtected, logger)
            }
            if let path = configuration.socketPath {
                let isRequired = configuration.isSocketRequired
                let place = Listener.Place.unix(path)
                let listener = try await Self.listen(place, router, configuration, isRequired, refusals, logger)
                if let listener { listeners.append(listener) }
            }
        } catch {
            for listener in listeners { listener.cancel() }
            throw error
        }
        self.listeners = listeners
    }

    /// The addresses as texts.
    package var places: [String] { listeners.map(\.name) }

    /// The TCP port, which the system may have chosen; nil if there is none.
    package var port: Int? { listeners.lazy.compactMap(\.port).first }

    /// The numbers of failed TLS handshakes, and of requests without the token.
    package var refused: (handshakes: Int, requests: Int) { (refusals.handshakes, refusals.requests) }

    /// Stops the server and removes its sockets; returns immediately.
    package func stop() {
        for listener in listeners { listener.cancel() }
    }

    private static func router(
        _ routes: [any RouteProvider],
        _ token: BearerToken?,
        _ refusals: Refusals
    ) -> ServerRouter {
        let router = ServerRouter(context: ServerRequestContext.self, options: .autoGenerateHeadEndpoints)
        let openPaths = routes.reduce(Gatekeeper.probePaths) { $0.union($1.openPaths) }
        router.add(middleware: Gatekeeper(token: token, refusals: refusals, openPaths: openPaths))
        router.add(middleware: MetricsMiddleware())
        for provider in routes { provider.addRoutes(to: router) }
        return router
    }

    private static func listen(
        _ place: Listener.Place,
        _ router: ServerRouter,
        _ configuration: HTTPServerConfiguration,
        _ isRequired: Bool,
        _ refusals: Refusals,
        _ logger: Logger
    ) async throws(ServerError) -> Listener? {
        do throws(ServerError) {
            let connections = ConnectionTable(perAddress: configuration.connectionsPerAddress, logger: logger)
            let listener = try await Listener(
                place,
                router,
                group,
                logger,
                connections,
                refusals,
                configuration,
                idleTimeout
            )
            logger.info("answering HTTP", metadata: ["on": "\(listener.name)"])
            return listener
        } catch {
            guard !isRequired else { throw error }
            logger.warning("\(error); the run goes on without it")
            return nil
        }
    }

    private static func warnOfOpenAddress(_ address: ListenAddress, isProtected: Bool, _ logger: Logger) {
        guard !address.isLoopback, !isProtected else { return }
        logger.warning(
            "whoever reaches this address may read metrics and flows: give a token (--http-token-file PATH)",
            metadata: ["address": "\(address)"]
        )
    }

    private static func encryption(_ configuration: HTTPServerConfiguration) throws(ServerError) -> TLSConfiguration? {
        guard let certificatePath = configuration.certificatePath, let keyPath = configuration.keyPath else {
            return nil
        }
        let certificates = try certificates(certificatePath)
        let authorities = try configuration.clientAuthorityPath.map { path throws(ServerError) in
            try Self.certificates(path)
        }
        let key = try SecretFile.read(keyPath)
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: certificates.map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: key, format: .pem))
            )
            configuration.minimumTLSVersion = .tlsv12
            if let authorities {
                configuration.trustRoots = .certificates(authorities)
                // Client certificates are required, but their names are not checked, because a client has no host name.
                configuration.certificateVerification = .noHostnameVerification
            }
            _ = try NIOSSLContext(configuration: configuration)
            return configuration
        } catch {
            throw .file(keyPath, reason: "it has no private key in PEM that belongs to \(certificatePath)")
        }
    }

    /// Reads the certificates in a file.
    static func certificates(_ path: String) throws(ServerError) -> [NIOSSLCertificate] {
        let bytes = try SecretFile.readPublic(path)
        guard let certificates = try? NIOSSLCertificate.fromPEMBytes(bytes), !certificates.isEmpty else {
            throw .file(path, reason: "it has no certificates in PEM")
        }
        return certificates
    }
}
