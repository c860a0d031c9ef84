import AsyncHTTPClient
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// Sends requests to the API server with the configured credentials.
///
/// It replaces its connections when they are dead, or when the credentials have changed.
final class KubernetesClient: Sendable {
    private struct State {
        var configuration: KubernetesConfiguration
        var token: BearerToken?
        var tlsBytes: [[UInt8]]
        var connection: ClientGeneration
        var isShutDown = false
        /// The reason why the server's certificate was refused, and the time until it is checked again.
        var fault: (text: String, until: ContinuousClock.Instant)?
    }

    private static let faultLife = Duration.seconds(30)

    private let userAgent: String
    private let connectLimit: Duration
    private let logger: Logger
    private let state: Mutex<State>

    /// Creates a client without connecting.
    init(
        configuration: KubernetesConfiguration,
        userAgent: String,
        connectLimit: Duration,
        logger: Logger
    ) throws(KubernetesError) {
        self.userAgent = userAgent
        self.connectLimit = connectLimit
        self.logger = logger
        let tls = try configuration.loadTLS()
        let connection = ClientGeneration(
            number: 1,
            configuration: configuration,
            tls: tls,
            connectLimit: connectLimit
        )
        state = Mutex(
            State(
                configuration: configuration,
                token: try configuration.makeToken(),
                tlsBytes: tls?.bytes ?? [],
                connection: connection
            )
        )
    }

    // MARK: Requests

    /// Requests a path that begins with `/api` or `/apis`, with its query, and returns the header of the response.
    ///
    /// The header must arrive within the limit; the body may take longer.
    func open(
        _ path: String,
        headers: [(String, String)] = [],
        within limit: Duration
    ) async throws(TransportFailure) -> APIResponse {
        var (connection, request) = state.withLock { ($0.connection, makeRequest(path, $0)) }
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        let sentAt = ContinuousClock.now
        do {
            let response = try await connection.http.execute(request, timeout: TimeAmount(limit))
            connection.noteActivity()
            return APIResponse(
                status: Int(response.status.code),
                retryAfter: response.headers.first(name: "Retry-After").flatMap { RetryAfter.pause($0) },
                contentType: response.headers.first(name: "Content-Type"),
                body: response.body,
                connection: connection
            )
        } catch {
            var failure = Task.isCancelled ? .cancelled : TransportFailure(error)
            let hasOtherName = failure == .untrusted(TransportFailure.otherName)
            if hasOtherName || failure == .untrusted(TransportFailure.refusedCertificate),
                let fault = await certificateFault(hasOtherName)
            {
                failure = .untrusted(fault)
            }
            // If nothing else arrived on the connection either, the connection itself is dead.
            if failure == .unanswered, connection.lastActivity < sentAt { replace(connection) }
            throw failure
        }
    }

    /// Returns the reason why the server's certificate was refused; nil if the certificate cannot be read again.
    private func certificateFault(_ hasOtherName: Bool) async -> String? {
        let (configuration, known) = state.withLock { ($0.configuration, $0.fault) }
        if let known, known.until > .now { return known.text }
        let (address, name) = (configuration.address, configuration.tls.serverName)
        guard let text = await ShownCertificate.fault(at: address, serverName: name, hasOtherName: hasOtherName)
        else { return nil }
        state.withLock { $0.fault = (text, .now + Self.faultLife) }
        return text
    }

    private func makeRequest(_ path: String, _ state: borrowing State) -> HTTPClientRequest {
        let address = state.configuration.address
        let serverName = address.isSecure ? state.configuration.tls.serverName : nil
        let authority = serverName.map { "\($0):\(address.port)" } ?? address.authority
        var request = HTTPClientRequest(
            url: "\(address.isSecure ? "https" : "http")://\(authority)\(address.prefix)\(path)"
        )
        // The URL contains the certificate's name, so the header must contain the real host.
        if serverName != nil { request.headers.add(name: "Host", value: address.authority) }
        request.headers.add(name: "User-Agent", value: userAgent)
        // No Accept-Encoding: watches are never compressed, and a list is decoded as it arrives.
        request.headers.add(name: "Accept", value: "application/json")
        if let token = state.token {
            request.headers.add(name: "Authorization", value: "Bearer \(token.current())")
        }
        return request
    }

    // MARK: Replacing connections and credentials

    /// Reloads the credentials for the next request, because the server rejected the present ones.
    func renewCredentials() {
        state.withLock { $0.token?.expire() }
        reload()
    }

    /// Reads the configuration again, and creates a new client if the address, certificates or keys have changed.
    ///
    /// If a file is unreadable, the present configuration remains in use.
    func reload() {
        let current = state.withLock { $0.configuration }
        do {
            let configuration = try current.reloaded()
            let token = configuration.credentials == current.credentials ? nil : try configuration.makeToken()
            let tls = try configuration.loadTLS()
            state.withLock { state in
                guard !state.isShutDown else { return }
                let isSame =
                    configuration.address == current.address && configuration.tls == current.tls
                    && tls?.bytes ?? [] == state.tlsBytes
                state.configuration = configuration
                if configuration.credentials != current.credentials { state.token = token }
                guard !isSame else { return }
                state.tlsBytes = tls?.bytes ?? []
                succeed(&state, tls: tls)
            }
        } catch {
            logger.debug("kubernetes: cannot read the configuration again", metadata: ["error": "\(error)"])
        }
    }

    /// Replaces a client's connections, unless they were already replaced.
    private func replace(_ connection: ClientGeneration) {
        let configuration = state.withLock { $0.configuration }
        let tls = try? configuration.loadTLS()
        guard !configuration.address.isSecure || tls != nil else { return }
        state.withLock { state in
            guard !state.isShutDown, state.connection.number == connection.number else { return }
            succeed(&state, tls: tls)
        }
    }

    private func succeed(_ state: inout State, tls: TLSMaterial.Loaded?) {
        let previous = state.connection
        state.connection = ClientGeneration(
            number: previous.number + 1,
            configuration: state.configuration,
            tls: tls,
            connectLimit: connectLimit
        )
        previous.abandon()
    }

    /// Cancels all requests and closes all connections; no request may follow.
    func shutdown(within limit: Duration) async {
        let connection = state.withLock { state in
            state.isShutDown = true
            return state.connection
        }
        await connection.shutdown(within: limit)
    }
}
