import Query
import Records

/// A request parameter.
struct APIParameter: Sendable {
    /// The values that the parameter may have.
    enum Values: Sendable {
        case text
        /// One of some words; the first one is the default.
        case words([String])
        /// An integer from 1 to a limit.
        case numbers(default: Int, upTo: Int)
    }

    var name: String
    var values = Values.text
    /// A sentence for the OpenAPI document.
    var meaning: String

    private static let since = APIParameter(
        name: "since",
        meaning: "Unix seconds, RFC 3339, or a span back from now; 15m if it is missing."
    )
    private static let until = APIParameter(name: "until", meaning: "As since; now if it is missing.")

    /// Selects records.
    static let filter = APIParameter(name: "filter", meaning: "An expression of the filter language.")
    /// The time range and the filter.
    static let ranged = [since, until, filter]
    /// Requests explanations in addition to records.
    static let explain = APIParameter(
        name: "explain",
        values: .words(["false", "true"]),
        meaning: "Whether denied records have an explanation in words."
    )
}

/// An operation of `/api/v1`, by which requests (``APIRequest``) are checked and the OpenAPI document is generated.
struct APIOperation: Sendable {
    /// The path after `/api/v1/`.
    var name: String
    var summary: String
    var parameters: [APIParameter] = []
    /// The members of the response, with the names of their schemas.
    var members: [(name: String, schema: String)] = []
    /// Whether the response is a stream of lines.
    var isStream = false
    /// Whether the operation is a POST request with objects in its body.
    var takesObjects = false

    /// All operations, in the order of docs/api.md.
    static let all = [
        records, live, query, overview, graph, policies, preview, explain, findings, timeline, status, fields, values,
        openAPI,
    ]

    static let records = APIOperation(
        name: "records",
        summary: "Single records.",
        parameters: APIParameter.ranged + [
            APIParameter(name: "order", values: .words(["newest", "oldest"]), meaning: "Which come first."),
            APIParameter(
                name: "limit",
                values: .numbers(default: 100, upTo: RecordDownload.limit),
                meaning: "The most records; to 10,000 in the format json."
            ),
            APIParameter(name: "cursor", meaning: "The member next of the answer before."),
            .explain,
            APIParameter(
                name: "format",
                values: .words(["json", "ndjson", "csv"]),
                meaning: "The last two are downloads."
            ),
        ],
        members: [
            ("range", "Range"), ("records", "records"), ("next", "string"), ("matched", "integer"),
            ("is_complete", "boolean"),
        ]
    )

    static let live = APIOperation(
        name: "live",
        summary: "New records as lines of JSON, until the client goes away.",
        parameters: [.filter, .explain],
        isStream: true
    )

    static let query = APIOperation(
        name: "query",
        summary: "Sums of measures by groups.",
        parameters: APIParameter.ranged + [
            APIParameter(
                name: "group_by",
                meaning: "0 to 6 names with commas: fields, source, dest, port, rule, pending_rule, pending_action."
            ),
            APIParameter(
                name: "sum",
                meaning: "1 to 12 measures with commas: \(Measure.names), with allowed_ or denied_ in front."
            ),
            APIParameter(name: "interval", meaning: "A time span from 1m, or auto, for a series."),
            APIParameter(name: "order", meaning: "A measure or a name, with '-' in front descending."),
            APIParameter(name: "limit", values: .numbers(default: 20, upTo: 10_000), meaning: "The most groups."),
        ],
        members: [
            ("range", "Range"), ("group_by", "array"), ("sum", "array"), ("interval", "integer"), ("rows", "array"),
            ("other", "object"), ("total", "object"),
        ]
    )

    static let overview = APIOperation(
        name: "overview",
        summary: "Rates, a series, what is denied most and why, who talks most, findings.",
        parameters: APIParameter.ranged,
        members: [
            ("range", "Range"), ("sentence", "string"), ("rates", "object"), ("series", "object"),
            ("totals", "object"), ("top_denied", "array"), ("top_talkers", "array"), ("findings", "array"),
        ]
    )

