public import FlowModel

/// A Kubernetes NetworkPolicy (`networking.k8s.io/v1`).
public struct NetworkPolicy: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The specification.
    public var spec: NetworkPolicySpec
    /// Members that the API does not define.
    public var unknownFields: UnknownFields

    /// Takes all members.
    public init(
        metadata: ObjectMetadata,
        spec: NetworkPolicySpec,
        unknownFields: UnknownFields = UnknownFields()
    ) {
        self.metadata = metadata
        self.spec = spec
        self.unknownFields = unknownFields
    }
}

/// A Calico StagedKubernetesNetworkPolicy: a NetworkPolicy that is not enforced yet.
public struct StagedKubernetesPolicy: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The specification.
    public var spec: NetworkPolicySpec
    /// The staged action.
    public var stagedAction: StagedAction
    /// Members that the API does not define.
    public var unknownFields: UnknownFields

    /// Takes all members.
    public init(
        metadata: ObjectMetadata,
        spec: NetworkPolicySpec,
        stagedAction: StagedAction = .set,
        unknownFields: UnknownFields = UnknownFields()
    ) {
        self.metadata = metadata
        self.spec = spec
        self.stagedAction = stagedAction
        self.unknownFields = unknownFields
    }
}

/// The specification of a NetworkPolicy (`spec`).
public struct NetworkPolicySpec: Sendable, Hashable {
    /// The pods of the policy's namespace that it applies to; an empty selector selects all of them.
    public var podSelector: LabelSelector
    /// The directions that the policy applies to: `policyTypes`; if that is empty, ingress, and egress if it has egress
    /// rules.
    public var directions: PolicyDirections
    /// The ingress rules; without rules, no ingress is allowed.
    public var ingress: [NetworkPolicyRule]
    /// The egress rules; without rules, no egress is allowed.
    public var egress: [NetworkPolicyRule]

    /// Takes all members.
    public init(
        podSelector: LabelSelector = LabelSelector(),
        directions: PolicyDirections = .ingress,
        ingress: [NetworkPolicyRule] = [],
        egress: [NetworkPolicyRule] = []
    ) {
        self.podSelector = podSelector
        self.directions = directions
        self.ingress = ingress
        self.egress = egress
    }
}

/// A rule of a NetworkPolicy, which allows connections.
public struct NetworkPolicyRule: Sendable, Hashable {
    /// The peers (`from`, `to`); one must match.
    ///
    /// Nil if the field is absent, empty for an empty list; both match any peer.
    public var peers: [NetworkPolicyPeer]?
    /// The ports (`ports`); one must match.
    ///
    /// Nil if the field is absent, empty for an empty list; both match every port.
    public var ports: [PolicyPort]?

    /// Takes all members.
    public init(peers: [NetworkPolicyPeer]? = nil, ports: [PolicyPort]? = nil) {
        self.peers = peers
        self.ports = ports
    }
}

/// The peer of a connection.
public enum NetworkPolicyPeer: Sendable, Hashable {
    /// Selected pods; at least one selector is set.
    ///
    /// Without a namespace selector, pods of the policy's namespace; without a pod selector, all pods.
    case pods(namespaces: LabelSelector?, pods: LabelSelector?)
    /// A range of addresses.
    case block(IPBlock)
    /// The peer has no known form; it matches nothing.
    case unknown
}

/// A range of addresses with exceptions (`ipBlock`).
public struct IPBlock: Sendable, Hashable {
    /// The range; nil if it is unreadable, so that the block matches nothing.
    public var range: IPPrefix?
    /// Ranges within it that are excluded.
    public var except: [IPPrefix]

    /// Takes all members.
    public init(range: IPPrefix?, except: [IPPrefix] = []) {
        self.range = range
        self.except = except
    }
}
