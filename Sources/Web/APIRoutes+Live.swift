import API
import Hummingbird

extension APIRoutes {
    /// The interval between polls for new records.
    private static let pause = Duration.milliseconds(200)
    /// The number of polls without records after which a heartbeat line is sent (5 s).
    private static let silence = 25

    /// Streams new records until the client disconnects or the run ends.
    func live(_ request: Request) -> Response {
        do {
            let asked = try asked("live", request)
            if let feed {
                let lines = try LiveLines(asked)
                return try stream { writer in try await Self.write(feed, lines, to: &writer) }
            }
            guard let api else { throw Self.storeless }
            let records = try LiveRecords(api.reader, asked)
            return try stream { writer in try await Self.write(records, to: &writer) }
        } catch let error as APIError {
            return Self.response(API.answer(error))
        } catch {
            return Self.response(API.answer(APIError(503, "unavailable", nil, "\(error)")))
        }
    }

    func stream(
        _ type: String = "application/x-ndjson",
        _ body: @escaping @concurrent @Sendable (inout any ResponseBodyWriter) async throws -> Void
    ) throws(APIError) -> Response {
        guard let place = streams.begin() else {
            throw APIError(429, "too_many_streams", nil, "there are 8 streams already")
        }
        var headers = Self.headers
        headers[.contentType] = type
        return Response(
            status: .ok,
            headers: headers,
            body: ResponseBody { writer in
                // A response to HEAD, and one whose client has gone, is dropped without a call of this closure.
                defer { withExtendedLifetime(place) {} }
                try await body(&writer)
                try await writer.finish(nil)
            }
        )
    }

    @concurrent
    private static func write(
        _ feed: LiveFeed,
        _ lines: LiveLines,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        let client = feed.begin()
        defer { feed.end(client) }
        try await writer.write(ByteBuffer(bytes: LiveLines.heartbeat(now)))
        var silent = 0
        while !Task.isCancelled {
            let piece = feed.take(for: client)
            silent += 1
            if piece.lost > 0 { try await writer.write(ByteBuffer(bytes: LiveLines.lost(piece.lost))) }
            for batch in piece.batches {
                let text = lines.text(of: batch)
                guard !text.isEmpty else { continue }
                try await writer.write(ByteBuffer(bytes: text))
                silent = 0
            }
            if piece.isLast { return }
            if silent >= silence {
                try await writer.write(ByteBuffer(bytes: LiveLines.heartbeat(now)))
                silent = 0
            }
            try await Task.sleep(for: pause)
        }
    }

    @concurrent
    private static func write(_ begun: LiveRecords, to writer: inout any ResponseBodyWriter) async throws {
        var records = begun
        var silent = 0
        try await writer.write(ByteBuffer(bytes: LiveLines.heartbeat(now)))
        while !Task.isCancelled {
            let lines = try records.next()
            silent = lines.isEmpty ? silent + 1 : 0
            if !lines.isEmpty {
                try await writer.write(ByteBuffer(bytes: lines))
            } else if silent >= 5 {
                silent = 0
                try await writer.write(ByteBuffer(bytes: LiveLines.heartbeat(now)))
            }
            try await Task.sleep(for: .seconds(1))
        }
    }
}
