import FlowModel
import Query

/// Connections of records that are alike to policies, and how much they carried.
struct RecordedConnection {
    /// An end as records name it.
    struct End: Hashable {
        /// `wep`, `hep`, `ns` or `net`.
        var type: String
        var namespace: String?
        var aggregatedName: String
        var name: String?
        var address: IPAddress?

        /// How it is shown: namespace and name, or the address.
        var text: String {
            if type == "net" {
                let kind = aggregatedName == "pub" ? "public" : aggregatedName == "pvt" ? "private" : aggregatedName
                return address.map { "\($0) (\(kind))" } ?? "(\(kind), no address)"
            }
            return namespace.map { "\($0)/\(aggregatedName)" } ?? aggregatedName
        }
    }

    var source: End
    var destination: End
    var proto: IPProtocol
    /// The port; nil where it is folded away, or the protocol has none.
    var port: UInt16?
    /// Connections that began.
    var connections: UInt64
    var bytes: UInt64
    /// End of the last interval, Unix seconds.
    var lastSeen: Int64

    /// The names that a query groups by so that its groups are such connections.
    static let groupBy: [GroupName] = [
        .field(.sourceType), .field(.sourceNamespace), .field(.sourceNameAggr), .field(.sourceName), .field(.sourceIP),
        .field(.destType), .field(.destNamespace), .field(.destNameAggr), .field(.destName), .field(.destIP),
        .field(.proto), .field(.destPort),
    ]

    /// What such a query sums.
    static let sums = [Measure(.connections), Measure(.bytes)]

    /// A group of such a query; nil if it is a remainder, which names no connection.
    init?(_ group: FlowQueryResult.Group) {
        func text(_ index: Int) -> String? { group.values[index].flatMap { $0 == "-" ? nil : $0 } }
        guard let sourceName = text(2), let destinationName = text(7), let protoText = text(10),
            let proto = IPProtocol(recordText: protoText)
        else { return nil }
        source = End(
            type: text(0) ?? "net",
            namespace: text(1),
            aggregatedName: sourceName,
            name: text(3),
            address: text(4).flatMap { IPAddress($0) }
        )
        destination = End(
            type: text(5) ?? "net",
            namespace: text(6),
            aggregatedName: destinationName,
            name: text(8),
            address: text(9).flatMap { IPAddress($0) }
        )
        self.proto = proto
        port = text(11).flatMap { UInt16($0) }
        (connections, bytes, lastSeen) = (group.sums[0], group.sums[1], group.lastSeen)
    }
}
