package import API
import Foundation
import Hummingbird
package import Server
import Synchronization

/// Serves `/api/v1` from a store.
package struct APIRoutes: RouteProvider {
    private let api: API
    private let isLoopbackOnly: Bool
    private let fixedNow: Int64?
    private let streams = Streams()

    /// How many streams are open.
    private final class Streams: Sendable {
        private let open = Atomic<Int>(0)
        private static let limit = 8

        func begin() -> Bool {
            if open.wrappingAdd(1, ordering: .relaxed).newValue <= Self.limit { return true }
            end()
            return false
        }

        func end() { open.wrappingSubtract(1, ordering: .relaxed) }
    }

    /// Takes who answers.
    ///
    /// - Parameters:
    ///   - api: answers.
    ///   - isLoopbackOnly: whether requests must name this host as their own: a page of elsewhere whose name leads here
    ///     (DNS rebinding) does not.
    ///   - now: what time it is to requests, Unix seconds; nil: the clock's. Records of a file end at a time of theirs.
    package init(_ api: API, isLoopbackOnly: Bool, now: Int64? = nil) {
        self.api = api
        self.isLoopbackOnly = isLoopbackOnly
        fixedNow = now
    }

    /// Adds the routes.
    package func addRoutes(to router: ServerRouter) {
        router.get("/api/v1/live") { request, context in
            isTrusted(request, context) ? live(request) : Self.response(API.answer(Self.foreign))
        }
        router.get("/api/v1/:name") { request, context in
            let name = context.parameters.get("name") ?? ""
            guard isTrusted(request, context) else { return Self.response(API.answer(Self.foreign)) }
            do throws(APIError) {
                return Self.response(api.answer(try asked(name, request)))
            } catch {
                return Self.response(API.answer(error))
            }
        }
    }

    private static let foreign = APIError(
        403,
        "foreign_host",
        nil,
        "requests must be for 127.0.0.1, [::1] or localhost"
    )

    private func isTrusted(_ request: Request, _ context: ServerRequestContext) -> Bool {
        guard isLoopbackOnly, !context.isLocal else { return true }
        let authority = request.head.authority ?? ""
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return ["127.0.0.1", "[::1]", "localhost"].contains(host)
    }

    private func asked(_ name: String, _ request: Request) throws(APIError) -> APIRequest {
        APIRequest(name: name, parameters: try QueryString.parse(request.uri.query ?? ""), now: fixedNow ?? Self.now)
    }

    private static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    private static let headers: HTTPFields = [
        .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]

    private static func response(_ answer: APIAnswer) -> Response {
        var headers = headers
        headers[.contentType] = answer.type
        return Response(
            status: .init(code: answer.status),
            headers: headers,
            body: .init(byteBuffer: ByteBuffer(bytes: answer.body))
        )
    }

    private func live(_ request: Request) -> Response {
        var records: LiveRecords
        do {
            records = try LiveRecords(api.reader, asked("live", request))
        } catch let error as APIError {
            return Self.response(API.answer(error))
        } catch {
            return Self.response(API.answer(APIError(503, "unavailable", nil, "\(error)")))
        }
        guard streams.begin() else {
            return Self.response(
                API.answer(APIError(429, "too_many_streams", nil, "there are 8 streams already"))
            )
        }
        let (begun, streams) = (records, streams)
        var headers = Self.headers
        headers[.contentType] = "application/x-ndjson"
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                defer { streams.end() }
                var records = begun
                var silence = 0
                try await writer.write(ByteBuffer(bytes: LiveRecords.heartbeat(Self.now)))
                while !Task.isCancelled {
                    let lines = try records.next()
                    silence = lines.isEmpty ? silence + 1 : 0
                    if !lines.isEmpty {
                        try await writer.write(ByteBuffer(bytes: lines))
                    } else if silence >= 5 {
                        silence = 0
                        try await writer.write(ByteBuffer(bytes: LiveRecords.heartbeat(Self.now)))
                    }
                    try await Task.sleep(for: .seconds(1))
                }
                try await writer.finish(nil)
            }
        )
    }
}
