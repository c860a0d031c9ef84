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

        /// Selects the records that have it at a side.
        fileprivate func filter(_ side: String) -> String {
            var terms = ["\(side)_type == \(FilterText.quoted(type))"]
            if let namespace { terms.append("\(side)_namespace == \(FilterText.quoted(namespace))") }
            terms.append("\(side)_name_aggr == \(FilterText.quoted(aggregatedName))")
            if type == "net", let address { terms.append("\(side)_ip == \"\(address)\"") }
            return terms.joined(separator: " && ")
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

    /// Selects the records of all connections that are shown like this one.
    var filter: String {
        let called = port.map { " && dest_port == \($0)" } ?? ""
        return "\(source.filter("source")) && \(destination.filter("dest")) && proto == \"\(proto.name)\"\(called)"
    }

    /// The names that a query groups by so that its groups are such connections.
    static let groupBy: [GroupName] = [
        .field(.sourceType), .field(.sourceNamespace), .field(.sourceNameAggr), .field(.sourceName), .field(.sourceIP),
        .field(.destType), .field(.destNamespace), .field(.destNameAggr), .field(.destName), .field(.destIP),
        .field(.proto), .field(.destPort),
    ]

    /// What such a query sums.
    static let sums = [Measure(.connections), Measure(.bytes)]

    /// What a query groups by whose groups ``each(of:)`` takes.
    static let groupByReporter = groupBy + [.field(.reporter)]

    /// All connections of a query by ``groupByReporter``: of those that both ends report the report with most counts.
    static func each(of result: FlowQueryResult) -> [RecordedConnection] {
        var places: [Identity: Int] = [:]
        var found: [RecordedConnection] = []
        for group in result.groups {
            guard let connection = RecordedConnection(group) else { continue }
            let key = Identity(connection)
            guard let place = places[key] else {
                places[key] = found.count
                found.append(connection)
                continue
            }
            let lastSeen = max(found[place].lastSeen, connection.lastSeen)
            if connection.connections > found[place].connections { found[place] = connection }
            found[place].lastSeen = lastSeen
        }
        return found
    }

    private struct Identity: Hashable {
        var source: End
        var destination: End
        var proto: IPProtocol
        var port: UInt16?

        init(_ connection: RecordedConnection) {
            (source, destination) = (connection.source, connection.destination)
            (proto, port) = (connection.proto, connection.port)
        }
    }

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
