import Query
import Store
import Synchronization

extension API {
    /// The maximum size of a change, bytes.
    package static let changeLimit = 1 << 20
    /// The maximum duration of a preview.
    private static let patience = Duration.seconds(10)
    /// The number of previews in progress; each can occupy a processor for seconds.
    private static let running = Atomic<Int>(0)
    private static let runningLimit = 2

    /// Handles `POST /api/v1/policy/preview`; errors are returned as responses.
    ///
    /// - Parameters:
    ///   - request: the range, the filter, `enforce_staged` and `limit`.
    ///   - type: the `Content-Type` of the body.
    ///   - body: the objects to apply; at most ``changeLimit`` bytes.
    /// - Returns: the response, with the verdicts that would change.
    package func preview(_ request: APIRequest, type: String, body: [UInt8]) -> APIAnswer {
        Self.answer {
            try request.allow(.preview)
            let enforcesStaged = try request.word("enforce_staged", of: .preview) == "true"
            let limit = try request.number("limit", of: .preview)
            try Self.check(type, body)
            guard let previews = policies().previews else {
                throw APIError(
                    503,
                    "no_inventory",
                    nil,
                    "no policies are known here, or not yet all: start with --inventory PATH or --kubeconfig PATH"
                )
            }
            guard enforcesStaged || !body.allSatisfy({ $0 <= 0x20 }) else {
                throw APIError(400, "bad_change", nil, "what would change? send objects, or enforce_staged=true")
            }
            guard Self.running.add(1, ordering: .relaxed).newValue <= Self.runningLimit else {
                Self.running.subtract(1, ordering: .relaxed)
                throw APIError(429, "too_many_previews", nil, "\(Self.runningLimit) previews are being made already")
            }
            defer { Self.running.subtract(1, ordering: .relaxed) }
            return try reply(request, body, enforcesStaged, limit, previews)
        }
    }

    private func reply(
        _ request: APIRequest,
        _ body: [UInt8],
        _ enforcesStaged: Bool,
        _ limit: Int,
        _ previews: any PolicyPreviewing
    ) throws -> APIAnswer {
        let evaluate = try previews.preview(body, enforcesStaged: enforcesStaged)
        // Policies are evaluated after the read, because a long read would keep the store's writer from removing old data.
        let (range, recorded) = try reader.read { snapshot in
            let scope = try scope(request, snapshot)
            var query = FlowQuery(
                since: scope.since,
                until: scope.until,
                filter: scope.filter,
                groupBy: previews.groupBy,
                sums: previews.sums
            )
            query.limit = .max
            query.ordersTies = false
            query.limits = limits
            return (scope.shape, try query.run(snapshot))
        }
        var preview = try evaluate(recorded, .now + Self.patience)
        let rest = max(0, preview.rows.count - limit)
        preview.rows.removeLast(rest)
        return Self.json(PreviewAnswerShape(range: range, preview: preview, other_rows: rest))
    }

    /// Accepts only YAML and JSON: an HTML form of another site cannot send these types without CORS permission.
    private static func check(_ type: String, _ body: [UInt8]) throws(APIError) {
        let name = type.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
        guard ["application/yaml", "application/json", "application/x-yaml", "text/yaml"].contains(name) else {
            throw APIError(415, "bad_content_type", nil, "Content-Type must be application/yaml or application/json")
        }
        guard body.count <= changeLimit else { throw tooLarge }
    }

    /// The error for a body that is too large.
    package static var tooLarge: APIError {
        APIError(413, "too_large", nil, "the change has more than \(changeLimit) bytes")
    }
}
