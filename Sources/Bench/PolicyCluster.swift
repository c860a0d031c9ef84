import ClusterModel
import FlowModel
import Policy

/// An artificial cluster with policies, for ``PolicyBenchmark``.
struct PolicyCluster {
    struct Connection {
        var tuple: TrackedConnection.Tuple
        var source: Endpoint
        var destination: Endpoint
    }

    var objects: [ClusterObject] = []
    var pods: [(address: IPAddress, endpoint: Endpoint)] = []

    /// Creates policies that each select every pod and allow one application to separate ports: most of them do not match.
    static func busy(policies: Int) -> PolicyCluster {
        var cluster = PolicyCluster()
        for index in 0..<200 { cluster.addPod(index, namespace: "ns-\(index % 10)", application: index % 100) }
        cluster.addNamespaces(10)
        for index in 0..<policies {
            let port = UInt16(8_000 + index % 200)
            var rule = CalicoRule(action: .allow, proto: .number(.tcp))
            rule.source.selector = "app == 'app-\(index % 100)' && tier in {'web', 'batch'}"
            rule.destination.ports = [.range(port...port), .range(9_000...(9_000 + UInt16(index % 50)))]
            var outward = CalicoRule(action: .allow, proto: .number(.tcp))
            outward.destination.selector = "app == 'app-\(index * 7 % 100)'"
            outward.destination.ports = [.range(port...port), .range(9_100...(9_100 + UInt16(index % 50)))]
            cluster.objects.append(
                .calicoPolicy(
                    CalicoPolicy(
                        kind: .globalNetworkPolicy,
                        metadata: ObjectMetadata(name: "default.allow-\(index)"),
                        order: Double(index),
                        selector: "has(app)",
                        directions: [.ingress, .egress],
                        ingress: [rule],
                        egress: [outward]
                    )
                )
            )
        }
        return cluster
    }

    /// Creates policies in many namespaces, a tenth of them global, as in large clusters.
    static func large(policies: Int, pods: Int) -> PolicyCluster {
        var cluster = PolicyCluster()
        let namespaces = 500
        cluster.addNamespaces(namespaces)
        for index in 0..<pods {
            cluster.addPod(index, namespace: "ns-\(index % namespaces)", application: index / namespaces % 20)
        }
        for index in 0..<policies { cluster.objects.append(cluster.policy(index, revision: 0)) }
        return cluster
    }

    /// Another version of one of the policies of ``large(policies:pods:)``, a global one.
    func changedPolicy(_ round: Int) -> ClusterObject { policy(round * 10, revision: round + 1) }

    private func policy(_ index: Int, revision: Int) -> ClusterObject {
        let isGlobal = index % 10 == 0
        var rules: [CalicoRule] = []
        for number in 0..<4 {
            var rule = CalicoRule(action: .allow, proto: .number(.tcp))
            rule.source.selector = "app == 'app-\((index + number + revision) % 20)' && tier == 'web'"
            rule.source.namespaceSelector = isGlobal ? "team == 'team-\((index + number) % 50)'" : ""
            let port = UInt16(8_000 + (index + number * 3) % 64)
            rule.destination.ports = [.range(port...port)]
            rules.append(rule)
        }
        return .calicoPolicy(
            CalicoPolicy(
                kind: isGlobal ? .globalNetworkPolicy : .calicoNetworkPolicy,
                metadata: ObjectMetadata(name: "default.p-\(index)", namespace: isGlobal ? nil : "ns-\(index % 500)"),
                order: Double(index % 7),
                selector: isGlobal ? "app in {'app-\(index % 20)', 'app-\(index % 13)'}" : "has(app)",
                directions: [.ingress, .egress],
                ingress: rules,
                egress: rules
            )
        )
    }

    private mutating func addNamespaces(_ count: Int) {
        for index in 0..<count {
            let labels = [Label(key: "team", value: "team-\(index % 50)")]
            objects.append(.namespace(Namespace(metadata: ObjectMetadata(name: "ns-\(index)", labels: labels))))
        }
    }

    private var identities: [String: EndpointIdentity] = [:]

