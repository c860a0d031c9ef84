import FlowModel
import FoundationEssentials
import Records

/// Makes a record from a row that has ``ClickHouseText/value(_:)-(FlowField)`` of every standard field.
enum ClickHouseRecord {
    /// The record; nil if the row is not a record.
    static func read(_ row: [String]) -> ReadRecord? {
        guard row.count == FlowField.standard.count else { return nil }
        let members = zip(FlowField.standard, row).map { "\"\($0.description.name)\":\(json($0, $1))" }
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
