import FlowModel
import FoundationEssentials
import Records

/// Makes a record from a row that contains ``ClickHouseText/value(_:)-(FlowField)`` of every field.
enum ClickHouseRecord {
    /// The fields of a row, in its order.
    static let fields = FlowField.allCases

    /// Returns the record; nil if the row is not a record.
    static func read(_ row: [String]) -> ReadRecord? {
        guard row.count == fields.count else { return nil }
        let members = zip(fields, row).compactMap { field, value -> String? in
            let json = json(field, value)
            // A record that was inserted without Weir's own fields has the defaults of their columns.
            if field.isExtension, json == field.description.emptyJSON { return nil }
            return "\"\(field.description.name)\":\(json)"
        }
        return try? ReadRecord(Array("{\(members.joined(separator: ","))}".utf8))
    }

    private static func json(_ field: FlowField, _ value: String) -> String {
        let empty = field.description.emptyJSON
        switch field.description.type {
        case .integer: return value.isEmpty ? empty : value
        case .port: return value == ClickHouseText.null ? empty : value
        case .string, .name, .address: return value == ClickHouseText.null ? empty : text(value)
        case .integers, .strings, .addresses: return value == "[]" ? empty : value
        case .labels: return value == "[]" ? empty : "{\"labels\":\(value)}"
        case .policies:
            return value.hasPrefix("[],") && value.hasSuffix(":[]") ? empty : "{\"enforced_policies\":\(value)}"
        }
    }

    private static func text(_ value: String) -> String {
        (try? JSONEncoder().encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}
