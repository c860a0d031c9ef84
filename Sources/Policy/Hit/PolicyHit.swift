/// The decision of one tier: the deciding rule, in the form of records.
///
/// For example, `0|platform|platform.default-pass|pass|1`.
public struct PolicyHit: Sendable, Hashable {
    /// The kind of a policy.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A Calico NetworkPolicy.
        case networkPolicy = "NetworkPolicy"
        /// A Calico GlobalNetworkPolicy.
        case globalNetworkPolicy = "GlobalNetworkPolicy"
        /// A Calico StagedNetworkPolicy.
        case stagedNetworkPolicy = "StagedNetworkPolicy"
        /// A Calico StagedGlobalNetworkPolicy.
        case stagedGlobalNetworkPolicy = "StagedGlobalNetworkPolicy"
        /// A Kubernetes NetworkPolicy.
        case kubernetesNetworkPolicy = "KubernetesNetworkPolicy"
        /// A Calico StagedKubernetesNetworkPolicy.
        case stagedKubernetesNetworkPolicy = "StagedKubernetesNetworkPolicy"
        /// A Kubernetes AdminNetworkPolicy (Calico 3.30 and 3.31).
        case adminNetworkPolicy = "KubernetesAdminNetworkPolicy"
        /// A Kubernetes BaselineAdminNetworkPolicy (Calico 3.30 and 3.31).
        case baselineAdminNetworkPolicy = "KubernetesBaselineAdminNetworkPolicy"
        /// A Kubernetes ClusterNetworkPolicy (from Calico 3.32 on).
        case clusterNetworkPolicy = "KubernetesClusterNetworkPolicy"
        /// A profile, which decides if no policy does.
        case profile = "Profile"
    }

    /// The action of a hit.
    public enum Action: String, Sendable, Hashable, CaseIterable {
        /// The connection is allowed.
        case allow
        /// The connection is denied.
        case deny
        /// The next tier decides.
        case pass
    }

    /// The tier of profiles.
    public static let profileTier = "__PROFILE__"
    /// The profile named in the hit if none of an endpoint's profiles decides.
    public static let noMatch = "__NO_MATCH__"
    /// The rule index of a tier's default action: no rule matched.
    public static let endOfTier = -1
    /// The rule index for an unknown rule.
    public static let unknownRule = -2
    /// The tier of hits derived from logging rules without a policy.
    public static let logTier = "nflog"
    /// The policy of hits derived from logging rules at the end of a tier, which do not name the last evaluated policy.
    public static let unknownEndOfTier = "end-of-tier"

    /// The index in the trace, from 0.
    public var index: Int
    /// The tier.
    public var tier: String
    /// The kind of the policy.
    public var kind: Kind
    /// The namespace of the policy; nil for kinds that are not namespaced.
    public var namespace: String?
    /// The name of the policy, with a tier prefix if it is stored or written with one.
    public var name: String
    /// The action.
    public var action: Action
    /// The rule index, from 0; ``endOfTier``; ``unknownRule``; or nil for records from before 2021.
    public var ruleIndex: Int?

    /// Takes all members.
    public init(
        index: Int,
        tier: String,
        kind: Kind,
        namespace: String? = nil,
        name: String,
        action: Action,
        ruleIndex: Int?
    ) {
        self.index = index
        self.tier = tier
        self.kind = kind
        self.namespace = namespace
        self.name = name
        self.action = action
        self.ruleIndex = ruleIndex
    }

    /// Whether the hit is the tier's default action, attributed to this policy.
    public var isEndOfTier: Bool { ruleIndex == Self.endOfTier }

    /// The text in the given format; four parts if there is no rule index.
    public func text(_ format: PolicyFormat) -> String {
        let rule = ruleIndex.map { "|\($0)" } ?? ""
        return "\(index)|\(tier)|\(namePart(format))|\(action.rawValue)\(rule)"
    }

    /// The part that identifies the policy.
    func namePart(_ format: PolicyFormat) -> String {
        switch format {
        case .calico332: "\(kind.abbreviation):\(scope)\(name)"
        case .enterprise: enterpriseNamePart
        }
    }

    private var scope: String { namespace.map { "\($0)/" } ?? "" }

    private var enterpriseNamePart: String {
        switch kind {
        case .networkPolicy, .globalNetworkPolicy: "\(scope)\(tier).\(shortName)"
        case .stagedNetworkPolicy, .stagedGlobalNetworkPolicy: "\(scope)\(tier).staged:\(shortName)"
        case .kubernetesNetworkPolicy: "\(scope)knp.\(tier).\(name)"
        case .stagedKubernetesNetworkPolicy: "\(scope)staged:knp.\(tier).\(name)"
        // The older format predates ClusterNetworkPolicy, which is written like the kinds that it replaced.
        case .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy:
            "\(kind.abbreviation).\(tier).\(name)"
        case .profile: "\(tier).\(name)"
        }
    }

    /// The sort key among policies of the same tier and order (Calico, `felix/calc/policy_sorter.go`).
    ///
    /// From 3.32 on, it is name, namespace and kind. Before, it is the full name in the older data model, which equals
    /// the name in hits except for Calico's staged policies: these have `staged:` before the tier.
    func tieBreaker(_ format: PolicyFormat) -> String {
        switch (format, kind) {
        case (.calico332, _): "\(name)/\(namespace ?? "")/\(kind.rawValue)"
        case (.enterprise, .stagedNetworkPolicy), (.enterprise, .stagedGlobalNetworkPolicy):
            "\(scope)staged:\(tier).\(shortName)"
        case (.enterprise, _): enterpriseNamePart
        }
    }

    /// The name without the tier prefix.
    private var shortName: Substring {
        name.hasPrefix("\(tier).") ? name.dropFirst(tier.count + 1) : name[...]
    }
}

