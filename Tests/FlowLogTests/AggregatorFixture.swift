import FlowModel

@testable import FlowLog

/// An aggregator with short forms of the calls that tests make.
///
/// Own is 10.0.0.1, the peer 10.0.0.2, a workload 10.1.0.1.
struct AggregatorFixture: ~Copyable {
    static let own = IPAddress(10, 0, 0, 1)
    static let peer = IPAddress(10, 0, 0, 2)
    static let workload = IPAddress(10, 1, 0, 1)
    static let host = Endpoint(kind: .host, name: "node", aggregatedName: "node")

    var aggregator: FlowAggregator
    var resolver: FakeResolver
    let tracker = FakeTracker()

    init(
        level: AggregationLevel = .none,
        own: Set<IPAddress> = [own],
        startTime: Int64 = 100,
        dividesProcesses: Bool = false
    ) {
        resolver = FakeResolver(own: own, owners: [Self.own: Self.host])
        aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(
                levelForAllowed: level,
                levelForDenied: .none,
                dividesProcesses: dividesProcesses,
                node: "gw"
            ),
            resolver: resolver,
            tracker: tracker,
            startTime: startTime
        )
    }

    /// Makes a birth, by default of a client that calls the host through its uplink.
    static func birth(
        _ flowID: UInt32,
        near: IPAddress = peer,
        far: IPAddress = own,
        nearPort: UInt16 = 40000,
        farPort: UInt16 = 80,
        proto: IPProtocol = .tcp,
        role: InterfaceRole = .host,
        interface: UInt32 = 2,
        marks: FlowMarks = .openedIngress
    ) -> FlowBirth {
        let key = FlowKey(
            interfaceIndex: interface,
            near: near,
            far: far,
            nearPort: nearPort,
            farPort: farPort,
            proto: proto
        )
        return FlowBirth(flowID: flowID, key: key, role: role, marks: marks, joined: false)
    }

    mutating func births(_ births: FlowBirth...) {
        var batch = FlowBatch()
        batch.births = births
        aggregator.process(batch)
    }

    /// Adds 1 ingress packet of `ingress` bytes and 2 egress packets of `egress` bytes.
    mutating func delta(_ flowID: UInt32, ingress: UInt64, egress: UInt64) {
        var batch = FlowBatch()
        batch.deltas = [
            FlowDelta(
                flowID: flowID,
                ingress: TrafficCounters(packets: 1, bytes: ingress),
                egress: TrafficCounters(packets: 2, bytes: egress)
            )
        ]
        aggregator.process(batch)
    }

    /// Processes one batch that the closure fills.
    mutating func batch(_ fill: (inout FlowBatch) -> Void) {
        var batch = FlowBatch()
        fill(&batch)
        aggregator.process(batch)
    }

    mutating func ends(_ flowIDs: UInt32...) {
        var batch = FlowBatch()
        batch.ends = flowIDs
        aggregator.process(batch)
    }

    mutating func flush(at time: Int64 = 200) -> [FlowRecord] {
        var records: [FlowRecord] = []
        aggregator.flush(at: time) { records.append(copy $0) }
        return records
    }

    mutating func own(_ addresses: Set<IPAddress>) {
        learn { $0.own = addresses }
    }

    /// Changes the resolver's tables and publishes them as a new generation.
    mutating func learn(_ change: (inout FakeResolver) -> Void) {
        change(&resolver)
        resolver.generation += 1
        aggregator.use(resolver)
    }

    /// Returns the flow counts of each record of a flush.
    mutating func flushCounts() -> [FlowCounts] {
        flush().map(\.flows)
    }
}

extension FlowCounts {
    init(_ total: UInt64, _ started: UInt64, _ completed: UInt64) {
        self.init(total: total, started: started, completed: completed)
    }
}
