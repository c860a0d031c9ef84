import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The reason why there is no response, or an incomplete one.
enum TransportFailure: Error, Sendable, Hashable {
    /// There is no connection: unknown name, connection refused, no route, or a timeout.
    case unreachable(String)
    /// The TLS handshake failed: one side does not trust the other, or does not use TLS.
    case untrusted(String)
    /// The connection ended before the response was complete.
    case cut(String)
    /// The request was sent, and no response began in time.
    case unanswered
    /// The task was cancelled.
    case cancelled

    /// Classifies an error of the HTTP client.
    init(_ error: any Error) {
        switch error {
        case let failure as TransportFailure: self = failure
        case is CancellationError: self = .cancelled
        case let error as NIOConnectionError: self = .unreachable(Self.describe(error))
        case let error as HTTPClientError: self.init(client: error)
        case let error as IOError: self.init(system: error)
        case let error as NIOSSLError: self.init(tls: error)
        case is NIOSSLExtraError: self = .untrusted(Self.otherName)
        case let error as BoringSSLError: self = .untrusted(Self.handshake("\(error)"))
        case let error as ChannelError: self.init(channel: error)
        case HTTPParserError.invalidEOFState: self = .cut("the connection ended within the answer")
        default: self = .cut("\(error)")
        }
    }

    private init(client error: HTTPClientError) {
        switch error {
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
            self = .unreachable(Self.noConnection)
        case .deadlineExceeded: self = .unanswered
        case .remoteConnectionClosed: self = .cut("the server closed the connection")
        // The client was replaced during this request; the request can be repeated.
        case .cancelled, .alreadyShutdown: self = .cut("the connection was given up")
        default: self = .cut(error.description)
        }
    }

    private init(system error: IOError) {
        switch error.errnoCode {
        case ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL, ETIMEDOUT:
            self = .unreachable(Self.describe(error))
        default: self = .cut(Self.describe(error))
        }
    }

    private init(tls error: NIOSSLError) {
        switch error {
        case .handshakeFailed(let reason): self = .untrusted(Self.handshake("\(reason)"))
        case .unableToValidateCertificate, .noCertificateToValidate:
            self = .untrusted(Self.handshake("CERTIFICATE_VERIFY_FAILED"))
        default: self = .cut("\(error)")
        }
    }

    private init(channel error: ChannelError) {
        switch error {
        case .connectTimeout: self = .unreachable(Self.noConnection)
        case .connectPending: self = .unreachable("\(error)")
        default: self = .cut("the connection ended")
        }
    }
}

extension TransportFailure: CustomStringConvertible {
    /// The text for the log.
    var description: String {
        switch self {
        case .unreachable(let reason), .untrusted(let reason), .cut(let reason): reason
        case .unanswered: "no answer in time"
        case .cancelled: "cancelled"
        }
    }
}

extension TransportFailure {
    private static let noConnection =
        "no answer to the attempt to connect; are address and port right, and does a firewall let it through?"

    private static func describe(_ error: NIOConnectionError) -> String {
        if let first = error.connectionErrors.first {
            let reason = (first.error as? IOError).map(describe) ?? "\(TransportFailure(first.error))"
            return "\(address(first.target)): \(reason)"
        }
        if error.dnsAError != nil || error.dnsAAAAError != nil {
            return "\(error.host): the name cannot be resolved"
        }
        return "\(error.host): no connection"
    }

    private static func describe(_ error: IOError) -> String {
        String(cString: strerror(error.errnoCode)).lowercased()
    }

    private static func address(_ target: SocketAddress) -> String {
        guard let host = target.ipAddress, let port = target.port else { return "\(target)" }
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// The message for a certificate without the server's name.
    static let otherName =
        "the server's certificate is not for this name or address; use an address that it names, or set tls-server-name"

    /// The message for a certificate that is not signed by a known authority, or not valid now.
    static let refusedCertificate =
        "the server's certificate is not signed by the configured certificate authority, or not valid now;"
        + " check certificate-authority and the clock"

    /// The server's alerts about the client (RFC 8446, section 6.2) by BoringSSL's names, and their messages.
    private static let alerts = [
        ("CERTIFICATE_REQUIRED", "the server requires a client's certificate; give client-certificate and client-key"),
        ("ALERT_CERTIFICATE_EXPIRED", "the client's certificate has expired for the server; renew client-certificate"),
        (
            "ALERT_UNKNOWN_CA",
            "the server does not know the authority that signed the client's certificate; check client-certificate"
        ),
        ("ALERT_PROTOCOL_VERSION", "the server does not speak TLS 1.2 or later; update the server"),
    ]

    /// Returns the message for an error of BoringSSL; common errors have a message with a remedy.
    private static func handshake(_ text: String) -> String {
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return refusedCertificate
        }
        if text.contains("WRONG_VERSION_NUMBER") {
            return "the server does not use TLS on this port; check port and scheme"
        }
        for (alert, meaning) in alerts where text.contains(alert) { return meaning }
        if text.contains("ALERT") {
            return "the server refused the TLS handshake (\(text)); check client-certificate and client-key"
        }
        return "the TLS handshake failed (\(text))"
    }
}
