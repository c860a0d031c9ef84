import ClusterModel
import FlowModel

/// Evaluates the policies of an endpoint again, without optimization, and records the reasons.
struct Explaining {
    let query: PolicyQuery
    let world: PolicyWorld
    let direction: FlowDirection
    let subject: EndpointIdentity
    /// The hook where the policies are evaluated.
    var hook = PolicyHook.end

    /// The explanation of a trace.
    func explanation(_ trace: PolicyTrace) -> PolicyExplanation {
        let tiers = tiers()
        return PolicyExplanation(
            action: trace.action,
            enforced: hits(trace.enforced, tiers, isPending: false),
            pending: hits(trace.pending, tiers, isPending: true),
            tiers: tiers,
            dependsOnDomains: trace.dependsOnDomains
        )
    }

    private func tiers() -> [PolicyExplanation.Tier] {
        let labels = world.labels(subject)
        let scopes = [world.global, subject.namespace.flatMap { world.namespaced[$0] }].compactMap(\.self)
        let numbered = world.tables.selectors.numbered(labels)
        let members = scopes.flatMap(\.policies).filter {
            $0.policy.governs(direction, hook) && world.tables.selectors.holds($0.policy.selector, for: numbered)
        }
        var tiers: [PolicyExplanation.Tier] = []
        for member in members.sorted(by: ScopedPolicy.precedes) {
            let tier = world.tiers.tiers[member.tier]
            if tiers.last?.name != tier.name {
                tiers.append(
                    PolicyExplanation.Tier(name: tier.name, defaultAction: tier.defaultAction, policies: [])
                )
            }
            tiers[tiers.count - 1].policies.append(policy(member.policy))
        }
        return tiers
    }

    private func policy(_ policy: CompiledPolicy) -> PolicyExplanation.Policy {
        var rules: [PolicyExplanation.Rule] = []
        let draft = PolicyDraft.make(policy.object).0
        let drafts = (direction == .ingress ? draft?.ingress : draft?.egress) ?? []
        for (index, draft) in drafts.enumerated() {
            let check = CriterionCheck(query: query, world: world, rule: draft, direction: direction)
            let missing = draft.criteria.first { !check.holds($0) }
            let reasons = missing.map { [check.missing($0)] } ?? draft.criteria.map(\.description)
            rules.append(
                PolicyExplanation.Rule(
                    index: index,
                    path: draft.path,
                    action: draft.action,
                    matches: missing == nil,
                    reasons: reasons
                )
            )
            if missing == nil, draft.action != .log { break }
        }
        return PolicyExplanation.Policy(object: policy.reference, isStaged: policy.isStaged, rules: rules)
    }

    // MARK: - Texts

    /// A text for each tier that decides or has a default action, in order.
    var wordsOfDecidingTiers: [String] {
        let tiers = tiers().filter { tier in
            let policies = tier.policies.filter { !$0.isStaged }
            return !policies.isEmpty && (hook.hasDefaultAction || policies.contains { $0.decision != nil })
        }
        return tiers.map { words($0, isPending: false) }
    }

    private func hits(
        _ texts: [String],
        _ tiers: [PolicyExplanation.Tier],
        isPending: Bool
    ) -> [PolicyExplanation.Hit] {
        let applicable = tiers.filter { tier in isPending || tier.policies.contains { !$0.isStaged } }
        return texts.enumerated().map { index, text in
            let words = index < applicable.count ? words(applicable[index], isPending: isPending) : profileWords
            return PolicyExplanation.Hit(text: text, words: words)
        }
    }

    private func words(_ tier: PolicyExplanation.Tier, isPending: Bool) -> String {
        let policies = tier.policies.filter { isPending || !$0.isStaged }
        if let policy = policies.first(where: { $0.decision != nil }), let rule = policy.decision {
            let does =
                switch rule.action {
                case .allow: "allows"
                case .pass: "leaves it to the next tier"
                default: "denies"
                }
            let why = rule.reasons.isEmpty ? "it matches everything" : rule.reasons.joined(separator: "; ")
            return "tier \(tier.name): \(policy.object), rule \(rule.index) (\(rule.path)) \(does): \(why)"
        }
        let does = tier.defaultAction == .pass ? "leaves it to the next tier" : "denies"
        let missing = policies.map(missingWords).joined(separator: "; ")
        return "tier \(tier.name): no rule matches, and the default action \(does): \(missing)"
    }

    private func missingWords(_ policy: PolicyExplanation.Policy) -> String {
        let rules = policy.rules.filter { $0.action != .log }
        guard !rules.isEmpty else { return "\(policy.object) has no rules for \(direction)" }
        let shown = rules.prefix(5).map {
            "rule \($0.index) (\($0.path)) \($0.action.rawValue.lowercased()): \($0.reasons.joined())"
        }
        let more = rules.count > shown.count ? ["and \(rules.count - shown.count) more rules"] : []
        return "\(policy.object): " + (shown + more).joined(separator: ", ")
    }

    private var profileWords: String {
        switch ProfileOutcome(subject) {
        case .allowed(let name): "no tier decides, and profile \(name) allows everything"
        case .noMatch: "no tier decides, and none of the profiles has a rule: denied"
        case .none: "no tier decides, and the endpoint has no profile: denied"
        }
    }
}
