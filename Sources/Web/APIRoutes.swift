package import API
import Foundation
import Hummingbird
package import Server
import Synchronization

/// Serves `/api/v1`: responses from a store, and a live stream of a run's records.
package struct APIRoutes: RouteProvider {
    let api: API?
    let feed: LiveFeed?
    private let isLoopbackOnly: Bool
    private let isOpen: Bool
    private let fixedNow: Int64?
    let streams = Streams()
    let threads = AnswerThreads()

    /// Limits the number of open streams.
    final class Streams: Sendable {
        private let open = Atomic<Int>(0)
        private static let limit = 8

        /// The place of one stream; its end frees the place, also if nothing of the response was ever written.
        final class Place: Sendable {
            private let streams: Streams

            fileprivate init(in streams: Streams) { self.streams = streams }

            deinit { streams.open.wrappingSubtract(1, ordering: .relaxed) }
        }

        /// Returns a place for a stream; nil if all are taken.
        func begin() -> Place? {
            let place = Place(in: self)
            return open.wrappingAdd(1, ordering: .relaxed).newValue <= Self.limit ? place : nil
        }
    }

    /// Creates the routes.
    ///
    /// - Parameters:
    ///   - api: handles requests with a store; nil without a store: then only `/api/v1/live` is served.
    ///   - feed: the records of a run as they are created; nil to stream new records of the store.
    ///   - isLoopbackOnly: whether the host name of a request must refer to this host; this rejects pages of other
    ///     sites that reach this address by DNS rebinding.
    ///   - isOpen: whether other hosts can reach the address without a token; stored records are then served only on this
    ///     host's socket.
    ///   - now: a fixed current time for requests, Unix seconds, for the records of a file; nil to use the clock.
    package init(
        _ api: API?,
        feed: LiveFeed? = nil,
        isLoopbackOnly: Bool,
        isOpen: Bool = false,
        now: Int64? = nil
    ) {
        self.api = api
        self.feed = feed
        self.isLoopbackOnly = isLoopbackOnly
        self.isOpen = isOpen
        fixedNow = now
    }

    /// Adds the routes.
    package func addRoutes(to router: ServerRouter) {
        router.get("/api/v1/live") { request, context in
            if let error = refusal(of: request, context) { return Self.response(API.answer(error)) }
            return live(request)
        }
        router.post("/api/v1/policy/preview") { request, context in
            if let error = refusal(of: request, context) { return Self.response(API.answer(error)) }
            guard !isOpen || context.isLocal else { return Self.response(API.answer(Self.tokenless)) }
            return await preview(request)
        }
        router.get("/api/v1/:name") { request, context in
            let name = context.parameters.get("name") ?? ""
            do throws(APIError) {
                if let error = refusal(of: request, context) { throw error }
                guard let api else { throw Self.storeless }
                guard !isOpen || context.isLocal else { throw Self.tokenless }
                let asked = try asked(name, request)
                if name == "records", let download = try api.download(asked) {
                    return try await self.download(download)
                }
                return Self.response(await threads.answer { api.answer(asked) })
            } catch {
                return Self.response(API.answer(error))
            }
        }
    }

    private func preview(_ request: Request) async -> Response {
        do {
            guard let api else { throw Self.storeless }
            let asked = try asked("policy/preview", request)
            var body: [UInt8] = []
            for try await piece in request.body {
                guard body.count + piece.readableBytes <= API.changeLimit else { throw API.tooLarge }
                body += piece.readableBytesView
            }
            let (type, change) = (request.headers[.contentType] ?? "", body)
            return Self.response(await threads.answer { api.preview(asked, type: type, body: change) })
        } catch let error as APIError {
            return Self.response(API.answer(error))
        } catch {
            return Self.response(API.answer(APIError(400, "bad_change", nil, "the body ended too early")))
        }
    }

    private static let foreign = APIError(
        403,
        "foreign_host",
        nil,
        "requests must be for 127.0.0.1, [::1] or localhost"
    )

    private static let tokenless = APIError(
        403,
        "token_needed",
        nil,
        "others can reach this address: what is stored is shown here where a token is needed (--http-token-file PATH)"
    )

    static let storeless = APIError(
        503,
        "no_store",
        nil,
        "this run keeps no store: start it with --store PATH; only /api/v1/live is answered"
    )

    private static let crossSite = APIError(
        403,
        "foreign_site",
        nil,
        "a page of another site caused this request (Sec-Fetch-Site: cross-site)"
    )

    /// Returns the error for a request that a page of another site causes in the browser of a user of this host.
    ///
    /// Such a page cannot read responses, but it could keep the threads and streams of this API in use.
    private func refusal(of request: Request, _ context: ServerRequestContext) -> APIError? {
        if let site = HTTPFields.Element.Name("Sec-Fetch-Site"), request.headers[site] == "cross-site" {
            return Self.crossSite
        }
        guard isLoopbackOnly, !context.isLocal else { return nil }
        let authority = request.head.authority ?? ""
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        return ["127.0.0.1", "[::1]", "localhost"].contains(host) ? nil : Self.foreign
    }

    func asked(_ name: String, _ request: Request) throws(APIError) -> APIRequest {
        APIRequest(name: name, parameters: try QueryString.parse(request.uri.query ?? ""), now: fixedNow ?? Self.now)
    }

    static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    static let headers: HTTPFields = [
        .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]

    static func response(_ answer: APIAnswer) -> Response {
        var headers = headers
        headers[.contentType] = answer.type
        return Response(
            status: .init(code: answer.status),
            headers: headers,
            body: .init(byteBuffer: ByteBuffer(bytes: answer.body))
        )
    }
}
