import Logging
import NIOSSL
import Synchronization

/// Counts the clients that are not let in, and logs the first one and then each time that their number has doubled.
final class Refusals: Sendable {
    private struct Count {
        var total = 0
        var loggedAt = 1

        /// Adds one.
        ///
        /// - Returns: the number, if it is to be logged.
        mutating func add() -> Int? {
            total += 1
            guard total >= loggedAt else { return nil }
            loggedAt = 2 * total
            return total
        }
    }

    private let handshakeCount = Mutex(Count())
    private let requestCount = Mutex(Count())
    private let logger: Logger

    /// Creates counts without refusals.
    ///
    /// - Parameter logger: gets the lines.
    init(logger: Logger) {
        self.logger = logger
    }

    /// TLS handshakes that failed.
    var handshakes: Int { handshakeCount.withLock { $0.total } }
    /// Requests without the token that is asked for.
    var requests: Int { requestCount.withLock { $0.total } }

    /// Notes an error of a connection, if it is one of its TLS handshake.
    ///
    /// - Parameters:
    ///   - error: the error.
    ///   - client: the address of the client.
    func note(_ error: any Error, from client: String?) {
        guard let reason = Self.reason(error), let count = handshakeCount.withLock({ $0.add() }) else { return }
        logger.warning(
            "clients were not let in: the TLS handshake failed",
            metadata: ["clients": "\(count)", "last": "\(client ?? "unknown")", "reason": "\(reason)"]
        )
    }

    /// Notes a request without the token.
    ///
    /// - Parameter client: the address of the client.
    func noteRequest(from client: String?) {
        guard let count = requestCount.withLock({ $0.add() }) else { return }
        logger.warning(
            "requests were refused: they do not have the token (401)",
            metadata: ["requests": "\(count)", "last": "\(client ?? "unknown")"]
        )
    }

    /// Names of errors in BoringSSL, and what they say of the client.
    private static let words = [
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "the client showed no certificate"),
        ("CERTIFICATE_VERIFY_FAILED", "none of the given authorities has signed the client's certificate"),
        ("HTTP_REQUEST", "the client speaks HTTP without TLS"),
        ("WRONG_VERSION_NUMBER", "the client does not speak TLS"),
        ("UNSUPPORTED_PROTOCOL", "the client's version of TLS is too old"),
        ("UNKNOWN_CA", "the client does not trust the server's certificate"),
        ("BAD_CERTIFICATE", "the client does not accept the server's certificate"),
    ]

    /// Returns the reason why a handshake failed, in words; nil for other errors.
    static func reason(_ error: any Error) -> String? {
        guard case .handshakeFailed(let cause)? = error as? NIOSSLError else { return nil }
        let text = "\(cause)"
        return words.first { text.contains($0.0) }?.1 ?? String(text.prefix(200))
    }
}