    static let graph = APIOperation(
        name: "graph",
        summary: "Who exchanges with whom.",
        parameters: APIParameter.ranged + [
            APIParameter(
                name: "by",
                values: .words(GraphLevel.allCases.map(\.rawValue)),
                meaning: "What nodes are."
            ),
            APIParameter(name: "focus", meaning: "The id of a node: only edges at it."),
            APIParameter(name: "limit", values: .numbers(default: 2000, upTo: 10_000), meaning: "The most edges."),
        ],
        members: [
            ("range", "Range"), ("by", "string"), ("nodes", "array"), ("edges", "array"), ("other", "object"),
            ("total", "object"),
        ]
    )

    static let policies = APIOperation(
        name: "policies",
        summary: "Tiers and policies, with what each rule decided.",
        parameters: APIParameter.ranged,
        members: [
            ("range", "Range"), ("has_inventory", "boolean"), ("can_preview", "boolean"), ("tiers", "array"),
        ]
    )

    static let preview = APIOperation(
        name: "policy/preview",
        summary: "Which recorded connections a change of policies would allow or deny.",
        parameters: APIParameter.ranged + [
            APIParameter(
                name: "enforce_staged",
                values: .words(["false", "true"]),
                meaning: "Whether staged policies would be enforced."
            ),
            APIParameter(name: "limit", values: .numbers(default: 1000, upTo: 10_000), meaning: "The most rows."),
        ],
        members: [
            ("range", "Range"), ("changes", "array"), ("warnings", "array"), ("connections", "integer"),
            ("since", "integer"), ("until", "integer"), ("kept_pairs", "integer"), ("kept_connections", "integer"),
            ("newly_denied", "object"), ("newly_allowed", "object"), ("unknown", "object"), ("rows", "array"),
            ("other_rows", "integer"),
        ],
        takesObjects: true
    )

    static let explain = APIOperation(
        name: "explain",
        summary: "Why a connection was allowed or denied, in words.",
        parameters: APIParameter.ranged + [
            APIParameter(
                name: "id",
                meaning: "The id of a record; without it the newest record of range and filter."
            )
        ],
        members: [("record", "Record"), ("now", "object"), ("pending", "object"), ("notes", "array")]
    )

    static let findings = APIOperation(
        name: "findings",
        summary: "What needs a look.",
        parameters: APIParameter.ranged,
        members: [("range", "Range"), ("findings", "array")]
    )

    static let timeline = APIOperation(
        name: "timeline",
        summary: "What changed in the cluster: who changed what, and which verdicts changed with it.",
        parameters: APIParameter.ranged + [
            APIParameter(
                name: "role",
                values: .words(["any"] + API.timelineRoles.map(\.rawValue)),
                meaning: "What the changes are of."
            ),
            APIParameter(
                name: "limit",
                values: .numbers(default: 200, upTo: 2000),
                meaning: "The most changes of each role."
            ),
        ],
        members: [("range", "Range"), ("events", "array"), ("is_complete", "boolean")]
    )

    static let status = APIOperation(
        name: "status",
        summary: "What answers, and how much is recorded.",
        members: [("version", "string"), ("node", "string"), ("now", "integer"), ("store", "object")]
    )

    static let fields = APIOperation(
        name: "fields",
        summary: "The fields of records.",
        members: [("fields", "array")]
    )

    static let values = APIOperation(
        name: "values",
        summary: "Values of a field that records have.",
        parameters: APIParameter.ranged + [
            APIParameter(name: "field", meaning: "A groupable field."),
            APIParameter(name: "prefix", meaning: "What values begin with."),
            APIParameter(name: "limit", values: .numbers(default: 20, upTo: 1000), meaning: "The most values."),
        ],
        members: [("field", "string"), ("values", "array"), ("is_complete", "boolean")]
    )

    static let openAPI = APIOperation(name: "openapi.json", summary: "This document.")
}
