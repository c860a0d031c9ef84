import ClusterModel
import FlowModel

/// An index of cluster objects by name, which complements the inventory's index by address.
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
        /// The ports of its containers that have a name.
        var namedPorts: [NamedPort]
    }

    /// A backend of a service.
    struct Backend: Sendable, Hashable {
        /// The address.
        var address: IPAddress
        /// The port; nil for all.
        var port: NamedPort?
        /// Whether it gets new connections.
        var readiness = ServiceEndpoints.Readiness.ready
    }

    /// The endpoints in an EndpointSlice or Endpoints object.
    private struct Slice: Sendable {
        /// The service, as `NAMESPACE/NAME`.
        var service: String
        var groups: [ServiceEndpoints.Group]
    }

    private struct SliceName: Hashable, Sendable {
        var kind: ObjectKind
        var key: String
    }

    private var pods = NamedObjects<String, PodEntry>()
    private var services = NamedObjects<String, Service>()
    private var nodes = NamedObjects<String, [IPAddress]>()
    private var slices: [ObjectKind: NamedObjects<String, Slice>] = [:]
    /// The objects with endpoints of each service.
    private var slicesOfService: [String: Set<SliceName>] = [:]
    private var knownNamespaces = NamedObjects<String, Void>()
    private var policies: [ObjectKind: NamedObjects<ObjectReference, Void>] = [:]

    /// Applies changes in order.
    mutating func apply(_ changes: [ClusterChange], from source: SourceID) {
        for change in changes {
            switch change {
            case .upsert(let object): upsert(object, source)
            case .delete(let reference, let uid): remove(reference, uid, source)
            case .beginReplace(let kind): beginReplace(kind, source)
            case .endReplace(let kind): endReplace(kind, source)
            case .forget(let kind):
                beginReplace(kind, source)
                endReplace(kind, source)
            }
        }
    }

    private mutating func upsert(_ object: ClusterObject, _ source: SourceID) {
        let metadata = object.metadata
        let (key, uid) = (Self.key(metadata.namespace, metadata.name), metadata.uid)
        switch object {
        case .pod(let pod):
            let entry = PodEntry(
                addresses: pod.addresses,
                node: pod.node,
                usesHostNetwork: pod.usesHostNetwork,
                hasEnded: pod.phase == .ended,
                namedPorts: pod.namedPorts
            )
            pods.set(key, uid: uid, entry, source)
        case .service(let service): services.set(key, uid: uid, service, source)
        case .node(let node): nodes.set(metadata.name, uid: uid, node.addresses, source)
        case .serviceEndpoints(let endpoints):
            // An object can lose the label that names its service.
            guard let service = endpoints.service else { return remove(object.reference, nil, source) }
            let slice = Slice(service: Self.key(metadata.namespace, service), groups: endpoints.groups)
            let name = SliceName(kind: object.reference.kind, key: key)
            let old = slices[name.kind, default: NamedObjects()].set(key, uid: uid, slice, source)
            if let old, old.service != slice.service { unlink(name, old) }
            slicesOfService[slice.service, default: []].insert(name)
        case .namespace: knownNamespaces.set(metadata.name, uid: uid, (), source)
        default:
            let reference = object.reference
            guard reference.kind.isOfPolicies else { return }
            policies[reference.kind, default: NamedObjects()].set(reference, uid: uid, (), source)
        }
    }

    private mutating func remove(_ reference: ObjectReference, _ uid: String?, _ source: SourceID) {
        let key = Self.key(reference.namespace, reference.name)
        switch reference.kind {
        case .pod: pods.remove(key, uid: uid, source)
        case .service: services.remove(key, uid: uid, source)
        case .node: nodes.remove(reference.name, uid: uid, source)
        case .endpointSlice, .endpoints:
            let gone = slices[reference.kind]?.remove(key, uid: uid, source)
            if let gone { unlink(SliceName(kind: reference.kind, key: key), gone) }
        case .namespace: knownNamespaces.remove(reference.name, uid: uid, source)
        default: policies[reference.kind]?.remove(reference, uid: uid, source)
        }
    }

    private mutating func beginReplace(_ kind: ObjectKind, _ source: SourceID) {
        switch kind {
        case .pod: pods.beginReplace(source)
        case .service: services.beginReplace(source)
        case .node: nodes.beginReplace(source)
        case .endpointSlice, .endpoints: slices[kind, default: NamedObjects()].beginReplace(source)
        case .namespace: knownNamespaces.beginReplace(source)
        default:
            guard kind.isOfPolicies else { return }
            policies[kind, default: NamedObjects()].beginReplace(source)
        }
    }

    private mutating func endReplace(_ kind: ObjectKind, _ source: SourceID) {
        switch kind {
        case .pod: pods.endReplace(source)
        case .service: services.endReplace(source)
        case .node: nodes.endReplace(source)
        case .endpointSlice, .endpoints:
            for (key, gone) in slices[kind]?.endReplace(source) ?? [] { unlink(SliceName(kind: kind, key: key), gone) }
        case .namespace: knownNamespaces.endReplace(source)
        default: policies[kind]?.endReplace(source)
        }
    }

    /// Removes an object from the endpoints of its service, unless another source's object of the same name belongs to the
    /// service.
    private mutating func unlink(_ name: SliceName, _ slice: Slice) {
        guard slices[name.kind]?[name.key]?.service != slice.service else { return }
        slicesOfService[slice.service]?.remove(name)
        if slicesOfService[slice.service]?.isEmpty == true { slicesOfService[slice.service] = nil }
    }

    private static func key(_ namespace: String?, _ name: String) -> String {
        "\(namespace ?? "default")/\(name)"
    }

    // MARK: Queries

    /// The pod with the name `NAMESPACE/POD`; nil if unknown.
    func pod(_ name: String) -> PodEntry? { pods[name] }

    /// The names of all services as `NAMESPACE/NAME`.
    var allServices: [String] { services.names.union(slicesOfService.keys).sorted() }

    /// All pods by their names as `NAMESPACE/POD`.
    var allPods: [String: PodEntry] { pods.all }

    /// The source of a policy, tier or network set; nil if there is none of this name.
    func source(of object: ObjectReference) -> SourceID? { policies[object.kind]?.source(of: object) }

    /// All policies, tiers and network sets, in no order.
    var policyObjects: [ObjectReference] { policies.values.flatMap(\.names) }

    /// The names of all namespaces.
    var namespaces: Set<String> { knownNamespaces.names }

    /// Policy objects in namespaces that do not exist; empty if no namespaces are known.
    ///
    /// `default` and the namespaces of Kubernetes itself always exist.
    var withoutNamespace: [ObjectReference] {
        let namespaces = namespaces
        guard !namespaces.isEmpty else { return [] }
        let known = namespaces.union(["default", "kube-system", "kube-public", "kube-node-lease"])
        return policyObjects.filter { $0.kind.isNamespaced && !known.contains($0.namespace ?? "default") }
    }

    /// Whether the endpoints of any service are known.
    var hasServiceEndpoints: Bool { !slicesOfService.isEmpty }

    /// Whether a service with the name `NAMESPACE/NAME` exists.
    func isService(_ name: String) -> Bool { services[name] != nil || slicesOfService[name] != nil }

    /// The service with the name `NAMESPACE/NAME`; nil also if only its endpoints are known.
    func service(_ name: String) -> Service? { services[name] }

    /// The addresses of a node; none if it is unknown.
    func addresses(ofNode name: String) -> [IPAddress] { nodes[name] ?? [] }

    /// The nodes by their addresses.
    var nodesByAddress: [IPAddress: String] {
        let pairs = nodes.all.flatMap { name, addresses in addresses.map { ($0, name) } }
        return Dictionary(pairs) { min($0, $1) }
    }

    /// The backends of the service `NAMESPACE/NAME`, ascending.
    func backends(of service: String) -> [Backend] {
        let groups = (slicesOfService[service] ?? []).flatMap { slices[$0.kind]?[$0.key]?.groups ?? [] }
        let backends = groups.flatMap { group in
            let ports: [NamedPort?] = group.ports.isEmpty ? [nil] : group.ports
            return group.addresses.flatMap { address in
                let readiness = group.readiness(of: address)
                return ports.map { Backend(address: address, port: $0, readiness: readiness) }
            }
        }
        return Set(backends).sorted {
            ($0.address.value, $0.port?.port ?? 0, $0.readiness.rawValue)
                < ($1.address.value, $1.port?.port ?? 0, $1.readiness.rawValue)
        }
    }

    /// The ports of the backends of the service `NAMESPACE/NAME`, each once.
    func backendPorts(of service: String) -> [NamedPort] {
        Set(backends(of: service).compactMap(\.port)).sorted { ($0.port, $0.name ?? "") < ($1.port, $1.name ?? "") }
    }

    /// The services `NAMESPACE/NAME` by the addresses of their own.
    var servicesByAddress: [IPAddress: String] {
        let pairs = services.all.flatMap { name, service in service.addresses.map { ($0, name) } }
        return Dictionary(pairs) { min($0, $1) }
    }

    /// The backends of a port of the service `NAMESPACE/NAME`, ascending.
    ///
    /// - Parameters:
    ///   - service: the name.
    ///   - port: the port of the service; nil if it is called at the ports of its backends.
    ///   - number: the destination port number; nil if unknown.
    ///   - proto: the protocol.
    /// - Returns: the addresses of the backends, each with the port that receives the connection, once, with the best
    ///   readiness that is known of it.
    func backends(
        of service: String,
        port: Service.Port?,
        calledAt number: UInt16?,
        proto: IPProtocol
    ) -> [Backend] {
        var seen: Set<Backend> = []
        return backends(of: service).sorted { $0.readiness.rawValue < $1.readiness.rawValue }.compactMap {
            one -> Backend? in
            var backend = one
            if !proto.hasPorts || port == nil {
                // The connection goes to a port of the backends, and the service's definition may not list all of them.
                backend.port = number.map { NamedPort(name: nil, port: $0, proto: proto) }
            } else if let own = backend.port, own.proto != proto || own.name != port?.name {
                return nil
            }
            return seen.insert(Backend(address: backend.address, port: backend.port)).inserted ? backend : nil
        }.sorted { ($0.address.value, $0.port?.port ?? 0) < ($1.address.value, $1.port?.port ?? 0) }
    }

    /// The addresses of services: their own, and the addresses of nodes if a service has a node port.
    var serviceAddresses: Set<IPAddress> {
        let services = services.all.values
        let own = Set(services.flatMap(\.addresses))
        let hasNodePort = services.contains { $0.ports.contains { $0.nodePort != nil } }
        return hasNodePort ? own.union(nodes.all.values.flatMap(\.self)) : own
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
        for name in pods.names {
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
        pods.names.filter { $0.hasPrefix(namespace + "/") }.map { pod in
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
