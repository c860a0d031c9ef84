package import FlowModel

/// Aggregates lookups into the records of the DNS log.
///
/// Lookups of an interval are one record if they have the same client, question, response code and answer. Memory is
/// bounded: half of the limit is divided equally between clients, the other half is first come, first served. Lookups
/// that exceed the limit are counted in one record without a description.
package struct DNSLog {
    private struct Key: Hashable {
        let client: ClientName
        let question: DNSMessage.Question
        let responseCode: UInt16
        let sets: [DNSRecord.RecordSet]
    }

    /// The client as it is identified in a record.
    private struct ClientName: Hashable {
        /// The address; nil if clients are aggregated.
        let address: IPAddress?
        /// The name; nil if clients are aggregated.
        let name: String?
        let aggregatedName: String
        let namespace: String?
        let kind: Endpoint.Kind

        init(_ address: IPAddress, _ client: Endpoint, _ detail: DNSRecord.Detail) {
            self.address = detail == .client ? address : nil
            name = detail == .client ? client.name : nil
            aggregatedName = client.aggregatedName
            namespace = client.namespace
            kind = client.kind
        }
    }

    fileprivate struct Row {
        var client: Endpoint
        var count: UInt64 = 0
        var latency = DNSRecord.Latency()
        var servers: [DNSRecord.Server] = []
    }

    /// The maximum number of servers in a record.
    static let serverLimit = 8

    private let detail: DNSRecord.Detail
    private let limit: Int
    private var rows: [Key: Row] = [:]
    private var charges: [DomainClient: Int] = [:]
    private var charged = 0
    private var unlogged: UInt64 = 0
    private var start: Int64

    /// Begins the first interval.
    ///
    /// - Parameters:
    ///   - detail: how records identify clients.
    ///   - limit: the maximum memory for the lookups of an interval, bytes.
    ///   - start: the start of the interval, Unix seconds.
    package init(detail: DNSRecord.Detail = .clientPrefix, limit: Int = 4 << 20, start: Int64) {
        self.detail = detail
        self.limit = limit
        self.start = start
    }

    /// The number of records of the interval so far.
    package var count: Int { rows.count + (unlogged > 0 ? 1 : 0) }

    /// Adds a lookup; the endpoints of client and server are resolved now.
    package mutating func add(_ lookup: DomainTracker.Lookup, by resolver: some EndpointResolver) {
        let (packet, message) = (lookup.packet, lookup.message)
        let owners = resolver.endpoints(source: packet.client, destination: packet.server)
        let key = Key(
            client: ClientName(packet.client, owners.source, detail),
            question: message.question,
            responseCode: message.responseCode,
            sets: message.recordSets
        )
        if rows[key] == nil, !charge(Self.size(of: key), to: packet.domainClient) {
            unlogged += 1
            return
        }
        rows[key, default: Row(client: owners.source)].add(lookup, by: owners.source, answeredBy: owners.destination)
    }

    /// The memory that a row takes, bytes.
    ///
    /// Names are longer than in the message, because pointers are expanded and bytes are escaped.
    private static func size(of key: Key) -> Int {
        key.sets.reduce(256 + key.question.name.utf8.count) { sum, set in
            set.data.reduce(sum + 128 + set.name.utf8.count) { $0 + 48 + $1.utf8.count }
        }
    }

    private mutating func charge(_ bytes: Int, to client: DomainClient) -> Bool {
        let own = charges[client, default: 0] + bytes
        let clients = charges.count + (charges[client] == nil ? 1 : 0)
        let hasRoom = charged + bytes <= limit / 2 || own <= limit / 2 / clients
        guard hasRoom, charged + bytes <= limit else { return false }
        charges[client] = own
        charged += bytes
        return true
    }

    /// Ends the interval and begins the next one.
    ///
    /// - Parameters:
    ///   - end: the end of the interval, in Unix seconds.
    ///   - emit: called for each record, in the order of names and types.
    package mutating func endInterval(at end: Int64, emit: (DNSRecord) -> Void) {
        let start = min(start, end)
        let records = rows.map { key, row in
            DNSRecord(
                startTime: start,
                endTime: end,
                count: row.count,
                detail: detail,
                clientAddress: key.client.address,
                client: row.client,
                name: key.question.name,
                type: DNSType.name(of: key.question.type),
                recordClass: DNSClass.name(of: key.question.recordClass),
                responseCode: DNSResponseCode.name(of: key.responseCode),
                sets: key.sets,
                servers: row.servers,
                latency: row.latency
            )
        }
        for record in records.sorted(by: { ($0.name, $0.type) < ($1.name, $1.type) }) { emit(record) }
        if unlogged > 0 {
            emit(DNSRecord(startTime: start, endTime: end, isLogged: false, count: unlogged, client: nil))
        }
        rows = [:]
        charges = [:]
        (charged, unlogged, self.start) = (0, 0, end)
    }
}

extension DNSLog.Row {
    fileprivate mutating func add(
        _ lookup: DomainTracker.Lookup,
        by client: Endpoint,
        answeredBy server: Endpoint
    ) {
        count += 1
        keepLabels(of: client)
        latency.add(lookup.latency)
        let address = lookup.packet.server
        guard servers.count < DNSLog.serverLimit, !servers.contains(where: { $0.address == address }) else { return }
        servers.append(DNSRecord.Server(address: address, endpoint: server))
        servers.sort { $0.address.value < $1.address.value }
    }

    /// Keeps the labels that all clients of the record have; nil if those of one are not known.
    private mutating func keepLabels(of other: Endpoint) {
        let common = client.labels.flatMap { labels in other.labels.map { labels.intersection($0) } }
        guard common !== client.labels else { return }
        client = Endpoint(
            kind: client.kind,
            name: client.name,
            aggregatedName: client.aggregatedName,
            namespace: client.namespace,
            labels: common
        )
    }
}

extension DNSMessage {
    /// The answers grouped by name, type and class.
    ///
    /// Groups and their data are sorted, because servers rotate the order of their answers.
    var recordSets: [DNSRecord.RecordSet] {
        var sets: [DNSRecord.RecordSet] = []
        for answer in answers {
            let (type, recordClass) = (DNSType.name(of: answer.type), DNSClass.name(of: answer.recordClass))
            let known = sets.firstIndex { $0.name == answer.name && $0.type == type && $0.recordClass == recordClass }
            if let known {
                sets[known].data.append(answer.content.text)
            } else {
                let data = [answer.content.text]
                sets.append(DNSRecord.RecordSet(name: answer.name, type: type, recordClass: recordClass, data: data))
            }
        }
        for index in sets.indices { sets[index].data.sort() }
        return sets.sorted { ($0.name, $0.type, $0.recordClass) < ($1.name, $1.type, $1.recordClass) }
    }
}

extension DNSMessage.Answer.Content {
    /// The content as text.
    var text: String {
        switch self {
        case .address(let address): "\(address)"
        case .name(let name): name
        case .text(let text): text
        }
    }
}
