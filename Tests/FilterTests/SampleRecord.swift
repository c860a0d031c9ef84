import FlowModel

/// The record that the suites filter.
enum Sample {
    static let pod = Endpoint(
        kind: .workload,
        name: "frontend-755cdc7957-x2x9k",
        aggregatedName: "frontend-755cdc7957-*",
        namespace: "shop",
        labels: LabelSet(sorted: ["app-x=1", "app.kubernetes.io/name=web", "app=frontend", "query=a=b", "tier="])
    )
    static let world = Endpoint(kind: .network, name: "-", aggregatedName: "pub")
    static let trace = PolicyTrace(
        action: .deny,
        enforced: ["0|default|shop/knp.default.web|deny|-1"],
        pending: ["0|default|default.staged:open|allow|2"]
    )

    static func record(level: AggregationLevel = .none, proto: IPProtocol = .tcp) -> FlowRecord {
        FlowRecord(
            startTime: 1_700_000_000,
            endTime: 1_700_000_300,
            level: level,
            source: .init(address: IPAddress(10, 0, 0, 1), port: 41_000, endpoint: pod, labels: pod.labels),
            destination: .init(address: IPAddress("2001:db8::8"), port: 443, endpoint: world, labels: nil),
            service: ServicePort(namespace: "shop", name: "web", portName: "https", port: 8443),
            natOutgoingPorts: [1024, 1030],
            proto: proto,
            action: .deny,
            reporter: .source,
            policies: .init(enforced: trace, pending: trace),
            inbound: TrafficCounters(packets: 0, bytes: 0),
            outbound: TrafficCounters(packets: 7, bytes: .max),
            flows: FlowCounts(total: 5, started: 4, completed: 3),
            drops: .init(inbound: 0, outbound: 7, reason: DropReason(name: "NETFILTER_DROP", isDecision: true))
        )
    }
}
