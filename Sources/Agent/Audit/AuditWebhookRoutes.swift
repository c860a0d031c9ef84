import Hummingbird
import Server

/// Responds to an API server's webhook backend: `POST` of an `EventList`.
///
/// The status is 200 when the events are on the disk. After any other response the API server sends the batch again, a few
/// times.
struct AuditWebhookRoutes: RouteProvider {
    let webhook: AuditWebhook

    /// The time within which a body must arrive; an API server gives up after 30 s.
    private static let patience = Duration.seconds(30)

    /// Adds `/audit`, and `/` for clients that omit the path.
    func addRoutes(to router: ServerRouter) {
        for path: RouterPath in ["/", "/audit"] {
            router.post(path) { request, _ in try await answer(request) }
        }
    }

    private func answer(_ request: Request) async throws -> Response {
        let limit = AuditWebhook.bodyLimit
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { return tooLarge }
        var body: [UInt8] = []
        var held = 0
        defer { webhook.release(held) }
        let begin = ContinuousClock.now
        do {
            for try await part in request.body {
                guard body.count + part.readableBytes <= limit else { return tooLarge }
                guard webhook.hold(part.readableBytes) else {
                    webhook.count { $0.unavailable += 1 }
                    return Self.response(.serviceUnavailable, "too many bytes of other batches are being received")
                }
                held += part.readableBytes
                body += part.readableBytesView
                guard begin.duration(to: .now) < Self.patience else {
                    webhook.count { $0.incomplete += 1 }
                    return Self.response(.requestTimeout, "the body was not there after \(Self.patience)")
                }
            }
        } catch {
            webhook.count { $0.incomplete += 1 }
            throw error
        }
        switch await webhook.take(body) {
        case .kept(let events, let repeated):
            return Self.response(.ok, "\(events) events kept, \(repeated) were there")
        case .malformed(let reason): return Self.response(.badRequest, reason)
        case .unavailable(let reason): return Self.response(.serviceUnavailable, reason)
        }
    }

    private var tooLarge: Response {
        webhook.count { $0.tooLarge += 1 }
        return Self.response(
            .contentTooLarge,
            "more than \(AuditWebhook.bodyLimit) bytes: lower --audit-webhook-batch-max-size of the API server"
        )
    }

    private static func response(_ status: HTTPResponse.Status, _ text: String) -> Response {
        var headers: HTTPFields = [.contentType: "text/plain; charset=utf-8"]
        if status == .serviceUnavailable { headers[.retryAfter] = "10" }
        // The server does not read the rest of a body.
        if status == .contentTooLarge || status == .requestTimeout { headers[.connection] = "close" }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}
