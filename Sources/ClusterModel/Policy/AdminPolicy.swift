public import FlowModel

/// An AdminNetworkPolicy, a BaselineAdminNetworkPolicy or a ClusterNetworkPolicy (`policy.networking.k8s.io`).
public struct AdminPolicy: Sendable, Hashable {
    /// Whether it is asked before or after the policies of the namespaces.
    public enum Tier: String, Sendable, Hashable {
        /// Before: AdminNetworkPolicy, and ClusterNetworkPolicy of this tier.
        case admin = "Admin"
        /// After: BaselineAdminNetworkPolicy, and ClusterNetworkPolicy of this tier.
        case baseline = "Baseline"
    }

    /// The pods that a policy applies to.
    public enum Subject: Sendable, Hashable {
        /// All pods of the selected namespaces.
        case namespaces(LabelSelector)
        /// The selected pods of the selected namespaces.
        case pods(namespaces: LabelSelector, pods: LabelSelector)
        /// None of the ways that there are to name them: it applies to nothing.
        case unknown
    }

    /// The kind, one of the three.
    public var kind: ObjectKind
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// Its tier.
    public var tier: Tier
    /// Its place in the tier, the lowest first, 0 to 1000; 0 for the one BaselineAdminNetworkPolicy.
    public var priority: Int
    /// The pods that it applies to; pods on the host's network are never among them.
    public var subject: Subject
    /// Rules for what comes in, in order; with none it says nothing of what comes in.
    public var ingress: [AdminPolicyRule]
    /// Rules for what goes out, in order; with none it says nothing of what goes out.
    public var egress: [AdminPolicyRule]
    /// Members that its API does not have.
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
        /// Lets it through (`Accept`; `Allow` before v1alpha2).
        case accept = "Accept"
        /// Drops it.
        case deny = "Deny"
        /// Leaves it to the next tier.
        case pass = "Pass"
    }

    /// Its name, for people; nil if it has none.
    public var name: String?
    /// The action.
    public var action: Action
    /// The peers (`from`, `to`): any of these; without peers the rule matches nothing.
    public var peers: [AdminPolicyPeer]
    /// The ports (`ports`, from v1alpha2 `protocols`): any of these.
    ///
    /// Nil where nothing is written, and empty for an empty list: both mean every protocol and port.
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
    /// Addresses; ranges that cannot be read are left out.
    case networks([IPPrefix])
    /// Domain names, `*.` in front for all below.
    case domainNames([String])
    /// A kind of peer that Weir does not support. A rule that accepts then matches nothing; one that denies or
    /// passes on denies everything.
    case unknown
}
