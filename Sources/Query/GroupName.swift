package import FlowModel
import FoundationEssentials
package import Records
import Store

/// A property by which records are grouped.
package enum GroupName: Sendable, Hashable, CustomStringConvertible {
    /// The value of a field.
    case field(FlowField)
    /// The namespace and aggregated name of one end.
    case end(RecordEnd)
    /// The deciding hit, of the enforced policies or as if staged policies were enforced.
    case rule(isPending: Bool)
    /// The verdict as if staged policies were enforced.
    case pendingAction
    /// The destination port and protocol, as ``PortName`` writes them.
    case port

    /// Parses a field name, `source`, `dest`, `rule`, `pending_rule`, `pending_action` or `port`; nil for other text.
    package init?(_ text: String) {
        switch text {
        case "source": self = .end(.source)
        case "dest": self = .end(.destination)
        case "rule": self = .rule(isPending: false)
        case "pending_rule": self = .rule(isPending: true)
        case "pending_action": self = .pendingAction
        case "port": self = .port
        default:
            guard let field = FlowField.allCases.first(where: { $0.description.name == text }), Self.isGroupable(field)
            else { return nil }
            self = .field(field)
        }
    }

    /// Whether records can be grouped by a field: it is a port, a text, an address, or a list of texts.
    package static func isGroupable(_ field: FlowField) -> Bool {
        switch field.description.type {
        case .port, .string, .name, .address, .strings: true
        case .integer, .addresses, .integers, .labels, .policies: false
        }
    }

    /// Whether values are lists of texts, as JSON.
    package var isList: Bool {
        if case .field(let field) = self { field.description.type == .strings } else { false }
    }

    /// The texts of a value: the elements of a list, else the value.
    package func texts(_ value: String) -> [String] {
        guard isList else { return [value] }
        return (try? JSONDecoder().decode([String].self, from: Data(value.utf8))) ?? []
    }

    /// The value of a list, in one form whatever the escapes in records; nil if it is empty.
    static func list(_ texts: [String]) -> String? {
        guard !texts.isEmpty else { return nil }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return (try? encoder.encode(texts)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The name, in the form that the parser accepts.
    package var description: String {
        switch self {
        case .field(let field): field.description.name
        case .end(.source): "source"
        case .end(.destination): "dest"
        case .rule(let isPending): isPending ? "pending_rule" : "rule"
        case .pendingAction: "pending_action"
        case .port: "port"
        }
    }

    /// Whether the value depends only on the flow key, so that single records need not be read.
    var isOfKey: Bool {
        switch self {
        case .field(let field): StoreFields.key.contains(field)
        case .end, .rule, .pendingAction, .port: true
        }
    }

    /// The value for a record; nil if it is null.
    package func value(_ record: ReadRecord) -> String? {
        switch self {
        case .field(let field) where isList: return Self.list(record.texts(field))
        case .field(let field):
            if let text = record.text(field) { return text }
            let json = record.json(field)
            return json == "null" ? nil : json
        case .end(let end):
            let name = record.text(end.aggregatedName) ?? "-"
            return record.name(end.namespace).map { "\($0)/\(name)" } ?? name
        case .rule(false): return record.decidingHits.last
        case .rule(true): return record.pendingHits.last
        case .pendingAction: return record.pendingAction?.rawValue
        case .port: return PortName.text(record.number(.destPort), record.text(.proto) ?? "0")
        }
    }
}
