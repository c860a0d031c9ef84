import ClusterModel
import FlowLog
import FlowModel
import Inventory
import Policy

/// New connections of an artificial node with 1,000 pods, 200 services and 500 policies, for ``ConntrackBenchmark``.
struct ConnectionSample {
    private static let pods = 1_000
    private static let services = 200
    private static let node = "node-0"
    private static let gateway = IPAddress(192, 0, 2, 1)

    private let resolver: InventorySnapshot
    private let evaluator: PolicySnapshot
    private let births: [FlowBirth]
    /// The tracked connections of the flows that are tracked.
    private let tracked: [TrackedConnection]
    /// The lookups in connection tracking.
    let questions: [TrackedConnection.Tuple]

    /// Creates a number of flows.
    init(flows: Int) {
        let source = SourceID(rawValue: 1)
        var inventory = Inventory(hostName: Self.node)
        inventory.replaceOwnAddresses(with: [Self.gateway])
        inventory.apply(Self.objects.map { .upsert($0) }, from: source, at: 0)
        resolver = inventory.snapshot()
        var policies = PolicyStore(format: .enterprise)
        let cluster = PolicyCluster.large(policies: 500, pods: 0)
        policies.apply((cluster.objects + Self.objects).map { .upsert($0) }, from: source)
        evaluator = policies.snapshot()
        let made = (0..<flows).map(Self.flow)
        births = made.map(\.birth)
        tracked = made.map(\.connection)
        questions = made.map(\.connection.original)
    }

    /// A number of connections for connection tracking, the connections of the flows first.
    func entries(_ count: Int) -> [TrackedConnection] {
        let others = (0..<max(0, count - tracked.count)).map { number in
            let connection = TrackedConnection.Tuple(
                source: IPAddress(ipv4: 0x0a80_0000 + UInt32(number / 50_000)),
                destination: IPAddress(10, 200, 0, 1),
                sourcePort: UInt16(1_024 + number % 50_000),
                destinationPort: 443,
                proto: .tcp
            )
            return Self.tracked(connection, answering: connection.destination, port: 443, to: connection.source)
        }
        return tracked.prefix(count) + others
    }

    /// An aggregator in which all flows are running.
    func running() -> FlowAggregator {
        var aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(),
            resolver: resolver,
            tracker: nil,
            startTime: 0
        )
        aggregator.use(evaluator)
        var beginning = FlowBatch()
        beginning.births = births
        aggregator.process(beginning)
        return aggregator
    }

    /// The batch of a scan in which each flow has traffic.
    var scan: FlowBatch {
        let (sent, answered) = (TrafficCounters(packets: 3, bytes: 900), TrafficCounters(packets: 4, bytes: 5_600))
        var scan = FlowBatch()
        scan.deltas = births.map { FlowDelta(flowID: $0.flowID, ingress: sent, egress: answered) }
        return scan
    }

    /// The fastest of several rounds, ns: all flows begin, count a packet, and end.
    func time(_ rounds: Int, _ tracker: (any ConnectionTracker)?) -> Double {
        var aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(),
            resolver: resolver,
            tracker: tracker,
            startTime: 0
        )
        aggregator.use(evaluator)
        var beginning = FlowBatch()
        beginning.births = births
        let packet = TrafficCounters(packets: 1, bytes: 60)
        beginning.deltas = births.map { FlowDelta(flowID: $0.flowID, ingress: packet, egress: .zero) }
        var end = FlowBatch()
        end.ends = births.map(\.flowID)
        var best = Double.infinity
        for _ in 0..<rounds {
            let time = fastest(of: 1) {
                aggregator.process(beginning)
                aggregator.process(end)
            }
            best = min(best, time)
            var records = 0
            aggregator.flush(at: 1) { _ in records += 1 }
            precondition(records > 0, "flows are recorded")
        }
        return best
    }
}

// MARK: - The cluster

extension ConnectionSample {
    /// An address in 10.1.0.0/16; even numbers are pods of this node.
    private static func pod(_ number: Int) -> IPAddress { IPAddress(ipv4: 0x0a01_0000 + UInt32(number)) }

    private static func service(_ number: Int) -> IPAddress { IPAddress(ipv4: 0x0a60_0000 + UInt32(number)) }

