import Encoding
import FlowModel

/// Records and endpoints that the suites share.
enum Sample {
    static let pod = Endpoint(
        id: 1,
        kind: .workload,
        name: "frontend-755cdc7957-x2x9k",
        aggregatedName: "frontend-755cdc7957-*",
        namespace: "shop",
        labels: ["app=frontend", "query=a=b"]
    )
    static let node = Endpoint(id: 2, kind: .host, name: "node-1-eth0", aggregatedName: "node-1")
    static let set = Endpoint(id: 3, kind: .networkSet, name: "partners", aggregatedName: "partners", labels: [])
    static let world = Endpoint(id: 4, kind: .network, name: "-", aggregatedName: "pub")

    static let endpoints = [pod, node, set, world]

    /// A record with a different number in every counter.
    static func record(
        level: AggregationLevel = .none,
        proto: IPProtocol = .tcp,
        source: FlowRecord.End = .init(address: IPAddress(10, 0, 0, 1), port: 41000, endpoint: pod),
        destination: FlowRecord.End = .init(address: IPAddress(8, 8, 8, 8), port: 443, endpoint: world),
        action: FlowAction = .allow,
        reporter: FlowReporter = .source
    ) -> FlowRecord {
        FlowRecord(
            startTime: 1_700_000_000,
            endTime: 1_700_000_300,
            level: level,
            source: source,
            destination: destination,
            proto: proto,
            action: action,
            reporter: reporter,
            inbound: TrafficCounters(packets: 12, bytes: 3456),
            outbound: TrafficCounters(packets: 7, bytes: 890),
            flows: FlowCounts(total: 5, started: 4, completed: 3)
        )
    }

    /// The line of one record, from an encoder that knows nothing yet.
    static func line(of record: FlowRecord) -> String {
        var encoder = JSONLineEncoder()
        var buffer = ByteBuffer()
        encoder.encode(record, into: &buffer)
        return String(decoding: buffer.take(), as: UTF8.self)
    }
}
