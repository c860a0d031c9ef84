import ClusterModel
import FlowModel

/// The artificial cluster of ``AggregationBenchmark``: 10 nodes, 50 services with 10 pods each, and two pods for DNS.
///
/// Service 0 is the most popular one. Each service calls one to five others, popular ones more often. Its policy allows exactly
/// the calls that it receives. The first five services are also called from outside.
struct TrafficCluster {
    /// A pod, by its number.
    struct Pod {
        let service: Int
        let node: Int
        let address: IPAddress
    }

    /// A call from one service to another.
    struct Call {
        let client: Int
        let server: Int
    }

    static let nodes = 10
    static let services = 50
    static let podsOfService = 10
    /// The number of services that are called from outside.
    static let frontServices = 5
    /// The number of the service for DNS.
    static let dns = services

    /// All pods; pods of a service are adjacent, those for DNS come last.
    let pods: [Pod]
    /// All calls, in random order: the first are the most frequent.
    let calls: [Call]

    /// Creates the cluster of a seed.
    init(_ chance: inout TrafficChance) {
        let count = Self.services * Self.podsOfService + 2
        pods = (0..<count).map { number in
            let service = min(number / Self.podsOfService, Self.dns)
            let address = IPAddress(ipv4: 0x0a01_0000 + UInt32(number) + 1)
            return Pod(service: service, node: chance.below(Self.nodes), address: address)
        }
        let ranks = ZipfRanks(Self.services)
        var calls: [Call] = []
        for client in 0..<Self.services {
            var servers: Set<Int> = []
            for _ in 0...chance.below(5) { servers.insert(ranks.draw(&chance)) }
            calls += servers.sorted().filter { $0 != client }.map { Call(client: client, server: $0) }
        }
        for index in calls.indices { calls.swapAt(index, index + chance.below(calls.count - index)) }
        self.calls = calls
    }

    /// A pod of a service.
    func pod(of service: Int, _ chance: inout TrafficChance) -> Int {
        let first = service * Self.podsOfService
        return first + chance.below(min(Self.podsOfService, pods.count - first))
    }

    /// The address under which a service is called.
    static func address(ofService number: Int) -> IPAddress { IPAddress(ipv4: 0x0a60_0000 + UInt32(number) + 1) }

    /// A node's own address.
    static func address(ofNode number: Int) -> IPAddress { IPAddress(ipv4: 0x0a00_0001 + UInt32(number)) }

    static func name(ofNode number: Int) -> String { "node-\(number)" }
}

// MARK: - Objects

extension TrafficCluster {
    /// The cluster as the API server shows it.
    var objects: [ClusterObject] {
        podObjects + serviceObjects + (0...Self.services).map { .calicoPolicy(policy(of: $0)) }
            + (0..<Self.nodes).map { number in
                let metadata = ObjectMetadata(name: Self.name(ofNode: number), uid: "node-\(number)")
                return .node(Node(metadata: metadata, addresses: [Self.address(ofNode: number)]))
            }
    }

    private static func name(of service: Int) -> String { service == dns ? "coredns" : "service-\(service)" }

    private static func namespace(of service: Int) -> String {
        service == dns ? "kube-system" : "team-\(service % 8)"
    }

    private var podObjects: [ClusterObject] {
        pods.indices.map { number in
            let pod = pods[number]
            let (name, hash) = (Self.name(of: pod.service), "7c9f6d8b\(10 + pod.service)")
            let text = String(UInt64(number + 1) &* 0x9e37_79b9_7f4a_7c15 >> 38, radix: 36)
            return .pod(
                ClusterModel.Pod(
                    metadata: ObjectMetadata(
                        name: "\(name)-\(hash)-\(text)",
                        namespace: Self.namespace(of: pod.service),
                        uid: "pod-\(number)",
                        generateName: "\(name)-\(hash)-",
                        labels: [
                            Label(key: "app.kubernetes.io/name", value: name),
                            Label(key: "app.kubernetes.io/part-of", value: Self.namespace(of: pod.service)),
                            Label(key: "pod-template-hash", value: hash),
                            Label(key: "version", value: "v1.\(pod.service).3"),
                        ]
                    ),
                    addresses: [pod.address],
                    node: Self.name(ofNode: pod.node),
                    serviceAccount: name
                )
            )
        }
    }

    private var serviceObjects: [ClusterObject] {
        (0...Self.services).flatMap { number -> [ClusterObject] in
            let (name, namespace) = (Self.name(of: number), Self.namespace(of: number))
            let port: UInt16 = number == Self.dns ? 53 : 80
            let proto: IPProtocol = number == Self.dns ? .udp : .tcp
            let addresses = pods.filter { $0.service == number }.map(\.address)
            return [
                .service(
                    Service(
                        metadata: ObjectMetadata(name: name, namespace: namespace, uid: "service-\(number)"),
                        addresses: [Self.address(ofService: number)],
                        ports: [Service.Port(name: "main", port: port, proto: proto)]
                    )
                ),
                .serviceEndpoints(
                    ServiceEndpoints(
                        kind: .endpointSlice,
                        metadata: ObjectMetadata(name: name, namespace: namespace, uid: "slice-\(number)"),
                        service: name,
                        groups: [
                            .init(
                                addresses: addresses,
                                ports: [NamedPort(name: "main", port: Self.port(of: number), proto: proto)]
                            )
                        ]
                    )
                ),
            ]
        }
    }

    /// The port on which pods of a service listen.
    static func port(of service: Int) -> UInt16 { service == dns ? 53 : 8_080 }

    private func policy(of service: Int) -> CalicoPolicy {
        let port = Self.port(of: service)
        let clients = calls.filter { $0.server == service }.map { "'\(Self.name(of: $0.client))'" }
        var rule = CalicoRule(action: .allow, proto: .number(service == Self.dns ? .udp : .tcp))
        rule.destination.ports = [.range(port...port)]
        let isOpen = service == Self.dns || service < Self.frontServices
        if !isOpen {
            let names = clients.isEmpty ? "'nobody'" : clients.joined(separator: ", ")
            rule.source.selector = "app.kubernetes.io/name in {\(names)}"
            rule.source.namespaceSelector = "all()"
        }
        var nodes = CalicoRule(action: .allow)
        nodes.source.nets = (0..<Self.nodes).compactMap { IPPrefix(Self.address(ofNode: $0), length: 32) }
        return CalicoPolicy(
            kind: .calicoNetworkPolicy,
            metadata: ObjectMetadata(
                name: "default.allow-\(Self.name(of: service))",
                namespace: Self.namespace(of: service)
            ),
            order: 100,
            selector: "app.kubernetes.io/name == '\(Self.name(of: service))'",
            directions: [.ingress],
            ingress: [nodes, rule]
        )
    }
}
