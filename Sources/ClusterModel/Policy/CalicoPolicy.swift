/// A Calico Tier.
public struct Tier: Sendable, Hashable {
    /// The action for traffic that no rule of a tier has decided.
    public enum DefaultAction: String, Sendable, Hashable {
        /// The traffic is dropped.
        case deny = "Deny"
        /// The next tier decides.
        case pass = "Pass"
    }

    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// Its place among the tiers, the lowest first (`spec.order`); nil for the last place.
    public var order: Double?
    /// The action on traffic of an endpoint that the tier's policies apply to and do not decide on.
    public var defaultAction: DefaultAction
    /// Members that its API does not have.
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
/// Selectors are kept as they are written.
public struct CalicoPolicy: Sendable, Hashable {
    /// The kind, one of the four.
    public var kind: ObjectKind
    /// The object's metadata.
    public var metadata: ObjectMetadata
    /// The tier it is in (`spec.tier`).
    public var tier: String
    /// Its place among the policies of its tier, the lowest first (`spec.order`); nil for the last place.
    public var order: Double?
    /// The endpoints that it applies to; empty for all.
    public var selector: String
    /// The namespaces of these, for a global policy; empty for all.
    public var namespaceSelector: String
    /// The service accounts of these; empty for all.
    public var serviceAccountSelector: String
    /// The directions that it governs: `types`, or where that is empty those with rules, and ingress if there are none.
    public var directions: PolicyDirections
    /// Rules for what comes in, in order.
    public var ingress: [CalicoRule]
    /// Rules for what goes out, in order.
    public var egress: [CalicoRule]
    /// Whether it comes before connection tracking (global policies on host endpoints).
    public var doNotTrack: Bool
    /// Whether it comes before destination NAT (global policies on host endpoints).
    public var preDNAT: Bool
    /// Whether it applies to what a host endpoint forwards, too.
    public var applyOnForward: Bool
    /// The staged action; nil for a policy that is in force.
    public var stagedAction: StagedAction?
    /// Members that its API does not have.
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
