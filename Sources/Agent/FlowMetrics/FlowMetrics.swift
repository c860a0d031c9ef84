import Server

/// Writes the traffic of workloads (``FlowMeter``), as of the last flush.
struct FlowMetrics: MetricsSource {
    let board: RunBoard

    /// A count of a workload: its labels and its value.
    private struct Aspect: Sendable {
        let labels: MetricLabels
        let value: @Sendable (FlowMeter.Counts) -> UInt64

        init(_ labels: MetricLabels, _ value: @escaping @Sendable (FlowMeter.Counts) -> UInt64) {
            self.labels = labels
            self.value = value
        }
    }

    private static let ways = (received: MetricLabels(["direction": "in"]), sent: MetricLabels(["direction": "out"]))
    private static let sides = (server: MetricLabels(["side": "server"]), client: MetricLabels(["side": "client"]))

    private static let families: [(name: String, help: String, aspects: [Aspect])] = [
        (
            "weir_flow_bytes", "Bytes to and from a workload, of allowed connections.",
            [Aspect(ways.received) { $0.received.bytes }, Aspect(ways.sent) { $0.sent.bytes }]
        ),
        (
            "weir_flow_packets", "Packets to and from a workload, of allowed connections.",
            [Aspect(ways.received) { $0.received.packets }, Aspect(ways.sent) { $0.sent.packets }]
        ),
        (
            "weir_flow_connections", "Allowed connections that began, by the workload's side of them.",
            [Aspect(sides.server) { $0.accepted }, Aspect(sides.client) { $0.opened }]
        ),
        (
            "weir_flow_denied_connections", "Denied connections that began, by the workload's side of them.",
            [Aspect(sides.server) { $0.deniedIn }, Aspect(sides.client) { $0.deniedOut }]
        ),
        (
            "weir_flow_denied_packets", "Packets of denied connections, to and from a workload.",
            [Aspect(ways.received) { $0.deniedPacketsIn }, Aspect(ways.sent) { $0.deniedPacketsOut }]
        ),
    ]

    func write(to writer: inout MetricsWriter) {
        guard let entries = board.records.workloads else { return }
        for (name, help, aspects) in Self.families {
            writer.family(name, .counter, help)
            for entry in entries {
                for aspect in aspects { writer.sample(entry.labels, aspect.labels, aspect.value(entry.counts)) }
            }
        }
        writer.family("weir_flow_workloads", .gauge, "Workloads that have series of their own.")
        writer.sample(.none, UInt64(entries.count - 1))
    }
}