extension PolicyHit.Kind {
    /// Whether policies of the kind are namespaced.
    public var isNamespaced: Bool {
        switch self {
        case .networkPolicy, .stagedNetworkPolicy, .kubernetesNetworkPolicy, .stagedKubernetesNetworkPolicy: true
        default: false
        }
    }

    /// Whether policies of the kind are staged.
    public var isStaged: Bool {
        switch self {
        case .stagedNetworkPolicy, .stagedGlobalNetworkPolicy, .stagedKubernetesNetworkPolicy: true
        default: false
        }
    }

    /// The abbreviation before the colon in hits from Calico 3.32 on.
    ///
    /// `kanp` and `kbanp` were removed before 3.32; they are written in the same way.
    var abbreviation: String {
        switch self {
        case .networkPolicy: "np"
        case .globalNetworkPolicy: "gnp"
        case .stagedNetworkPolicy: "snp"
        case .stagedGlobalNetworkPolicy: "sgnp"
        case .kubernetesNetworkPolicy: "knp"
        case .stagedKubernetesNetworkPolicy: "sknp"
        case .adminNetworkPolicy: "kanp"
        case .baselineAdminNetworkPolicy: "kbanp"
        case .clusterNetworkPolicy: "kcnp"
        case .profile: "pro"
        }
    }

    /// The tiers that policies of the kind can be in; nil for any tier except that of profiles.
    var tiers: [String]? {
        switch self {
        case .kubernetesNetworkPolicy, .stagedKubernetesNetworkPolicy: [BuiltInTier.defaultTier]
        case .adminNetworkPolicy: [BuiltInTier.admin]
        case .baselineAdminNetworkPolicy: [BuiltInTier.baselineAdmin]
        case .clusterNetworkPolicy: [BuiltInTier.kubeAdmin, BuiltInTier.kubeBaseline]
        case .profile: [PolicyHit.profileTier]
        default: nil
        }
    }
}
