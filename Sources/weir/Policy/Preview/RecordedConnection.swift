import FlowModel
import Query

/// Recorded connections that policies cannot distinguish, with their totals.
struct RecordedConnection {
    /// An end as named in records.
    struct End: Hashable {
        /// `wep`, `hep`, `ns` or `net`.
        var type: String
        var namespace: String?
        var aggregatedName: String
        var name: String?
        var address: IPAddress?

        /// The displayed name: namespace and name, or the address.
        var text: String {
            if type == "net" {
                let kind = aggregatedName == "pub" ? "public" : aggregatedName == "pvt" ? "private" : aggregatedName
                return address.map { "\($0) (\(kind))" } ?? "(\(kind), no address)"
            }
            return namespace.map { "\($0)/\(aggregatedName)" } ?? aggregatedName
        }

        /// The filter expression that selects records with this end as source or destination.
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
    /// The port; nil if ports are aggregated or the protocol has none.
    var port: UInt16?
    /// The domain names of the destination; empty if none is recorded.
    var domains: [String] = []
    /// Connections that started.
    var connections: UInt64
    var bytes: UInt64
    /// End of the last interval, Unix seconds.
    var lastSeen: Int64

    /// Selects the records of all connections with the same displayed ends.
    var filter: String {
        let called = port.map { " && dest_port == \($0)" } ?? ""
        return "\(source.filter("source")) && \(destination.filter("dest")) && proto == \"\(proto.name)\"\(called)"
    }

    /// The names to group a query by so that each group is a recorded connection.
    static let groupBy: [GroupName] = [
        .field(.sourceType), .field(.sourceNamespace), .field(.sourceNameAggr), .field(.sourceName), .field(.sourceIP),
        .field(.destType), .field(.destNamespace), .field(.destNameAggr), .field(.destName), .field(.destIP),
        .field(.proto), .field(.destPort),
    ]

    /// The measures that such a query sums.
    static let sums = [Measure(.connections), Measure(.bytes)]

    /// The names to group a query by for ``each(of:)``.
    static let groupByReporter = groupBy + [.field(.reporter), .field(.destDomains)]

    /// All connections of a query by ``groupByReporter``; if both ends report one, the larger report is used.
    static func each(of result: FlowQueryResult) -> [RecordedConnection] {
        var places: [Identity: Int] = [:]
        var found: [RecordedConnection] = []
        for group in result.groups {
            guard var connection = RecordedConnection(group),
                group.values[groupBy.count] != FlowReporter.forward.rawValue
            else { continue }
            connection.domains = group.values[groupByReporter.count - 1].map(GroupName.field(.destDomains).texts) ?? []
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
        var domains: [String]

        init(_ connection: RecordedConnection) {
            (source, destination) = (connection.source, connection.destination)
            (proto, port, domains) = (connection.proto, connection.port, connection.domains)
        }
    }

    /// Whether a group of such a query names a connection.
    static func isNamed(_ group: FlowQueryResult.Group) -> Bool {
        func isText(_ index: Int) -> Bool { group.values[index].map { $0 != "-" } ?? false }
        return isText(2) && isText(7) && isText(10) && group.values[10].flatMap { IPProtocol(recordText: $0) } != nil
    }
}

extension RecordedConnection {
    /// Takes a group of such a query; nil for a remainder group, which names no connection.
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
