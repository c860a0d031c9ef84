import AsyncHTTPClient
import ClusterModel
package import Logging
import NIOCore
import Synchronization

/// Sends single requests to an API server: lists for one query, and streams through the server's proxies.
package final class ClusterReader: Sendable {
    /// The reason why there is no response, or an incomplete one.
    package enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        /// The server, or a backend behind it, refused the request: the HTTP status, and the reason as text.
        case refused(Int, String)
        /// There was no connection or no response, or the response broke off.
        case transport(String)

        /// The text of the error.
        package var description: String {
            switch self {
            case .refused(let status, let reason): reason.isEmpty ? "HTTP status \(status)" : reason
            case .transport(let reason): reason
            }
        }
    }

    private let client: KubernetesClient
    /// The address of the API server, for messages.
    package let place: String

    /// The longest time until a response begins.
    private static let patience = Duration.seconds(10)
    /// The longest time for a connection; it is shorter, so that the error names the step that failed.
    private static let connectLimit = Duration.seconds(7)

    /// Creates a client without connecting.
    ///
    /// - Parameters:
    ///   - configuration: the server and the credentials.
    ///   - userAgent: the name of the client in the server's log.
    ///   - logger: logs problems with credentials.
    /// - Throws: ``KubernetesError`` if certificates, keys or the token are unreadable.
    package init(
        _ configuration: KubernetesConfiguration,
        userAgent: String,
        logger: Logger
    ) throws(KubernetesError) {
        place = configuration.place
        client = try KubernetesClient(
            configuration: configuration,
            userAgent: userAgent,
            connectLimit: Self.connectLimit,
            logger: logger
        )
    }

    /// Returns the response body of a path, which begins with `/api` or `/apis`.
    ///
    /// - Parameters:
    ///   - path: the path with its query.
    ///   - headers: additional headers of the request.
    ///   - size: the most bytes of the body.
    /// - Returns: the body.
    /// - Throws: the reason why there is no complete body.
    package func content(
        _ path: String,
        headers: [(String, String)] = [],
        upTo size: Int
    ) async throws(Failure) -> [UInt8] {
        let response = try await open(path, headers)
        guard let body = await response.content(upTo: size, within: .seconds(60)) else {
            throw .transport("the answer did not come whole within a minute, or is longer than \(size) bytes")
        }
        return body
    }

    /// Reads the response body of a path to its end, piece by piece.
    ///
    /// - Parameters:
    ///   - path: the path with its query.
    ///   - headers: additional headers of the request.
    ///   - silence: the time without a byte after which the connection counts as dead.
    ///   - take: receives each piece; returns false to stop.
    /// - Throws: the reason why there is no response, or why it broke off.
    package func stream(
        _ path: String,
        headers: [(String, String)] = [],
        silence: Duration,
        _ take: @escaping @Sendable ([UInt8]) async -> Bool
    ) async throws(Failure) {
        let body = try await open(path, headers).body
        let last = LastByte()
        let failure = await withTaskGroup(of: Failure?.self) { group in
            group.addTask {
                do {
                    for try await part in body {
                        last.at.withLock { $0 = .now }
                        guard await take(Array(part.readableBytesView)) else { return nil }
                    }
                    return nil
                } catch {
                    return .transport("\(TransportFailure(error))")
                }
            }
            group.addTask {
                while last.at.withLock({ $0 }) + silence > .now {
                    guard (try? await Task.sleep(for: .milliseconds(500))) != nil else { return nil }
                }
                return .transport("nothing came for \(silence.components.seconds) s")
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
        if let failure { throw failure }
    }

    private func open(_ path: String, _ headers: [(String, String)]) async throws(Failure) -> APIResponse {
        let response: APIResponse
        do {
            response = try await client.open(path, headers: headers, within: Self.patience)
        } catch {
            throw .transport("\(error)")
        }
        guard response.status == 200 else {
            let refusal = await response.refusal(within: Self.patience)
            throw .refused(response.status, refusal.message)
        }
        return response
    }

    /// Cancels all requests and closes all connections.
    package func shutdown() async {
        await client.shutdown(within: .seconds(1))
    }
}

/// The time of the last byte.
private final class LastByte: Sendable {
    let at = Mutex(ContinuousClock.now)
}
