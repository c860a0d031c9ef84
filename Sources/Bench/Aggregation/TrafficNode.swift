import ClusterModel
import FlowLog
import FlowModel
import Inventory
import Policy

/// A node of the made-up cluster: the batches of its datapath, and the flow log at level 0.
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

    /// Makes a node with the cluster's inventory and policies.
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

    /// A connection begins at one of this node's pods; returns its flow identifier.
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

    /// Packets of a connection pass the pod's interface.
    func carry(_ flowID: UInt32, at side: Side, sent: TrafficCounters, answered: TrafficCounters) {
        let (ingress, egress) = side == .client ? (sent, answered) : (answered, sent)
        batch.deltas.append(FlowDelta(flowID: flowID, ingress: ingress, egress: egress))
    }

    /// Packets on their way to a pod are dropped by its policies.
    func deny(_ flowID: UInt32, _ packets: TrafficCounters) {
        batch.drops.append(FlowDrop(flowID: flowID, deniedEgress: packets, decision: Self.reason))
    }

    /// The connection ends.
    func end(_ flowID: UInt32) {
        batch.ends.append(flowID)
    }

    /// Hands on what happened since the last time, and gives the records of the interval.
    func flush(_ interval: ClosedRange<Int64>, _ emit: (borrowing FlowRecord) -> Void) {
        aggregator.process(batch)
        free += batch.ends
        batch.removeAll()
        tracker.removeAll()
        aggregator.flush(interval, emit: emit)
    }
}

/// A connection of the made-up cluster, as its packets look on both sides of address translation.
struct TrafficConnection {
    /// The entry in connection tracking.
    let tracked: TrackedConnection

    /// A connection from an address to the pod that answers under the address that was called.
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

/// Connection tracking of a node, for as long as its flows begin.
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
