import ClusterModel
import FlowModel

/// An index of cluster objects by name, which complements the inventory's index by address.
///
/// Deleted objects may remain here; the inventory decides which object owns an address.
struct PolicyDirectory: Sendable {
    /// The stored data of a pod.
    struct PodEntry: Sendable {
        /// Its addresses.
        var addresses: [IPAddress]
        /// The node that it runs on; nil if it runs on none yet.
        var node: String?
        /// Whether the addresses are those of its node.
        var usesHostNetwork: Bool
        /// Whether the pod has ended, so that another pod may have its addresses.
        var hasEnded: Bool
    }

    /// A backend of a service.
    struct Backend: Sendable, Hashable {
        /// The address.
        var address: IPAddress
        /// The port; nil for all.
        var port: NamedPort?
    }

    private var pods: [String: PodEntry] = [:]
    private var services: [String: Service] = [:]
    private var nodes: [String: [IPAddress]] = [:]
    private var endpoints: [String: [ObjectReference: [ServiceEndpoints.Group]]] = [:]
    private(set) var namespaces: Set<String> = []
    /// The last source of each policy, tier and network set.
    private(set) var policyObjects: [ObjectReference: SourceID] = [:]

    /// Applies changes in order.
    mutating func apply(_ changes: [ClusterChange], from source: SourceID) {
        for change in changes {
            switch change {
            case .upsert(let object): upsert(object, source)
            case .delete(let reference, _): remove(reference)
            case .beginReplace, .endReplace, .forget: break
            }
        }
    }

    private mutating func upsert(_ object: ClusterObject, _ source: SourceID) {
        switch object {
        case .pod(let pod):
            pods[Self.key(pod.metadata.namespace, pod.metadata.name)] = PodEntry(
                addresses: pod.addresses,
                node: pod.node,
                usesHostNetwork: pod.usesHostNetwork,
                hasEnded: pod.phase == .ended
            )
        case .service(let service): services[Self.key(service.metadata.namespace, service.metadata.name)] = service
        case .node(let node): nodes[node.metadata.name] = node.addresses
        case .serviceEndpoints(let slice):
            guard let service = slice.service else { return }
            let key = Self.key(slice.metadata.namespace, service)
            endpoints[key, default: [:]][object.reference] = slice.groups
        case .namespace(let namespace): namespaces.insert(namespace.metadata.name)
        default:
            let reference = object.reference
            if reference.kind.isOfPolicies { policyObjects[reference] = source }
        }
    }

    private mutating func remove(_ reference: ObjectReference) {
        switch reference.kind {
        case .pod: pods[Self.key(reference.namespace, reference.name)] = nil
        case .service: services[Self.key(reference.namespace, reference.name)] = nil
        case .node: nodes[reference.name] = nil
        case .endpointSlice, .endpoints:
            for key in endpoints.keys { endpoints[key]?[reference] = nil }
        case .namespace: namespaces.remove(reference.name)
        default: policyObjects[reference] = nil
        }
    }

    private static func key(_ namespace: String?, _ name: String) -> String {
        "\(namespace ?? "default")/\(name)"
    }

    // MARK: Ask

    /// The pod with the name `NAMESPACE/POD`; nil if unknown.
    func pod(_ name: String) -> PodEntry? { pods[name] }

    /// The names of all services as `NAMESPACE/NAME`.
    var allServices: [String] { Set(services.keys).union(endpoints.keys).sorted() }

    /// All pods by their names as `NAMESPACE/POD`.
    var allPods: [String: PodEntry] { pods }

    /// Policy objects in namespaces that do not exist; empty if no namespaces are known.
    ///
    /// `default` and the namespaces of Kubernetes itself always exist.
    var homeless: [ObjectReference] {
        guard !namespaces.isEmpty else { return [] }
        let known = namespaces.union(["default", "kube-system", "kube-public", "kube-node-lease"])
        return policyObjects.keys.filter { $0.kind.isNamespaced && !known.contains($0.namespace ?? "default") }
    }

    /// Whether a service with the name `NAMESPACE/NAME` exists.
    func isService(_ name: String) -> Bool { services[name] != nil || endpoints[name] != nil }

    /// The service with the name `NAMESPACE/NAME`; nil also if only its endpoints are known.
    func service(_ name: String) -> Service? { services[name] }

    /// Whether an address belongs to a node.
    func isNode(_ name: String, at address: IPAddress) -> Bool { nodes[name]?.contains(address) == true }