    private static var objects: [ClusterObject] {
        let pods: [ClusterObject] = (0..<pods).map { number in
            .pod(
                Pod(
                    metadata: ObjectMetadata(
                        name: "pod-\(number)",
                        namespace: "ns-\(number % 50)",
                        uid: "pod-\(number)",
                        generateName: "pod-\(number % 100)-",
                        labels: [
                            Label(key: "app", value: "app-\(number % 20)"),
                            Label(key: "tier", value: "web"),
                        ]
                    ),
                    addresses: [pod(number)],
                    node: number % 2 == 0 ? node : "node-1",
                    serviceAccount: "default"
                )
            )
        }
        let services: [ClusterObject] = (0..<services).flatMap { number -> [ClusterObject] in
            let name = "service-\(number)"
            let namespace = "ns-\(number % 50)"
            return [
                .service(
                    Service(
                        metadata: ObjectMetadata(name: name, namespace: namespace, uid: name),
                        addresses: [service(number)],
                        ports: [Service.Port(name: "http", port: 80)]
                    )
                ),
                .serviceEndpoints(
                    ServiceEndpoints(
                        kind: .endpointSlice,
                        metadata: ObjectMetadata(name: name, namespace: namespace, uid: "slice-\(number)"),
                        service: name,
                        groups: [
                            .init(
                                addresses: (0..<5).map { pod(backend(of: number, $0)) },
                                ports: [NamedPort(name: "http", port: 8_080)]
                            )
                        ]
                    )
                ),
            ]
        }
        return pods + services
    }

    private static func backend(of service: Int, _ number: Int) -> Int { (service * 5 + number) % pods }

    // MARK: Flows

    /// A quarter each: to services, to the outside with masquerading, to pods, and from other nodes to backends.
    private static func flow(_ number: Int) -> (birth: FlowBirth, connection: TrackedConnection) {
        let port = UInt16(1_024 + (number / pods * 4 + number % 4) % 60_000)
        let local = pod(number / 4 * 2 % pods)
        switch number % 4 {
        case 0:
            let called = number / 4 % services
            let packets = packets(local, port, service(called), 80)
            let backend = pod(backend(of: called, number % 5))
            return (birth(number, packets), tracked(packets, answering: backend, port: 8_080, to: local))
        case 1:
            let outside = IPAddress(ipv4: 0xcb00_0000 + UInt32(number))
            let packets = packets(local, port, outside, 443)
            return (birth(number, packets), tracked(packets, answering: outside, port: 443, to: gateway))
        case 2:
            let other = pod((number * 7 + 1) % pods)
            let packets = packets(local, port, other, 8_080)
            return (birth(number, packets), tracked(packets, answering: other, port: 8_080, to: local))
        default:
            let other = pod((number * 7 + 1) % pods | 1)
            let packets = packets(other, port, local, 8_080)
            let connection = tracked(packets, answering: local, port: 8_080, to: other)
            return (birth(number, connection.reply, isCalled: true), connection)
        }
    }

    private static func packets(
        _ source: IPAddress,
        _ sourcePort: UInt16,
        _ destination: IPAddress,
        _ destinationPort: UInt16
    ) -> TrackedConnection.Tuple {
        TrackedConnection.Tuple(
            source: source,
            destination: destination,
            sourcePort: sourcePort,
            destinationPort: destinationPort,
            proto: .tcp
        )
    }

    private static func tracked(
        _ original: TrackedConnection.Tuple,
        answering: IPAddress,
        port: UInt16,
        to: IPAddress
    ) -> TrackedConnection {
        TrackedConnection(original: original, reply: packets(answering, port, to, original.sourcePort))
    }

    /// A flow on the interface of the pod that sends these packets.
    private static func birth(
        _ number: Int,
        _ packets: TrackedConnection.Tuple,
        isCalled: Bool = false
    ) -> FlowBirth {
        FlowBirth(
            flowID: UInt32(number),
            key: FlowKey(
                interfaceIndex: 3,
                near: packets.source,
                far: packets.destination,
                nearPort: packets.sourcePort,
                farPort: packets.destinationPort,
                proto: .tcp
            ),
            role: .workload,
            marks: isCalled ? .openedEgress : .openedIngress,
            joined: false
        )
    }
}