    private mutating func addPod(_ index: Int, namespace: String, application: Int) {
        let key = "\(namespace)/\(application)"
        let identity =
            identities[key]
            ?? EndpointIdentity(
                kind: .workload,
                namespace: namespace,
                labels: [
                    Label(key: "app", value: "app-\(application)"),
                    Label(key: "pod-template-hash", value: "755cdc7957"),
                    Label(key: "tier", value: application % 3 == 0 ? "batch" : "web"),
                ],
                serviceAccount: "default"
            )
        identities[key] = identity
        let endpoint = Endpoint(
            kind: .workload,
            name: "pod-\(index)",
            aggregatedName: "pod-*",
            namespace: namespace,
            identity: identity
        )
        pods.append((IPAddress(ipv4: 0x0a00_0000 + UInt32(index)), endpoint))
    }

    // MARK: - Connections

    /// Connections between any pods to any of the ports, most of them different.
    func connections(_ count: Int) -> [Connection] {
        (0..<count).map { number in
            let spread = UInt64(number) &* 0x9e37_79b9_7f4a_7c15
            let source = pods[Int(spread >> 40) % pods.count]
            let destination = pods[Int(spread >> 20 & 0xffff) % pods.count]
            let tuple = TrackedConnection.Tuple(
                source: source.address,
                destination: destination.address,
                sourcePort: UInt16(truncatingIfNeeded: 32_768 + number % 28_000),
                destinationPort: UInt16(8_000 + Int(spread >> 4 & 0xfff) % 1_150),
                proto: .tcp
            )
            return Connection(tuple: tuple, source: source.endpoint, destination: destination.endpoint)
        }
    }

    /// Evaluates a connection to a pod.
    func evaluate(_ snapshot: PolicySnapshot, _ index: Int) -> PolicyTrace? {
        let source = pods[(index * 31 + 7) % pods.count]
        let destination = pods[index]
        let tuple = TrackedConnection.Tuple(
            source: source.address,
            destination: destination.address,
            sourcePort: 40_000,
            destinationPort: UInt16(8_000 + index % 64),
            proto: .tcp
        )
        return snapshot.traces(of: tuple, source: source.endpoint, destination: destination.endpoint).ingress
    }
}

/// Evaluates policies of ``PolicyCluster/busy(policies:)`` in the straightforward way: sequentially, with selectors as trees.
struct PlainPolicies {
    private struct Rule {
        var source: Selector?
        var destination: Selector?
        var ports: [ClosedRange<UInt16>]
    }

    private struct Entry {
        var selector: Selector
        var ingress: [Rule]
        var egress: [Rule]
    }

    private var policies: [Entry] = []

    init(_ cluster: PolicyCluster) {
        for case .calicoPolicy(let policy) in cluster.objects {
            guard let selector = try? Selector(policy.selector) else { continue }
            policies.append(
                Entry(selector: selector, ingress: policy.ingress.map(Self.rule), egress: policy.egress.map(Self.rule))
            )
        }
    }

    private static func rule(_ rule: CalicoRule) -> Rule {
        Rule(
            source: rule.source.selector.isEmpty ? nil : try? Selector(rule.source.selector),
            destination: rule.destination.selector.isEmpty ? nil : try? Selector(rule.destination.selector),
            ports: rule.destination.ports.compactMap { if case .range(let range) = $0 { range } else { nil } }
        )
    }

    /// Whether both ends allow a connection.
    func allows(_ connection: PolicyCluster.Connection) -> Bool {
        let source = connection.source.identity?.labels ?? []
        let destination = connection.destination.identity?.labels ?? []
        func matches(_ rule: Rule) -> Bool {
            rule.ports.contains { $0.contains(connection.tuple.destinationPort) }
                && rule.source?.matches(source) ?? true && rule.destination?.matches(destination) ?? true
        }
        let egress = policies.first { $0.selector.matches(source) && $0.egress.contains(where: matches) } != nil
        let ingress = policies.first { $0.selector.matches(destination) && $0.ingress.contains(where: matches) } != nil
        return egress && ingress
    }
}
