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
            "paths": .object(
                Dictionary(uniqueKeysWithValues: APIOperation.all.map { ("/api/v1/\($0.name)", path($0)) })
            ),
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

    private static let text: JSONValue = ["type": "string"]

    private static func schema(_ values: APIParameter.Values) -> JSONValue {
        switch values {
        case .text: text
        case .words(let words): ["type": "string", "enum": .array(words.map { .text($0) }), "default": .text(words[0])]
        case .numbers(let usual, let limit):
            ["type": "integer", "minimum": 1, "maximum": .number(limit), "default": .number(usual)]
        }
    }

    private static func path(_ operation: APIOperation) -> JSONValue {
        let parameters = operation.parameters.map { parameter -> JSONValue in
            [
                "name": .text(parameter.name), "in": "query", "schema": schema(parameter.values),
                "description": .text(parameter.meaning),
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
        let fields = FlowField.allCases.map { field -> (String, JSONValue) in
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
