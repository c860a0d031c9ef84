import Encoding
import FlowModel

/// Records and endpoints that the suites share.
enum Sample {
    static let pod = Endpoint(
        kind: .workload,
        name: "frontend-755cdc7957-x2x9k",
        aggregatedName: "frontend-755cdc7957-*",
        namespace: "shop",
        labels: LabelSet(sorted: ["app=frontend", "query=a=b"])
    )
    static let node = Endpoint(kind: .host, name: "node-1-eth0", aggregatedName: "node-1")
    static let set = Endpoint(kind: .networkSet, name: "partners", aggregatedName: "partners", labels: .empty)
    static let world = Endpoint(kind: .network, name: "-", aggregatedName: "pub")
    static let service = ServicePort(namespace: "shop", name: "web", portName: "http", port: 80)

    static let endpoints = [pod, node, set, world]

    /// A record with a different number in every counter.
    static func record(
        level: AggregationLevel = .none,
        proto: IPProtocol = .tcp,
        source: FlowRecord.End = .init(IPAddress(10, 0, 0, 1), 41000, pod),
        destination: FlowRecord.End = .init(IPAddress(8, 8, 8, 8), 443, world),
        service: ServicePort? = nil,
        natOutgoingPorts: [UInt16] = [],
        action: FlowAction = .allow,
        reporter: FlowReporter = .source,
        policies: FlowRecord.Policies? = nil,
        drops: FlowRecord.Drops? = nil
    ) -> FlowRecord {
        FlowRecord(
            startTime: 1_700_000_000,
            endTime: 1_700_000_300,
            level: level,
            source: source,
            destination: destination,
            service: service,
            natOutgoingPorts: natOutgoingPorts,
            proto: proto,
            action: action,
            reporter: reporter,
            policies: policies,
            inbound: TrafficCounters(packets: 12, bytes: 3456),
            outbound: TrafficCounters(packets: 7, bytes: 890),
            flows: FlowCounts(total: 5, started: 4, completed: 3),
            drops: drops
        )
    }

    /// Returns the line of one record from a new encoder.
    static func line(of record: FlowRecord, extendedFields: Bool = false) -> String {
        var encoder = JSONLineEncoder(extendedFields: extendedFields)
        var buffer = ByteBuffer()
        encoder.encode(record, into: &buffer)
        return String(decoding: buffer.take(), as: UTF8.self)
    }
}

extension FlowRecord.End {
    /// An end with all labels of its endpoint.
    init(_ address: IPAddress?, _ port: UInt16?, _ endpoint: Endpoint) {
        self.init(address: address, port: port, endpoint: endpoint, labels: endpoint.labels)
    }
}
