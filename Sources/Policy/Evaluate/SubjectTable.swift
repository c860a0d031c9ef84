import ClusterModel
import FlowModel

/// The inputs of a subject table; subjects with equal keys share a table.
struct SubjectKey: Sendable, Hashable {
    /// The direction.
    var direction: FlowDirection
    /// The hook where the policies are evaluated.
    var hook: PolicyHook
    /// ``TierOrder/number``.
    var tiers: UInt64
    /// ``CompiledPolicy/number`` of the applicable policies, in order.
    var policies: [UInt32]
    /// The result if no policy decides.
    var profiles: ProfileOutcome
}

/// The result of an endpoint's profiles.
enum ProfileOutcome: Sendable, Hashable {
    /// A profile allows both directions with its first rule.
    case allowed(by: String)
    /// There are profiles, but none has a matching rule.
    case noMatch
    /// There are no profiles.
    case none

    /// The outcome for an endpoint.
    ///
    /// `kns.…` and `projectcalico-default-allow` allow everything; `ksa.…` has only labels.
    init(_ identity: EndpointIdentity) {
        var profiles = identity.profiles
        if identity.kind == .workload {
            profiles = identity.namespace.map { ["kns.\($0)"] } ?? []
        }
        if let name = profiles.first(where: { $0.hasPrefix("kns.") || $0 == "projectcalico-default-allow" }) {
            self = .allowed(by: name)
        } else {
            self = profiles.isEmpty ? .none : .noMatch
        }
    }
}

/// The policies that apply to a group of endpoints in one direction, in order of evaluation.
struct SubjectTable: Sendable {
    /// The policies of one tier.
    struct Stretch: Sendable {
        /// The tier.
        var tier: TierOrder.Entry
        /// The range of its policies in ``SubjectTable/policies``.
        var policies: Range<Int>
        /// The last enforced policy, which is named in the hit of the tier's default action.
        ///
        /// Nil if the tier has no enforced policy.
        var lastEnforced: Int?
    }

    /// The inputs of the table.
    let key: SubjectKey
    /// The policies in order.
    let policies: [CompiledPolicy]
    /// The tiers in order.
    let stretches: [Stretch]
    /// The result if no policy decides.
    let profiles: ProfileOutcome
    /// The format of hits.
    let format: PolicyFormat
    /// Whether any policy is staged.
    let hasStaged: Bool
    /// For each policy, the number of its first rule among all rules of the table.
    let firstRules: [UInt32]
    /// Ascending ports; all ports between two bounds have the same result for rules with port numbers.
    let portBounds: [UInt16]
    /// The root of its decision paths (``TraceTrie``).
    let root: UInt32
    /// Rule lists by protocol and port interval, created on first use.
    var lists = IntegerMap()

    init(_ key: SubjectKey, _ members: [ScopedPolicy], _ world: PolicyWorld, root: UInt32) {
        self.key = key
        self.root = root
        format = world.format
        policies = members.map(\.policy)
        profiles = key.profiles
        hasStaged = policies.contains { $0.isStaged }
        var stretches: [Stretch] = []
        var firstRules: [UInt32] = []
        var bounds: Set<UInt16> = []
        var rules: UInt32 = 0
        for (index, member) in members.enumerated() {
            if index == 0 || members[index - 1].tier != member.tier {
                stretches.append(Stretch(tier: world.tiers.tiers[member.tier], policies: index..<index))
            }
            stretches[stretches.count - 1].policies = stretches[stretches.count - 1].policies.lowerBound..<(index + 1)
            if !member.policy.isStaged { stretches[stretches.count - 1].lastEnforced = index }
            firstRules.append(rules)
            let own = member.policy.rules(key.direction) ?? []
            rules += UInt32(own.count)
            Self.addBounds(own, world.tables, &bounds)
        }
        self.stretches = stretches
        self.firstRules = firstRules
        portBounds = bounds.sorted()
    }

    private static func addBounds(_ rules: [CompiledRule], _ tables: RuleTables, _ bounds: inout Set<UInt16>) {
        for rule in rules {
            for criterion in rule.criteria where criterion.kind == .ports && criterion.side == .destination {
                for range in tables.ports[Int(criterion.value)].ranges {
                    bounds.insert(range.lowerBound)
                    if range.upperBound < .max { bounds.insert(range.upperBound + 1) }
                }
            }
        }
    }

    /// The key of the rule list for a protocol and destination port.
    func listKey(_ proto: IPProtocol, _ port: UInt16) -> UInt64 {
        guard proto.hasPorts else { return UInt64(proto.rawValue) }
        var low = 0
        var high = portBounds.count
        while low < high {
            let middle = (low + high) >> 1
            if portBounds[middle] <= port { low = middle + 1 } else { high = middle }
        }
        return UInt64(proto.rawValue) | UInt64(low) << 8
    }
}

/// The rules of a table that can match a protocol and an interval of destination ports, with their remaining criteria.
struct RuleList: Sendable {
    /// A rule.
    struct Entry: Sendable {
        /// The number of the rule in the table.
        var rule: UInt32
        /// The index of its first criterion.
        var criteria: UInt32
        /// The index of its tier in the table.
        var stretch: UInt32
        /// The number of criteria.
        var count: UInt16
        /// The action of the rule.
        var action: CalicoRule.Action
        /// Whether its policy is staged.
        var isStaged: Bool
    }

    /// The rules in order.
    private(set) var entries: [Entry] = []
    /// The criteria of the rules.
    private(set) var criteria: [PackedCriterion] = []

    /// The memory size in bytes.
    var size: Int { entries.count * MemoryLayout<Entry>.stride + criteria.count * MemoryLayout<PackedCriterion>.stride }

    /// Collects the rules of a table for a protocol, and for a port that represents its interval.
    init(_ table: SubjectTable, _ tables: RuleTables, _ proto: IPProtocol, _ port: UInt16) {
        for (place, stretch) in table.stretches.enumerated() {
            for index in stretch.policies {
                let policy = table.policies[index]
                for (number, rule) in (policy.rules(table.key.direction) ?? []).enumerated() where rule.action != .log {
                    guard let rest = Self.rest(rule.criteria, tables, proto, port) else { continue }
                    entries.append(
                        Entry(
                            rule: table.firstRules[index] + UInt32(number),
                            criteria: UInt32(criteria.count),
                            stretch: UInt32(place),
                            count: UInt16(rest.count),
                            action: rule.action,
                            isStaged: policy.isStaged
                        )
                    )
                    criteria += rest
                }
            }
        }
    }

    /// The criteria that remain after checking protocol and port; nil if these do not match.
    private static func rest(
        _ criteria: [PackedCriterion],
        _ tables: RuleTables,
        _ proto: IPProtocol,
        _ port: UInt16
    ) -> [PackedCriterion]? {
        var rest: [PackedCriterion] = []
        for criterion in criteria {
            switch criterion.kind {
            case .never: return nil
            case .proto:
                if (criterion.value == UInt32(proto.rawValue)) == criterion.isNegated { return nil }
            case .ports where criterion.side == .destination:
                let list = tables.ports[Int(criterion.value)]
                let hasNumber = proto.hasPorts && list.hasNumber(port)
                if hasNumber, criterion.isNegated { return nil }
                if hasNumber { continue }
                if !list.names.isEmpty, proto.hasPorts {
                    rest.append(criterion)
                } else if !criterion.isNegated {
                    return nil
                }
            default: rest.append(criterion)
            }
        }
        return rest
    }
}
