import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix

/// Formats connection errors, for the log and for commands that call a server.
package enum ConnectionFault {
    /// Formats the error for an operator, without the source locations that libraries add.
    package static func text(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError: return text(ofConnecting: error)
        case let error as IOError: return String(cString: strerror(error.errnoCode)).lowercased()
        case let error as HTTPClientError: return text(ofClient: error) ?? withoutPlaces("\(error)")
        case ChannelError.connectTimeout: return noAnswer
        case is ChannelError: return "the connection ended"
        case HTTPParserError.invalidEOFState: return "the connection ended within the answer"
        case is HTTPParserError: return "what answers does not speak HTTP (\(error))"
        default: break
        }
        let text = "\(error)"
        for (name, meaning) in meanings where text.contains(name) { return meaning }
        return withoutPlaces(text)
    }

    /// The message if the listener does not respond to the TLS handshake.
    static let noHandshake = "no answer to the TLS handshake: does what listens there speak TLS?"

    private static let noAnswer =
        "no answer to the attempt to connect; are host and port right, and does a firewall let it through?"

    private static func text(ofConnecting error: NIOConnectionError) -> String {
        guard let first = error.connectionErrors.first else {
            let isUnknown = error.dnsAError != nil || error.dnsAAAAError != nil
            return isUnknown ? "the host name \(error.host) cannot be resolved" : "\(error.host): no connection"
        }
        // If a name has several addresses, the first error is that of the first address.
        guard let host = first.target.ipAddress, let port = first.target.port else { return text(first.error) }
        return "\(host.contains(":") ? "[\(host)]" : host):\(port): \(text(first.error))"
    }

    private static func text(ofClient error: HTTPClientError) -> String? {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout: noAnswer
        case .tlsHandshakeTimeout: noHandshake
        case .deadlineExceeded, .readTimeout: "no answer in time"
        case .remoteConnectionClosed: "the server closed the connection without an answer"
        default: nil
        }
    }

    /// BoringSSL's names of errors, with a remedy for the operator.
    private static let meanings = [
        (
            "CERTIFICATE_VERIFY_FAILED",
            "the server's certificate is expired or not valid yet, or comes from no authority that is trusted (ca-file)"
        ),
        ("failedToValidateHostname", "the server's certificate is for another name (server-name)"),
        ("WRONG_VERSION_NUMBER", "what answers does not speak TLS"),
        ("EOF during handshake", "the connection ended within the TLS handshake: does what listens there speak TLS?"),
        ("CERTIFICATE_REQUIRED", "the server wants a certificate of the client (cert-file, key-file)"),
        ("ALERT_UNKNOWN_CA", "the server does not know the authority of the client's certificate (cert-file)"),
        ("ALERT_BAD_CERTIFICATE", "the server does not take the client's certificate (cert-file, key-file)"),
        ("ALERT_CERTIFICATE", "the server does not take the client's certificate (cert-file, key-file)"),
        ("PROTOCOL_VERSION", "the server speaks no TLS from 1.2 on"),
        ("UNSUPPORTED_PROTOCOL", "the server speaks no TLS from 1.2 on"),
        ("uncleanShutdown", "the other side closed the connection"),
    ]

    /// Removes ` at PATH:LINE`.
    static func withoutPlaces(_ text: String) -> String {
        let parts = text.split(separator: " at /", omittingEmptySubsequences: false)
        guard let first = parts.first else { return text }
        // A location is a path, a colon and digits.
        return parts.dropFirst().reduce(String(first)) { whole, part in
            whole + (part.firstIndex(of: ":").map { part[part.index(after: $0)...].drop { $0.isNumber } } ?? part)
        }
    }
}
