public import FlowModel

/// A Kubernetes NetworkPolicy (`networking.k8s.io/v1`).
public struct NetworkPolicy: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The specification.
    public var spec: NetworkPolicySpec
    /// Members that its API does not have.
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

/// A Calico StagedKubernetesNetworkPolicy: what a NetworkPolicy would do.
public struct StagedKubernetesPolicy: Sendable, Hashable {
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The specification.
    public var spec: NetworkPolicySpec
    /// The staged action.
    public var stagedAction: StagedAction
    /// Members that its API does not have.
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
    /// The pods of its namespace that it applies to; an empty selector selects them all.
    public var podSelector: LabelSelector
    /// The directions that it governs: `policyTypes`, or where that is empty ingress, and egress if there are rules for
    /// it.
    public var directions: PolicyDirections
    /// The rules of ingress; without any, nothing is allowed in.
    public var ingress: [NetworkPolicyRule]
    /// The rules of egress; without any, nothing is allowed out.
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

/// A rule of a NetworkPolicy: what it lets through.
public struct NetworkPolicyRule: Sendable, Hashable {
    /// The peers (`from`, `to`): any of these.
    ///
    /// Nil where nothing is written, and empty for an empty list: both mean any peer.
    public var peers: [NetworkPolicyPeer]?
    /// The ports (`ports`): any of these.
    ///
    /// Nil where nothing is written, and empty for an empty list: both mean every port.
    public var ports: [PolicyPort]?

    /// Takes all members.
    public init(peers: [NetworkPolicyPeer]? = nil, ports: [PolicyPort]? = nil) {
        self.peers = peers
        self.ports = ports
    }
}

/// The peer of a connection.
public enum NetworkPolicyPeer: Sendable, Hashable {
    /// Pods. Without a selector of namespaces those of the policy's own, without a selector of pods all of them; one of
    /// the two is there.
    case pods(namespaces: LabelSelector?, pods: LabelSelector?)
    /// Addresses.
    case block(IPBlock)
    /// None of the ways that there are to name a peer: it matches nothing.
    case unknown
}

/// A range of addresses with holes (`ipBlock`).
public struct IPBlock: Sendable, Hashable {
    /// The range; nil if it cannot be read, so that the block matches nothing.
    public var range: IPPrefix?
    /// Ranges within it that do not belong to it.
    public var except: [IPPrefix]

    /// Takes all members.
    public init(range: IPPrefix?, except: [IPPrefix] = []) {
        self.range = range
        self.except = except
    }
}
