import FlowModel
package import Records

/// An endpoint in graphs and pairs.
package struct FlowNode: Sendable, Hashable, Encodable {
    /// The unique id of the node, such as `wep:yaobank/customer-*`.
    package var id: String
    /// `wep`, `hep`, `ns` or `net`.
    package var type: String
    /// The namespace; nil if the endpoint has none.
    package var namespace: String?
    /// The aggregated name.
    package var name: String

    /// The source or destination of a record.
    package init(_ record: ReadRecord, _ end: RecordEnd) {
        type = record.text(end.type) ?? "net"
        namespace = record.name(end.namespace)
        name = record.text(end.aggregatedName) ?? "-"
        id = "\(type):\(namespace.map { "\($0)/" } ?? "")\(name)"
    }

    /// Takes all members.
    init(id: String, type: String, namespace: String?, name: String) {
        (self.id, self.type, self.namespace, self.name) = (id, type, namespace, name)
    }

    /// The filter expression that selects this endpoint as the given end.
    func filter(_ end: RecordEnd) -> String {
        let scope = namespace.map { "\(end.namespace.description.name) == \(FilterText.quoted($0)) && " } ?? ""
        return scope + "\(end.type.description.name) == \(FilterText.quoted(type)) && "
            + "\(end.aggregatedName.description.name) == \(FilterText.quoted(name))"
    }

    private enum CodingKeys: String, CodingKey {
        case id, type, namespace, name
    }

    /// Encodes all members, including those that are null.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(type, forKey: .type)
        try container.encode(namespace, forKey: .namespace)
        try container.encode(name, forKey: .name)
    }
}

/// Builds text of the filter language.
package enum FilterText {
    /// The text in quotes; quotes within it are doubled.
    package static func quoted(_ text: String) -> String {
        text.utf8.contains(UInt8(ascii: "\"")) ? "\"\(text.replacing("\"", with: "\"\""))\"" : "\"\(text)\""
    }
}

/// The verdicts that staged policies would change.
package struct PendingChange: Sendable, Hashable, Encodable {
    /// Connections whose verdict would change.
    package var differs: UInt64 = 0
    /// The subset that would become allowed.
    package var wouldAllow: UInt64 = 0
    /// The subset that would become denied.
    package var wouldDeny: UInt64 = 0

    private enum CodingKeys: String, CodingKey {
        case differs
        case wouldAllow = "would_allow"
        case wouldDeny = "would_deny"
    }

    static func += (left: inout PendingChange, right: PendingChange) {
        left.differs &+= right.differs
        left.wouldAllow &+= right.wouldAllow
        left.wouldDeny &+= right.wouldDeny
    }
}

/// The traffic from one source to one port of a destination; connections that several records report are counted once.
package struct FlowPair: Sendable {
    /// The endpoint that opens the connections.
    package var source: FlowNode
    /// The endpoint that receives the connections.
    package var destination: FlowNode
    /// The destination port; nil if ports are aggregated or the protocol has none.
    package var port: UInt64?
    /// The protocol.
    package var proto: String
    /// The destination service.
    package var service: (namespace: String?, name: String?)
    /// Allowed traffic.
    package var allowed = Amount()
    /// Traffic that either end denied, or a host that forwards it.
    package var denied = Amount()
    /// The verdicts that staged policies would change.
    package var pending = PendingChange()
    /// The record of the key with the most connections; if connections were denied, of a denied key.
    package var example: ReadRecord
    /// Start of the first interval, Unix seconds.
    package var firstSeen: Int64
    /// End of the last interval, Unix seconds.
    package var lastSeen: Int64

    /// The filter expression that selects the records of the pair.
    package var filter: String {
        var text =
            "\(source.filter(.source)) && \(destination.filter(.destination)) && proto == \(FilterText.quoted(proto))"
        if let port { text += " && dest_port == \(port)" }
        return text
    }

    /// Orders pairs with equal sums, by their ends, port and protocol.
    package func precedes(_ other: FlowPair) -> Bool {
        (source.id, destination.id, port ?? 0, proto) < (
            other.source.id, other.destination.id, other.port ?? 0, other.proto
        )
    }

    /// All connections.
    package var connections: UInt64 { allowed.connections &+ denied.connections }
}
