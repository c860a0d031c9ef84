public import FlowModel

/// An AdminNetworkPolicy, a BaselineAdminNetworkPolicy or a ClusterNetworkPolicy (`policy.networking.k8s.io`).
public struct AdminPolicy: Sendable, Hashable {
    /// Whether the policy is evaluated before or after the policies of namespaces.
    public enum Tier: String, Sendable, Hashable {
        /// Evaluated before: AdminNetworkPolicy, and ClusterNetworkPolicy of this tier.
        case admin = "Admin"
        /// Evaluated after: BaselineAdminNetworkPolicy, and ClusterNetworkPolicy of this tier.
        case baseline = "Baseline"
    }

    /// The pods that a policy applies to.
    public enum Subject: Sendable, Hashable {
        /// All pods of the selected namespaces.
        case namespaces(LabelSelector)
        /// The selected pods of the selected namespaces.
        case pods(namespaces: LabelSelector, pods: LabelSelector)
        /// The subject has no known form; the policy applies to no pods.
        case unknown
    }

    /// The kind: one of the three.
    public var kind: ObjectKind
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The tier.
    public var tier: Tier
    /// The priority in the tier, 0 to 1000, the lowest first; 0 for the single BaselineAdminNetworkPolicy.
    public var priority: Int
    /// The pods that the policy applies to; it never applies to pods on the host's network.
    public var subject: Subject
    /// The ingress rules, in order; without rules the policy does not affect ingress.
    public var ingress: [AdminPolicyRule]
    /// The egress rules, in order; without rules the policy does not affect egress.
    public var egress: [AdminPolicyRule]
    /// Members that the API does not define.
    public var unknownFields: UnknownFields

    /// Takes all members.
    public init(
        kind: ObjectKind,
        metadata: ObjectMetadata,
        tier: Tier,
        priority: Int,
        subject: Subject,
        ingress: [AdminPolicyRule] = [],
        egress: [AdminPolicyRule] = [],
        unknownFields: UnknownFields = UnknownFields()
    ) {
        self.kind = kind
        self.metadata = metadata
        self.tier = tier
        self.priority = priority
        self.subject = subject
        self.ingress = ingress
        self.egress = egress
        self.unknownFields = unknownFields
    }
}

/// A rule of an ``AdminPolicy``.
public struct AdminPolicyRule: Sendable, Hashable {
    /// The action of a rule on the connections that it matches.
    public enum Action: String, Sendable, Hashable {
        /// Allows the connection (`Accept`; `Allow` before v1alpha2).
        case accept = "Accept"
        /// Denies the connection.
        case deny = "Deny"
        /// Passes the connection to the next tier.
        case pass = "Pass"
    }

    /// The name, for people; nil if there is none.
    public var name: String?
    /// The action.
    public var action: Action
    /// The peers (`from`, `to`); one must match.
    ///
    /// Without peers the rule matches nothing.
    public var peers: [AdminPolicyPeer]
    /// The ports (`ports`, from v1alpha2 `protocols`); one must match.
    ///
    /// Nil if the field is absent, empty for an empty list; both match every protocol and port.
    public var ports: [PolicyPort]?

    /// Takes all members.
    public init(name: String? = nil, action: Action, peers: [AdminPolicyPeer], ports: [PolicyPort]? = nil) {
        self.name = name
        self.action = action
        self.peers = peers
        self.ports = ports
    }
}

/// The peer of a connection.
public enum AdminPolicyPeer: Sendable, Hashable {
    /// All pods of the selected namespaces.
    case namespaces(LabelSelector)
    /// The selected pods of the selected namespaces.
    case pods(namespaces: LabelSelector, pods: LabelSelector)
    /// The addresses of the selected nodes.
    case nodes(LabelSelector)
    /// Ranges of addresses; unreadable ranges are left out.
    case networks([IPPrefix])
    /// Domain names; `*.` in front matches all subdomains.
    case domainNames([String])
    /// A kind of peer that Weir does not support.
    ///
    /// A rule that accepts then matches nothing; a rule that denies or passes denies everything.
    case unknown
}
