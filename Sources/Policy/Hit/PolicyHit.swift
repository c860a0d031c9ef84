/// What happened in one tier: the rule that decided, as a record names it
/// (`0|platform|platform.default-pass|pass|1`).
public struct PolicyHit: Sendable, Hashable {
    /// What a policy is.
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
        /// A profile: what holds where no policy decides.
        case profile = "Profile"
    }

    /// What was done.
    public enum Action: String, Sendable, Hashable, CaseIterable {
        /// Let through.
        case allow
        /// Dropped.
        case deny
        /// Left to the next tier.
        case pass
    }

    /// The tier of profiles.
    public static let profileTier = "__PROFILE__"
    /// The profile that is named where none of an endpoint's profiles decides.
    public static let noMatch = "__NO_MATCH__"
    /// The rule index of a tier's default action: no rule matched.
    public static let endOfTier = -1
    /// The rule index that stands for one that is not known.
    public static let unknownRule = -2
    /// The tier of hits that logging rules without a policy make.
    public static let logTier = "nflog"
    /// The policy of hits that logging rules make of the end of a tier: they do not say which policy was asked last.
    public static let unknownEndOfTier = "end-of-tier"

    /// The place in its trace, from 0.
    public var index: Int
    /// The tier.
    public var tier: String
    /// What the policy is.
    public var kind: Kind
    /// The policy's namespace; nil for kinds that are not in one.
    public var namespace: String?
    /// The policy's name, with its tier in front if it is stored or written so.
    public var name: String
    /// What was done.
    public var action: Action
    /// The rule, from 0; ``endOfTier``, ``unknownRule``, or nil in records from before 2021, which do not say.
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

    /// Whether it is the tier's default action, attributed to this policy.
    public var isEndOfTier: Bool { ruleIndex == Self.endOfTier }

    /// The text in a generation of the format; with four parts if the rule is not said.
    public func text(_ format: PolicyFormat) -> String {
        let rule = ruleIndex.map { "|\($0)" } ?? ""
        return "\(index)|\(tier)|\(namePart(format))|\(action.rawValue)\(rule)"
    }

    /// The part that names the policy.
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
        // The older generation ended before ClusterNetworkPolicy; it is written like the kinds it took the place of.
        case .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy:
            "\(kind.abbreviation).\(tier).\(name)"
        case .profile: "\(tier).\(name)"
        }
    }

    /// What orders its policy among those of the same tier and order (Calico, `felix/calc/policy_sorter.go`).
    ///
    /// From 3.32 on that is name, namespace and kind; before it is the full name of the older data model, which is that of
    /// hits but for staged policies of Calico: they have `staged:` in front of the tier.
    func tieBreaker(_ format: PolicyFormat) -> String {
        switch (format, kind) {
        case (.calico332, _): "\(name)/\(namespace ?? "")/\(kind.rawValue)"
        case (.enterprise, .stagedNetworkPolicy), (.enterprise, .stagedGlobalNetworkPolicy):
            "\(scope)staged:\(tier).\(shortName)"
        case (.enterprise, _): enterpriseNamePart
        }
    }

    /// The name without the tier in front.
    private var shortName: Substring {
        name.hasPrefix("\(tier).") ? name.dropFirst(tier.count + 1) : name[...]
    }
}

extension PolicyHit.Kind {
    /// Whether policies of the kind are in a namespace.
    public var isNamespaced: Bool {
        switch self {
        case .networkPolicy, .stagedNetworkPolicy, .kubernetesNetworkPolicy, .stagedKubernetesNetworkPolicy: true
        default: false
        }
    }

    /// Whether policies of the kind are not in force.
    public var isStaged: Bool {
        switch self {
        case .stagedNetworkPolicy, .stagedGlobalNetworkPolicy, .stagedKubernetesNetworkPolicy: true
        default: false
        }
    }

    /// What stands before the colon from Calico 3.32 on.
    ///
    /// `kanp` and `kbanp` ended before; they are written alike.
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

    /// The tiers that policies of the kind can be in; nil for any but that of profiles.
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
