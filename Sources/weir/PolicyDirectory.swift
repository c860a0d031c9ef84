import ClusterModel
import FlowModel

/// What the objects of a cluster are called, which the inventory does not keep: it knows them by address.
///
/// An object that is gone may stay here; the inventory has the last word on who owns an address.
struct PolicyDirectory: Sendable {
    /// What is kept of a pod.
    struct PodEntry: Sendable {
        /// Its addresses.
        var addresses: [IPAddress]
        /// Whether they are its node's.
        var usesHostNetwork: Bool
        /// Whether they may be another's by now.
        var hasEnded: Bool
    }

    /// What answers for a service.
    struct Backend: Sendable, Hashable {
        /// The address.
        var address: IPAddress
        /// The port; nil for all.
        var port: NamedPort?
    }

    private var pods: [String: PodEntry] = [:]
    private var services: Set<String> = []
    private var endpoints: [String: [ObjectReference: [ServiceEndpoints.Group]]] = [:]
    private(set) var namespaces: Set<String> = []
    /// Who told each policy, tier and network set last.
    private(set) var policyObjects: [ObjectReference: SourceID] = [:]

    /// Takes changes in order.
    mutating func apply(_ changes: [ClusterChange], from source: SourceID) {
        for change in changes {
            switch change {
            case .upsert(let object): upsert(object, source)
            case .delete(let reference, _): remove(reference)
            case .beginReplace, .endReplace: break
            }
        }
    }

    private mutating func upsert(_ object: ClusterObject, _ source: SourceID) {
        switch object {
        case .pod(let pod):
            pods[Self.key(pod.metadata.namespace, pod.metadata.name)] = PodEntry(
                addresses: pod.addresses,
                usesHostNetwork: pod.usesHostNetwork,
                hasEnded: pod.phase == .ended
            )
        case .service(let service): services.insert(Self.key(service.metadata.namespace, service.metadata.name))
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
        case .service: services.remove(Self.key(reference.namespace, reference.name))
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

    /// The pod of a name, as `NAMESPACE/POD`.
    func pod(_ name: String) -> PodEntry? { pods[name] }

    /// Whether a service has a name, as `NAMESPACE/NAME`.
    func isService(_ name: String) -> Bool { services.contains(name) }

    /// What answers for a service, by its name as `NAMESPACE/NAME`, ascending.
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

    /// Names of pods that somebody who writes a name may mean, the nearest first.
    ///
    /// Compares with every pod there is: for people.
    func names(near text: String) -> [String] {
        let parts = text.split(separator: "/", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return [] }
        let wanted = text.utf8
        // A name from a record ends in an asterisk.
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

    /// The pods of a namespace, those that begin most like a name the nearest.
    private func namesakes(of name: String, in namespace: String) -> [(name: String, distance: Int)] {
        pods.keys.filter { $0.hasPrefix(namespace + "/") }.map { pod in
            (pod, -pod.utf8.dropFirst(namespace.utf8.count + 1).commonPrefixCount(name.utf8))
        }
    }
}

extension Sequence<UInt8> {
    /// How many bytes both begin with.
    fileprivate func commonPrefixCount(_ other: some Sequence<UInt8>) -> Int {
        zip(self, other).prefix { $0 == $1 }.count
    }
}

extension ObjectKind {
    /// Whether it is a policy of any kind.
    var isPolicy: Bool {
        switch self {
        case .networkPolicy, .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy,
            .calicoNetworkPolicy, .globalNetworkPolicy, .stagedNetworkPolicy, .stagedGlobalNetworkPolicy,
            .stagedKubernetesNetworkPolicy:
            true
        default: false
        }
    }

    /// Whether it is a policy, a tier or a network set: what somebody writes who writes policies.
    var isOfPolicies: Bool {
        isPolicy || self == .tier || self == .networkSet || self == .globalNetworkSet
    }
}
