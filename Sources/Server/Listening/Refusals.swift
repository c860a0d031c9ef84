import Logging
import NIOSSL
import Synchronization

/// Counts rejected clients, and logs the first one, and then whenever their number has doubled.
final class Refusals: Sendable {
    private struct Count {
        var total = 0
        var loggedAt = 1

        /// Counts one rejection.
        ///
        /// - Returns: the number if it must be logged; else nil.
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
    /// - Parameter logger: logs the rejections.
    init(logger: Logger) {
        self.logger = logger
    }

    /// The number of failed TLS handshakes.
    var handshakes: Int { handshakeCount.withLock { $0.total } }
    /// The number of requests without the required token.
    var requests: Int { requestCount.withLock { $0.total } }

    /// Counts a connection error if it is a TLS handshake error.
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

    /// Counts a request without the required token.
    ///
    /// - Parameter client: the address of the client.
    func noteRequest(from client: String?) {
        guard let count = requestCount.withLock({ $0.add() }) else { return }
        logger.warning(
            "requests were refused: they do not have the token (401)",
            metadata: ["requests": "\(count)", "last": "\(client ?? "unknown")"]
        )
    }

    /// BoringSSL's names of errors, and their meaning as text.
    private static let words = [
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "the client showed no certificate"),
        ("CERTIFICATE_VERIFY_FAILED", "none of the given authorities has signed the client's certificate"),
        ("HTTP_REQUEST", "the client speaks HTTP without TLS"),
        ("WRONG_VERSION_NUMBER", "the client does not speak TLS"),
        ("UNSUPPORTED_PROTOCOL", "the client's version of TLS is too old"),
        ("UNKNOWN_CA", "the client does not trust the server's certificate"),
        ("BAD_CERTIFICATE", "the client does not accept the server's certificate"),
    ]

    /// Returns the reason of a failed handshake as text; nil for other errors.
    static func reason(_ error: any Error) -> String? {
        guard case .handshakeFailed(let cause)? = error as? NIOSSLError else { return nil }
        let text = "\(cause)"
        return words.first { text.contains($0.0) }?.1 ?? String(text.prefix(200))
    }
}
