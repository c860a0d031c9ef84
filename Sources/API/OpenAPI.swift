import FlowModel
import Foundation
import Query

/// The OpenAPI document of `/api/v1`, version 3.0.3.
package enum OpenAPI {
    /// The document as JSON, with sorted keys.
    ///
    /// - Parameter version: the version of the program.
    /// - Returns: the document.
    package static func document(version: String) -> [UInt8] {
        let document: JSONValue = [
            "openapi": "3.0.3",
            "info": [
                "title": "Weir", "version": .text(version),
                "description":
                    "Recorded flows of a node: sums, pairs, policies and single records. All requests but a preview are GET.",
            ],
            "servers": [["url": "/"]],
            "security": [[:], ["bearer": []]],
            "paths": .object(Dictionary(uniqueKeysWithValues: operations.map { ("/api/v1/\($0.name)", path($0)) })),
            "components": [
                "securitySchemes": ["bearer": ["type": "http", "scheme": "bearer"]],
                "schemas": [
                    "Record": record, "Error": error,
                    "Range": object([
                        ("since", "integer"), ("until", "integer"), ("now", "integer"), ("oldest", "integer"),
                        ("newest", "integer"), ("gaps", "array"),
                    ]),
                ],
                "responses": ["Error": response("Why there is no answer.", ["application/json": reference("Error")])],
            ],
        ]
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        // The document has only strings, numbers and fixed keys, so encoding cannot fail.
        return Array((try? encoder.encode(document)) ?? Data()) + [0x0a]
    }

    // MARK: Operations

    private struct Operation {
        var name: String
        var summary: String
        var isRanged = true
        var parameters: [(name: String, schema: JSONValue, description: String)] = []
        var members: [(String, String)] = []
        var isStream = false
        /// Whether the operation is a POST request with objects in its body.
        var takesObjects = false
    }

    private static func number(_ limit: Int, _ value: Int?) -> JSONValue {
        var schema: [String: JSONValue] = ["type": "integer", "minimum": 1, "maximum": .number(limit)]
        if let value { schema["default"] = .number(value) }
        return .object(schema)
    }

    private static func word(_ words: [String]) -> JSONValue {
        ["type": "string", "enum": .array(words.map { .text($0) }), "default": .text(words[0])]
    }

    private static let text: JSONValue = ["type": "string"]

    private static let operations: [Operation] = [
        Operation(
            name: "records",
            summary: "Single records.",
            parameters: [
                ("order", word(["newest", "oldest"]), "Which come first."),
                ("limit", number(1_000_000, 100), "The most records; to 10,000 in the format json."),
                ("cursor", text, "The member next of the answer before."),
                ("explain", word(["false", "true"]), "Whether denied records have an explanation in words."),
                ("format", word(["json", "ndjson", "csv"]), "The last two are downloads."),
            ],
            members: [("range", "Range"), ("records", "records"), ("next", "string"), ("matched", "integer")]
        ),
        Operation(
            name: "live",
            summary: "New records as lines of JSON, until the client goes away.",
            isRanged: false,
            parameters: [
                ("filter", text, "An expression of the filter language."),
                ("explain", word(["false", "true"]), "Whether denied records have an explanation in words."),
            ],
            isStream: true
        ),
        Operation(
            name: "query",
            summary: "Sums of measures by groups.",
            parameters: [
                (
                    "group_by", text,
                    "0 to 6 names with commas: fields, source, dest, port, rule, pending_rule, pending_action."
                ),
                ("sum", text, "1 to 12 measures with commas: \(Measure.names), with allowed_ or denied_ in front."),
                ("interval", text, "A time span from 1m, or auto, for a series."),
                ("order", text, "A measure or a name, with '-' in front descending."),
                ("limit", number(10_000, 20), "The most groups."),
            ],
            members: [
                ("range", "Range"), ("group_by", "array"), ("sum", "array"), ("interval", "integer"), ("rows", "array"),
                ("other", "object"), ("total", "object"),
            ]
        ),
        Operation(
            name: "overview",
            summary: "Rates, a series, what is denied most and why, who talks most, findings.",
            members: [
                ("range", "Range"), ("sentence", "string"), ("rates", "object"), ("series", "object"),
                ("totals", "object"), ("top_denied", "array"), ("top_talkers", "array"), ("findings", "array"),
            ]
        ),
        Operation(
            name: "graph",
            summary: "Who exchanges with whom.",
            parameters: [
                ("by", word(GraphLevel.allCases.map(\.rawValue)), "What nodes are."),
                ("focus", text, "The id of a node: only edges at it."),
                ("limit", number(10_000, 2000), "The most edges."),
            ],
            members: [
                ("range", "Range"), ("by", "string"), ("nodes", "array"), ("edges", "array"), ("other", "object"),
                ("total", "object"),
            ]
        ),
        Operation(
            name: "policies",
            summary: "Tiers and policies, with what each rule decided.",
            members: [
                ("range", "Range"), ("has_inventory", "boolean"), ("can_preview", "boolean"), ("tiers", "array"),
            ]
        ),
        Operation(
            name: "policy/preview",
            summary: "Which recorded connections a change of policies would allow or deny.",
            parameters: [
                ("enforce_staged", word(["false", "true"]), "Whether staged policies would be enforced."),
                ("limit", number(10_000, 1000), "The most rows."),
            ],
            members: [
                ("range", "Range"), ("changes", "array"), ("warnings", "array"), ("connections", "integer"),
                ("since", "integer"), ("until", "integer"), ("kept_pairs", "integer"), ("kept_connections", "integer"),
                ("newly_denied", "object"), ("newly_allowed", "object"), ("unknown", "object"), ("rows", "array"),
                ("other_rows", "integer"),
            ],
            takesObjects: true
        ),
        Operation(
            name: "explain",
            summary: "Why a connection was allowed or denied, in words.",
            parameters: [("id", text, "The id of a record; without it the newest record of range and filter.")],
            members: [("record", "Record"), ("now", "object"), ("pending", "object"), ("notes", "array")]
        ),
        Operation(
            name: "findings",
            summary: "What needs a look.",
            members: [("range", "Range"), ("findings", "array")]
        ),
        Operation(
            name: "timeline",
            summary: "What changed in the cluster: who changed what, and which verdicts changed with it.",
            parameters: [
                ("role", word(["any", "policy", "object", "service"]), "What the changes are of."),
                ("limit", number(2000, 200), "The most changes of each role."),
            ],
            members: [("range", "Range"), ("events", "array"), ("is_complete", "boolean")]
        ),
        Operation(
            name: "status",
            summary: "What answers, and how much is recorded.",
            isRanged: false,
            members: [("version", "string"), ("node", "string"), ("now", "integer"), ("store", "object")]
        ),
        Operation(name: "fields", summary: "The fields of records.", isRanged: false, members: [("fields", "array")]),
        Operation(
            name: "values",
            summary: "Values of a field that records have.",
            parameters: [
                ("field", text, "A groupable field."), ("prefix", text, "What values begin with."),
                ("limit", number(1000, 20), "The most values."),
            ],
            members: [("field", "string"), ("values", "array"), ("is_complete", "boolean")]
        ),
        Operation(name: "openapi.json", summary: "This document.", isRanged: false),
    ]

    private static let range: [(name: String, schema: JSONValue, description: String)] = [
        ("since", text, "Unix seconds, RFC 3339, or a span back from now; 15m if it is missing."),
        ("until", text, "As since; now if it is missing."),
        ("filter", text, "An expression of the filter language."),
    ]

    private static func path(_ operation: Operation) -> JSONValue {
        let parameters = ((operation.isRanged ? range : []) + operation.parameters).map { parameter -> JSONValue in
            [
                "name": .text(parameter.name), "in": "query", "schema": parameter.schema,
                "description": .text(parameter.description),
            ]
        }
        var content: [String: JSONValue] =
            operation.isStream
            ? ["application/x-ndjson": ["schema": text]] : ["application/json": object(operation.members)]
        if operation.name == "records" {
            content["application/x-ndjson"] = reference("Record")
            content["text/csv"] = ["schema": text]
        }
        var members: [String: JSONValue] = [
            "operationId": .text(operationID(operation.name)),
            "summary": .text(operation.summary), "parameters": .array(parameters),
            "responses": [
                "200": response(operation.summary, content), "default": ["$ref": "#/components/responses/Error"],
            ],
        ]
        if operation.takesObjects {
            members["requestBody"] = [
                "description": .text(
                    "Objects that would be applied, as kubectl takes them; at most \(API.changeLimit) bytes."
                ),
                "content": ["application/yaml": ["schema": text], "application/json": ["schema": ["type": "object"]]],
            ]
        }
        return .object([operation.takesObjects ? "post" : "get": .object(members)])
    }

    private static func operationID(_ name: String) -> String {
        switch name {
        case "openapi.json": "openapi"
        case "policy/preview": "previewPolicy"
        default: name
        }
    }

    // MARK: Schemas

    private static func response(_ description: String, _ content: [String: JSONValue]) -> JSONValue {
        let media = content.mapValues { schema -> JSONValue in
            if case .object(let members) = schema, members["schema"] != nil { return schema }
            return ["schema": schema]
        }
        return ["description": .text(description), "content": .object(media)]
    }

    private static func reference(_ name: String) -> JSONValue { ["$ref": .text("#/components/schemas/\(name)")] }

    private static func object(_ members: [(String, String)]) -> JSONValue {
        let properties = members.map { name, type -> (String, JSONValue) in
            switch type {
            case "Range", "Record": (name, reference(type))
            case "records": (name, ["type": "array", "items": reference("Record")])
            case "array": (name, ["type": "array", "items": [:]])
            default: (name, ["type": .text(type), "nullable": true])
            }
        }
        return ["type": "object", "properties": .object(Dictionary(uniqueKeysWithValues: properties))]
    }

    private static let error: JSONValue = [
        "type": "object",
        "properties": [
            "error": object([
                ("code", "string"), ("parameter", "string"), ("message", "string"), ("offset", "integer"),
                ("length", "integer"),
            ])
        ],
    ]

    private static let record: JSONValue = {
        let fields = FlowField.standard.map { field -> (String, JSONValue) in
            let description = field.description
            var schema: [String: JSONValue]
            switch description.type {
            case .integer: schema = ["type": "integer"]
            case .port: schema = ["type": "integer", "nullable": true]
            case .string: schema = ["type": "string"]
            case .name, .address: schema = ["type": "string", "nullable": true]
            case .addresses, .strings: schema = ["type": "array", "items": text, "nullable": true]
            case .integers: schema = ["type": "array", "items": ["type": "integer"], "nullable": true]
            case .labels, .policies: schema = ["type": "object", "nullable": true]
            }
            schema["description"] = .text(description.meaning)
            return (description.name, .object(schema))
        }
        return ["type": "object", "properties": .object(Dictionary(uniqueKeysWithValues: fields + [("id", text)]))]
    }()
}

/// A JSON value.
private indirect enum JSONValue: Sendable, Encodable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    case text(String)
    case number(Int)
    case flag(Bool)
    case array([JSONValue])
    case object([String: JSONValue])

    init(stringLiteral value: String) { self = .text(value) }
    init(integerLiteral value: Int) { self = .number(value) }
    init(booleanLiteral value: Bool) { self = .flag(value) }
    init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(uniqueKeysWithValues: elements))
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .flag(let value): try container.encode(value)
        case .array(let values): try container.encode(values)
        case .object(let members): try container.encode(members)
        }
    }
}
