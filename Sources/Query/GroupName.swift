package import FlowModel
package import Records
import Store

/// What records of a group have in common.
package enum GroupName: Sendable, Hashable, CustomStringConvertible {
    /// The value of a field.
    case field(FlowField)
    /// Namespace and aggregated name of an end.
    case end(RecordEnd)
    /// The hit that decided: in force, or as if staged policies were enforced.
    case rule(isPending: Bool)
    /// The verdict if staged policies were enforced.
    case pendingAction
    /// Port and protocol of the destination.
    case port

    /// Reads a name of a field, `source`, `dest`, `rule`, `pending_rule`, `pending_action` or `port`; nil if it is none.
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

    /// Whether a field is no counter, no time and no list.
    package static func isGroupable(_ field: FlowField) -> Bool {
        switch field.description.type {
        case .port, .string, .name, .address: true
        case .integer, .addresses, .integers, .strings, .labels, .policies: false
        }
    }

    /// The name, as it is read.
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

    /// Whether the flow key says it: single records need not be looked at.
    var isOfKey: Bool {
        switch self {
        case .field(let field): StoreFields.key.contains(field)
        case .end, .rule, .pendingAction, .port: true
        }
    }

    /// The value of a record; nil where it is null.
    package func value(_ record: ReadRecord) -> String? {
        switch self {
        case .field(let field):
            if let text = record.text(field) { return text }
            let json = record.json(field)
            return json == "null" ? nil : json
        case .end(let end):
            let name = record.text(end.aggregatedName) ?? "-"
            return record.name(end.namespace).map { "\($0)/\(name)" } ?? name
        case .rule(false): return record.enforcedHits.last
        case .rule(true): return record.pendingHits.last
        case .pendingAction: return record.pendingAction?.rawValue
        case .port:
            let proto = record.text(.proto) ?? "0"
            return record.number(.destPort).map { "\($0)/\(proto)" } ?? proto
        }
    }
}
