/// A Calico Tier.
public struct Tier: Sendable, Hashable {
    /// The action for traffic that no rule of a tier decides.
    public enum DefaultAction: String, Sendable, Hashable {
        /// Denies the traffic.
        case deny = "Deny"
        /// Passes the traffic to the next tier.
        case pass = "Pass"
    }

    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The order among the tiers, the lowest first (`spec.order`); nil for the last.
    public var order: Double?
    /// The action for traffic of endpoints that the tier's policies select but do not decide.
    public var defaultAction: DefaultAction
    /// Members that the API does not define.
    public var unknownFields: UnknownFields

    /// Takes all members.
    public init(
        metadata: ObjectMetadata,
        order: Double? = nil,
        defaultAction: DefaultAction = .deny,
        unknownFields: UnknownFields = UnknownFields()
    ) {
        self.metadata = metadata
        self.order = order
        self.defaultAction = defaultAction
        self.unknownFields = unknownFields
    }
}

/// A Calico policy: NetworkPolicy, GlobalNetworkPolicy, or a staged one of these.
///
/// Selectors are kept as text.
public struct CalicoPolicy: Sendable, Hashable {
    /// The kind: one of the four.
    public var kind: ObjectKind
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The tier (`spec.tier`).
    public var tier: String
    /// The order among the policies of the tier, the lowest first (`spec.order`); nil for the last.
    public var order: Double?
    /// The selector of endpoints that the policy applies to; empty for all.
    public var selector: String
    /// The selector of their namespaces, for a global policy; empty for all.
    public var namespaceSelector: String
    /// The selector of their service accounts; empty for all.
    public var serviceAccountSelector: String
    /// The directions that the policy applies to: `types`; if that is empty, those with rules, or ingress without rules.
    public var directions: PolicyDirections
    /// The ingress rules, in order.
    public var ingress: [CalicoRule]
    /// The egress rules, in order.
    public var egress: [CalicoRule]
    /// Whether it applies before connection tracking (global policies on host endpoints).
    public var doNotTrack: Bool
    /// Whether it applies before destination NAT (global policies on host endpoints).
    public var preDNAT: Bool
    /// Whether it also applies to traffic that a host endpoint forwards.
    public var applyOnForward: Bool
    /// The staged action; nil for an enforced policy.
    public var stagedAction: StagedAction?
    /// Members that the API does not define.
    public var unknownFields: UnknownFields

    /// Takes all members.
    public init(
        kind: ObjectKind,
        metadata: ObjectMetadata,
        tier: String = "default",
        order: Double? = nil,
        selector: String = "",
        namespaceSelector: String = "",
        serviceAccountSelector: String = "",
        directions: PolicyDirections = .ingress,
        ingress: [CalicoRule] = [],
        egress: [CalicoRule] = [],
        doNotTrack: Bool = false,
        preDNAT: Bool = false,
        applyOnForward: Bool = false,
        stagedAction: StagedAction? = nil,
        unknownFields: UnknownFields = UnknownFields()
    ) {
        self.kind = kind
        self.metadata = metadata
        self.tier = tier
        self.order = order
        self.selector = selector
        self.namespaceSelector = namespaceSelector
        self.serviceAccountSelector = serviceAccountSelector
        self.directions = directions
        self.ingress = ingress
        self.egress = egress
        self.doNotTrack = doNotTrack
        self.preDNAT = preDNAT
        self.applyOnForward = applyOnForward
        self.stagedAction = stagedAction
        self.unknownFields = unknownFields
    }
}
