import ClusterModel
import FlowModel
import Policy

/// Short ways to write endpoints, policies and connections.
enum Make {
    static func labels(_ pairs: [String: String]) -> [Label] {
        pairs.map { Label(key: $0.key, value: $0.value) }.sorted()
    }

    static func pod(
        _ name: String,
        _ namespace: String = "default",
        _ labels: [String: String] = [:],
        account: String? = nil,
        ports: [NamedPort] = []
    ) -> Endpoint {
        let identity = EndpointIdentity(
            kind: .workload,
            namespace: namespace,
            labels: Self.labels(labels),
            serviceAccount: account,
            namedPorts: ports
        )
        return Endpoint(
            kind: .workload,
            name: name,
            aggregatedName: name,
            namespace: namespace,
            identity: identity
        )
    }

    static func host(
        _ name: String,
        _ labels: [String: String] = [:],
        profiles: [String] = [],
        node: String? = nil
    ) -> Endpoint {
        let identity = EndpointIdentity(
            kind: .host,
            namespace: nil,
            labels: Self.labels(labels),
            profiles: profiles,
            node: node
        )
        return Endpoint(kind: .host, name: name, aggregatedName: name, identity: identity)
    }

    static let outside = Endpoint(kind: .network, name: "-", aggregatedName: "pub")

    static func metadata(_ name: String, _ namespace: String? = nil, _ labels: [String: String] = [:]) -> ObjectMetadata
    {
        ObjectMetadata(name: name, namespace: namespace, labels: Self.labels(labels))
    }

    static func namespace(_ name: String, _ labels: [String: String] = [:]) -> ClusterObject {
        .namespace(Namespace(metadata: metadata(name, nil, labels)))
    }

    static func tier(_ name: String, _ order: Double?, _ action: Tier.DefaultAction = .deny) -> ClusterObject {
        .tier(Tier(metadata: metadata(name), order: order, defaultAction: action))
    }

    static func policy(
        _ kind: ObjectKind,
        _ name: String,
        _ namespace: String? = nil,
        tier: String = "default",
        order: Double? = nil,
        selector: String = "",
        directions: PolicyDirections = [.ingress, .egress],
        ingress: [CalicoRule] = [],
        egress: [CalicoRule] = []
    ) -> ClusterObject {
        .calicoPolicy(
            CalicoPolicy(
                kind: kind,
                metadata: metadata(name, namespace),
                tier: tier,
                order: order,
                selector: selector,
                directions: directions,
                ingress: ingress,
                egress: egress
            )
        )
    }

    static func rule(_ action: CalicoRule.Action, from: String = "", to: String = "") -> CalicoRule {
        CalicoRule(action: action, source: EntityRule(selector: from), destination: EntityRule(selector: to))
    }

    static func tuple(
        _ source: String = "10.0.0.1",
        _ destination: String = "10.0.0.2",
        _ proto: IPProtocol = .tcp,
        from sourcePort: UInt16 = 40_000,
        to destinationPort: UInt16 = 80
    ) -> TrackedConnection.Tuple {
        TrackedConnection.Tuple(
            source: address(source),
            destination: address(destination),
            sourcePort: sourcePort,
            destinationPort: destinationPort,
            proto: proto
        )
    }

    static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
        return address
    }

    static func net(_ text: String) -> IPPrefix {
        guard let net = IPPrefix(text) else { preconditionFailure("\(text) is no range") }
        return net
    }

    static func snapshot(_ objects: [ClusterObject], _ format: PolicyFormat = .calico332) -> PolicySnapshot {
        var store = PolicyStore(format: format)
        store.apply(objects.map { .upsert($0) }, from: SourceID(rawValue: 1))
        return store.snapshot()
    }
}
