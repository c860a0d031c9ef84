import ClusterModel
import FlowLog
import FlowModel
import Inventory
import Policy

/// A node of the artificial cluster: the batches of its datapath, and the flow log at level 0.
final class TrafficNode {
    /// The end of a connection that is a pod of this node.
    enum Side {
        case client
        case server
    }

    private var aggregator: FlowAggregator
    private let tracker = Tracker()
    private var batch = FlowBatch()
    private var free: [UInt32] = []
    private var used: UInt32 = 0
    private static let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)

    /// Creates a node with the cluster's inventory and policies.
    init(_ number: Int, _ cluster: TrafficCluster, start: Int64) {
        let source = SourceID(rawValue: 1)
        var inventory = Inventory(hostName: TrafficCluster.name(ofNode: number))
        inventory.replaceOwnAddresses(with: [TrafficCluster.address(ofNode: number)])
        inventory.apply(cluster.objects.map { .upsert($0) }, from: source, at: 0)
        var policies = PolicyStore(format: .enterprise)
        policies.apply(cluster.objects.map { .upsert($0) }, from: source)
        aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(levelForAllowed: .none, levelForDenied: .none),
            resolver: inventory.snapshot(),
            tracker: tracker,
            startTime: start
        )
        aggregator.use(policies.snapshot())
    }

    /// Begins a connection at one of this node's pods; returns its flow identifier.
    func begin(_ connection: TrafficConnection, at side: Side, of pod: Int) -> UInt32 {
        let flowID = free.popLast() ?? used
        if flowID == used { used += 1 }
        let tuple = side == .client ? connection.tracked.original : connection.tracked.reply
        batch.births.append(
            FlowBirth(
                flowID: flowID,
                key: FlowKey(
                    interfaceIndex: UInt32(pod + 10),
                    near: tuple.source,
                    far: tuple.destination,
                    nearPort: tuple.sourcePort,
                    farPort: tuple.destinationPort,
                    proto: tuple.proto
                ),
                role: .workload,
                marks: side == .client ? .openedIngress : .openedEgress,
                joined: false
            )
        )
        tracker.add(connection.tracked)
        return flowID
    }

    /// Adds packets of a connection that pass the pod's interface.
    func carry(_ flowID: UInt32, at side: Side, sent: TrafficCounters, answered: TrafficCounters) {
        let (ingress, egress) = side == .client ? (sent, answered) : (answered, sent)
        batch.deltas.append(FlowDelta(flowID: flowID, ingress: ingress, egress: egress))
    }

    /// Adds packets to a pod that its policies drop.
    func deny(_ flowID: UInt32, _ packets: TrafficCounters) {
        batch.drops.append(FlowDrop(flowID: flowID, deniedEgress: packets, decision: Self.reason))
    }

    /// Ends a connection.
    func end(_ flowID: UInt32) {
        batch.ends.append(flowID)
    }

    /// Processes the events since the last flush, and emits the records of the interval.
    func flush(_ interval: ClosedRange<Int64>, _ emit: (borrowing FlowRecord) -> Void) {
        aggregator.process(batch)
        free += batch.ends
        batch.removeAll()
        tracker.removeAll()
        aggregator.flush(interval, emit: emit)
    }
}

/// A connection of the artificial cluster, as its packets look on both sides of address translation.
struct TrafficConnection {
    /// The entry in connection tracking.
    let tracked: TrackedConnection

    /// Creates a connection from an address to the pod behind the called address.
    init(
        _ proto: IPProtocol,
        from client: (address: IPAddress, port: UInt16),
        calling called: (address: IPAddress, port: UInt16),
        answeredBy server: (address: IPAddress, port: UInt16)
    ) {
        func tuple(
            _ source: (address: IPAddress, port: UInt16),
            _ destination: (address: IPAddress, port: UInt16)
        ) -> TrackedConnection.Tuple {
            .init(
                source: source.address,
                destination: destination.address,
                sourcePort: source.port,
                destinationPort: destination.port,
                proto: proto
            )
        }
        tracked = TrackedConnection(original: tuple(client, called), reply: tuple(server, client))
    }
}

/// The connection tracking of a node, for connections whose flows begin.
private final class Tracker: ConnectionTracker {
    private var connections: [TrackedConnection.Tuple: TrackedConnection] = [:]

    func add(_ connection: TrackedConnection) {
        connections[connection.original] = connection
        connections[connection.reply] = connection
    }

    func removeAll() { connections.removeAll(keepingCapacity: true) }

    func connection(of packets: TrackedConnection.Tuple) -> TrackedConnection? { connections[packets] }

    func connections(of packets: [TrackedConnection.Tuple]) -> [TrackedConnection?] { packets.map { connections[$0] } }
}
