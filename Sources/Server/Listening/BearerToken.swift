import Hummingbird
import Synchronization

/// The token that TCP requests need; the file is read again when a request has another token, because it may have been renewed.
final class BearerToken: Sendable {
    /// The minimum length of a token, in bytes; 16 random bytes in base64 are longer.
    static let shortest = 16

    private let path: String
    private let token: Mutex<[UInt8]>
    /// The time of the last read.
    private let readAt = Mutex(ContinuousClock.now)
    /// The minimum time between two reads, so that wrong tokens do not cause work.
    private static let pause = Duration.seconds(1)

    /// Reads the file.
    ///
    /// - Throws: ``ServerError/file(_:reason:)``.
    init(path: String) throws(ServerError) {
        self.path = path
        token = Mutex(try Self.read(path))
    }

    private static func read(_ path: String) throws(ServerError) -> [UInt8] {
        var bytes = try SecretFile.read(path)
        while let last = bytes.last, last == 0x0a || last == 0x0d || last == 0x20 { bytes.removeLast() }
        guard bytes.count >= shortest, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw .file(path, reason: "a token is one line of at least \(shortest) printable characters")
        }
        return bytes
    }

    /// Whether a request has the token, in `Authorization` or in `X-Weir-Token`.
    ///
    /// The API server's proxies pass on the latter.
    func admits(_ headers: HTTPFields) -> Bool {
        admits(headers[.authorization]) || admits(headers[Self.proxiedField].map { "Bearer \($0)" })
    }

    private static let proxiedField = HTTPFields.Element.Name("X-Weir-Token") ?? .authorization

    /// Whether the value of an `Authorization` field has the token.
    func admits(_ authorization: String?) -> Bool {
        guard let authorization, authorization.utf8.count < 8192 else { return false }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
        let offered = Array(parts[1].utf8)
        if token.withLock({ Self.isEqual($0, offered) }) { return true }
        guard mayReadAgain(), let renewed = try? Self.read(path) else { return false }
        return token.withLock { token in
            token = renewed
            return Self.isEqual(token, offered)
        }
    }

    private func mayReadAgain() -> Bool {
        readAt.withLock { last in
            guard last.duration(to: .now) >= Self.pause else { return false }
            last = .now
            return true
        }
    }

    /// Compares in constant time if both tokens have the same length.
    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// Rejects requests with unknown methods, and those without the required token.
struct Gatekeeper: RouterMiddleware {
    typealias Context = ServerRequestContext

    /// The paths that need no token, because probes have none.
    static let probePaths: Set<String> = ["/healthz", "/readyz"]
    /// The accepted methods; they are metric labels, so their number must be limited.
    private static let methods: Set<HTTPRequest.Method> = [.get, .head, .post, .options]

    let token: BearerToken?
    let refusals: Refusals
    /// The paths that need no token.
    let openPaths: Set<String>

    @concurrent
    func handle(
        _ request: Request,
        context: ServerRequestContext,
        next: @concurrent (Request, ServerRequestContext) async throws -> Response
    ) async throws -> Response {
        guard Self.methods.contains(request.method) else { throw HTTPError(.methodNotAllowed) }
        let isAdmitted = context.isLocal || token?.admits(request.headers) ?? true
        guard isAdmitted || openPaths.contains(request.uri.path) else {
            refusals.noteRequest(from: context.client)
            throw HTTPError(.unauthorized, headers: [.wwwAuthenticate: "Bearer"])
        }
        if isAdmitted { context.admitConnection() }
        var response = try await next(request, context)
        response.headers[.xContentTypeOptions] = "nosniff"
        return response
    }
}