    /// The backends of the service `NAMESPACE/NAME`, ascending.
    func backends(of service: String) -> [Backend] {
        let groups = endpoints[service]?.values.flatMap { $0 } ?? []
        let backends = groups.flatMap { group in
            let ports: [NamedPort?] = group.ports.isEmpty ? [nil] : group.ports
            return group.addresses.flatMap { address in ports.map { Backend(address: address, port: $0) } }
        }
        return Set(backends).sorted {
            ($0.address.value, $0.port?.port ?? 0) < ($1.address.value, $1.port?.port ?? 0)
        }
    }

    /// The backends of a port of the service `NAMESPACE/NAME`, ascending.
    ///
    /// - Parameters:
    ///   - service: the name.
    ///   - port: the port of the service; nil if it is called at the ports of its backends.
    ///   - number: the destination port number; nil if unknown.
    ///   - proto: the protocol.
    /// - Returns: the addresses of the backends, each with the port that receives the connection.
    func backends(
        of service: String,
        port: Service.Port?,
        calledAt number: UInt16?,
        proto: IPProtocol
    ) -> [Backend] {
        var seen: Set<Backend> = []
        return backends(of: service).compactMap { backend in
            guard proto.hasPorts, let port else {
                // The service is called at its backends' ports, and its definition need not list all of them.
                let called = number.map { NamedPort(name: nil, port: $0, proto: proto) }
                return Backend(address: backend.address, port: called)
            }
            guard let own = backend.port else { return backend }
            return own.proto == proto && own.name == port.name ? backend : nil
        }.filter { seen.insert($0).inserted }
    }

    /// The addresses of services: their own, and the addresses of nodes if a service has a node port.
    var serviceAddresses: Set<IPAddress> {
        let own = Set(services.values.flatMap(\.addresses))
        let hasNodePort = services.values.contains { $0.ports.contains { $0.nodePort != nil } }
        return hasNodePort ? own.union(nodes.values.flatMap(\.self)) : own
    }

    /// Suggestions for a misspelled pod name, the most similar first.
    ///
    /// Compares the name with every pod, which is fast enough only for interactive use.
    func names(near text: String) -> [String] {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return [] }
        let wanted = text.utf8
        // A name from a record ends with an asterisk.
        let beginning = parts[1].hasSuffix("*") ? String(parts[1].dropLast()) : parts[1]
        var found: [(name: String, distance: Int)] = []
        for name in pods.keys {
            let slash = name.firstIndex(of: "/").map(name.index(after:)) ?? name.startIndex
            let pod = name[slash...]
            let isThere = name.hasPrefix(parts[0] + "/")
            if isThere, pod.hasPrefix(beginning) {
                found.append((name, 0))
            } else if pod == parts[1] {
                found.append((name, 1))
            } else if abs(name.utf8.count - wanted.count) <= 3 {
                let distance = EditDistance.between(wanted, name.utf8)
                if distance <= 3 { found.append((name, distance + 1)) }
            }
        }
        if found.isEmpty { found = namesakes(of: parts[1], in: parts[0]) }
        return found.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
    }

    /// The pods of a namespace; a longer common prefix with the name means a smaller distance.
    private func namesakes(of name: String, in namespace: String) -> [(name: String, distance: Int)] {
        pods.keys.filter { $0.hasPrefix(namespace + "/") }.map { pod in
            (pod, -pod.utf8.dropFirst(namespace.utf8.count + 1).commonPrefixCount(name.utf8))
        }
    }
}

extension Sequence<UInt8> {
    /// The length of the common prefix, bytes.
    fileprivate func commonPrefixCount(_ other: some Sequence<UInt8>) -> Int {
        zip(self, other).prefix { $0 == $1 }.count
    }
}

extension ObjectKind {
    /// Whether the kind is a policy.
    var isPolicy: Bool {
        switch self {
        case .networkPolicy, .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy,
            .calicoNetworkPolicy, .globalNetworkPolicy, .stagedNetworkPolicy, .stagedGlobalNetworkPolicy,
            .stagedKubernetesNetworkPolicy:
            true
        default: false
        }
    }

    /// Whether the kind is a policy, a tier or a network set, which policy authors write.
    var isOfPolicies: Bool {
        isPolicy || self == .tier || self == .networkSet || self == .globalNetworkSet
    }
}
