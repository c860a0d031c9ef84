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
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > AuditWebhook.bodyLimit {
            return tooLarge
        }
        let encoding = request.headers[.contentEncoding] ?? ""
        guard let body = AuditBody(encoding: encoding, webhook) else {
            webhook.count { $0.malformed += 1 }
            return Self.response(
                .unsupportedMediaType,
                "Content-Encoding \(encoding.prefix(100)): only gzip is decoded"
            )
        }
        defer { body.release() }
        let begin = ContinuousClock.now
        do {
            for try await part in request.body {
                try body.add(part)
                guard begin.duration(to: .now) < Self.patience else {
                    webhook.count { $0.incomplete += 1 }
                    return Self.response(.requestTimeout, "the body was not there after \(Self.patience)")
                }
            }
            try body.end()
        } catch AuditBody.Fault.tooLarge {
            return tooLarge
        } catch AuditBody.Fault.noRoom {
            webhook.count { $0.unavailable += 1 }
            return Self.response(.serviceUnavailable, "too many bytes of other batches are being received")
        } catch AuditBody.Fault.damaged(let reason) {
            webhook.count { $0.malformed += 1 }
            return Self.response(.badRequest, reason)
        } catch {
            webhook.count { $0.incomplete += 1 }
            throw error
        }
        switch await webhook.take(body.bytes) {
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
        if status == .unsupportedMediaType { headers[.acceptEncoding] = "gzip" }
        // The server does not wait for the rest of a body that was not read.
        if [.contentTooLarge, .requestTimeout, .unsupportedMediaType].contains(status) {
            headers[.connection] = "close"
        }
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}
