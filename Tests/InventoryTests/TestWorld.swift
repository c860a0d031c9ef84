import ClusterModel
import FlowModel
import Inventory

/// An inventory, its clock, and short forms of changes and queries.
struct TestWorld {
    static let source = SourceID(rawValue: 1)
    static let other = SourceID(rawValue: 2)
    static let second: Int64 = 1_000_000_000

    var inventory = Inventory(hostName: "node-1")
    var now: Int64 = 100 * second

    mutating func upsert(_ objects: ClusterObject..., from source: SourceID = source) {
        inventory.apply(objects.map { .upsert($0) }, from: source, at: now)
    }

    mutating func apply(_ changes: ClusterChange..., from source: SourceID = source) {
        inventory.apply(changes, from: source, at: now)
    }

    mutating func delete(
        _ kind: ObjectKind,
        _ name: String,
        in namespace: String? = nil,
        uid: String? = nil,
        from source: SourceID = source
    ) {
        apply(.delete(ObjectReference(kind: kind, namespace: namespace, name: name), uid: uid), from: source)
    }

    mutating func wait(seconds: Double) {
        now += Int64(seconds * Double(Self.second))
        inventory.expire(at: now)
    }

    /// Returns the present endpoint of an address, as text.
    mutating func endpoint(_ address: String, preferring namespace: String? = nil) -> String {
        inventory.snapshot().endpoint(at: ip(address), preferring: namespace).text
    }
}

/// Parses an address that is known to be valid.
func ip(_ text: String) -> IPAddress {
    IPAddress(text) ?? IPAddress(0, 0, 0, 0)
}

/// Parses a range that is known to be valid.
func net(_ text: String) -> IPPrefix? {
    IPPrefix(text)
}

func labels(_ text: String) -> [Label] {
    text.split(separator: ",").sorted()
        .map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return Label(key: String(parts[0]), value: parts.count > 1 ? String(parts[1]) : "")
        }
}

extension Endpoint {
    /// All that a record shows of it, as in `wep shop/frontend-1 frontend-* [app=frontend]`.
    var text: String {
        let place = namespace.map { "\($0)/" } ?? ""
        let shown = labels.map { " [\($0.labels.joined(separator: ","))]" } ?? ""
        return "\(kind.rawValue) \(place)\(name) \(aggregatedName)\(shown)"
    }
}

extension ServicePort {
    /// All that a record shows of it, as in `shop/cart http 80`.
    var text: String { "\(namespace)/\(name) \(portName ?? "-") \(port)" }
}

// MARK: - Objects

extension ClusterObject {
    static func pod(
        _ name: String,
        in namespace: String = "shop",
        at addresses: String...,
        uid: String? = nil,
        generateName: String? = nil,
        labels text: String = "",
        node: String? = nil,
        hostNetwork: Bool = false,
        phase: Pod.Phase = .live,
        serviceAccount: String? = nil,
        created: Int64? = nil,
        started: Int64? = nil,
        isDeleting: Bool = false,
        hasReleasedNetwork: Bool = false
    ) -> ClusterObject {
        .pod(
            Pod(
                metadata: ObjectMetadata(
                    name: name,
                    namespace: namespace,
                    uid: uid,
                    generateName: generateName,
                    labels: labels(text),
                    isDeleting: isDeleting,
                    created: created
                ),
                addresses: addresses.map(ip),
                node: node,
                usesHostNetwork: hostNetwork,
                phase: phase,
                serviceAccount: serviceAccount,
                started: started,
                hasReleasedNetwork: hasReleasedNetwork
            )
        )
    }

    static func node(
        _ name: String,
        at addresses: String...,
        labels text: String = "",
        podRanges: [String] = [],
        uid: String? = nil
    ) -> ClusterObject {
        .node(
            Node(
                metadata: ObjectMetadata(name: name, uid: uid, labels: labels(text)),
                addresses: addresses.map(ip),
                podRanges: podRanges.compactMap(net)
            )
        )
    }

    static func hostEndpoint(
        _ name: String,
        on node: String,
        at addresses: String...,
        labels text: String = "",
        created: Int64? = nil
    ) -> ClusterObject {
        .hostEndpoint(
            HostEndpoint(
                metadata: ObjectMetadata(name: name, labels: labels(text), created: created),
                node: node,
                addresses: addresses.map(ip)
            )
        )
    }

    static func networkSet(
        _ name: String,
        in namespace: String? = nil,
        nets: String...,
        labels text: String = "",
        uid: String? = nil
    ) -> ClusterObject {
        .networkSet(
            NetworkSet(
                metadata: ObjectMetadata(name: name, namespace: namespace, uid: uid, labels: labels(text)),
                nets: nets.compactMap(net)
            )
        )
    }

    static func service(
        _ name: String,
        in namespace: String = "shop",
        at addresses: String...,
        ports: [Service.Port],
        uid: String? = nil
    ) -> ClusterObject {
        .service(
            Service(
                metadata: ObjectMetadata(name: name, namespace: namespace, uid: uid),
                addresses: addresses.map(ip),
                ports: ports
            )
        )
    }

    static func endpoints(
        _ name: String,
        in namespace: String = "shop",
        of service: String?,
        at addresses: String...,
        port: UInt16,
        kind: ObjectKind = .endpointSlice
    ) -> ClusterObject {
        .serviceEndpoints(
            ServiceEndpoints(
                kind: kind,
                metadata: ObjectMetadata(name: name, namespace: namespace),
                service: service,
                groups: [.init(addresses: addresses.map(ip), ports: [NamedPort(port: port)])]
            )
        )
    }
}
