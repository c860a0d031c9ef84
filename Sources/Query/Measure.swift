package import FlowModel
import Store

/// A quantity that a query sums.
package struct Measure: Sendable, Hashable, CustomStringConvertible {
    /// The quantity.
    package enum Quantity: String, Sendable, CaseIterable {
        case records, connections, flows, completed
        case bytes
        case bytesIn = "bytes_in"
        case bytesOut = "bytes_out"
        case packets
        case packetsIn = "packets_in"
        case packetsOut = "packets_out"
        case transitBytes = "transit_bytes"
        case transitPackets = "transit_packets"
        case droppedPackets = "dropped_packets"

        /// The fields that are summed; empty for the number of records.
        var fields: [FlowField] {
            switch self {
            case .records: []
            case .connections: [.numFlowsStarted]
            case .flows: [.numFlows]
            case .completed: [.numFlowsCompleted]
            case .bytes: [.bytesIn, .bytesOut]
            case .bytesIn: [.bytesIn]
            case .bytesOut: [.bytesOut]
            case .packets: [.packetsIn, .packetsOut]
            case .packetsIn: [.packetsIn]
            case .packetsOut: [.packetsOut]
            case .transitBytes: [.transitBytesIn, .transitBytesOut]
            case .transitPackets: [.transitPacketsIn, .transitPacketsOut]
            case .droppedPackets: [.droppedPacketsIn, .droppedPacketsOut]
            }
        }
    }

    /// The quantity.
    package var quantity: Quantity
    /// The action of the records that are summed; nil for all records.
    package var action: FlowAction?
    /// Whether `bytes` and `packets` include forwarded traffic, which records count separately.
    package var includesForwarded: Bool

    /// Takes all members.
    package init(_ quantity: Quantity, _ action: FlowAction? = nil, includesForwarded: Bool = false) {
        (self.quantity, self.action, self.includesForwarded) = (quantity, action, includesForwarded)
    }

    /// The fields that are summed; empty for the number of records.
    var fields: [FlowField] {
        switch quantity {
        case .bytes where includesForwarded: quantity.fields + Quantity.transitBytes.fields
        case .packets where includesForwarded: quantity.fields + Quantity.transitPackets.fields
        default: quantity.fields
        }
    }

    /// The indices of the counters in the store.
    var counters: [Int] { fields.compactMap { StoreFields.counters.firstIndex(of: $0) } }

    /// Parses a name such as `bytes` or `denied_connections`; nil if the text is not a measure.
    package init?(_ text: String) {
        var rest = text[...]
        var action: FlowAction?
        for (prefix, meaning) in [("allowed_", FlowAction.allow), ("denied_", .deny)] where rest.hasPrefix(prefix) {
            action = meaning
            rest = rest.dropFirst(prefix.count)
        }
        guard let quantity = Quantity(rawValue: String(rest)) ?? Self.aliases[String(rest)] else { return nil }
        self.init(quantity, action)
    }

    private static let aliases: [String: Quantity] = [
        "num_flows": .flows, "num_flows_started": .connections, "num_flows_completed": .completed,
    ]

    /// The name.
    package var description: String {
        switch action {
        case nil: quantity.rawValue
        case .allow: "allowed_\(quantity.rawValue)"
        case .deny: "denied_\(quantity.rawValue)"
        }
    }

    /// The names of all quantities, for messages.
    package static let names = Quantity.allCases.map(\.rawValue).joined(separator: ", ")
}
