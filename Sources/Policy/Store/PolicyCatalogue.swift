import ClusterModel

/// Tiers, policies and rules as texts, in order of evaluation.
package struct PolicyCatalogue: Sendable {
    /// A rule.
    package struct Rule: Sendable {
        /// Whether the rule is an ingress rule; otherwise it is an egress rule.
        package var isIngress: Bool
        /// The index among the rules of its direction, from 0, as in hits.
        package var index: Int
        /// The action for matching connections.
        package var action: PolicyHit.Action
        /// The criteria as a text, such as `protocol is tcp; destination port is 80`.
        package var text: String

        /// Takes all members.
        package init(isIngress: Bool, index: Int, action: PolicyHit.Action, text: String) {
            (self.isIngress, self.index, self.action, self.text) = (isIngress, index, action, text)
        }
    }

    /// A policy.
    package struct Policy: Sendable {
        /// The kind of the policy.
        package var kind: PolicyHit.Kind
        /// The namespace; nil for kinds that are not namespaced.
        package var namespace: String?
        /// The name in hits, with the tier prefix if hits include it.
        package var name: String
        /// The part of hits that identifies the policy, in the format of the snapshot.
        package var id: String
        /// The selector of the endpoints that it applies to.
        package var selector: String
        /// The rules that allow, deny or pass, ingress rules first.
        package var rules: [Rule]
        /// Whether the policy applies to connections that a host endpoint forwards: to these too, or to these alone.
        package var appliesOnForward: Bool

        /// Takes all members.
        package init(
            kind: PolicyHit.Kind,
            namespace: String?,
            name: String,
            id: String,
            selector: String,
            rules: [Rule],
            appliesOnForward: Bool = false
        ) {
            (self.kind, self.namespace, self.name, self.id) = (kind, namespace, name, id)
            (self.selector, self.rules, self.appliesOnForward) = (selector, rules, appliesOnForward)
        }
    }

    /// A tier.
    package struct Tier: Sendable {
        /// The name of the tier.
        package var name: String
        /// The action for connections that no policy of the tier decides.
        package var defaultAction: PolicyHit.Action
        /// The policies in order.
        package var policies: [Policy]

        /// Takes all members.
        package init(name: String, defaultAction: PolicyHit.Action, policies: [Policy]) {
            (self.name, self.defaultAction, self.policies) = (name, defaultAction, policies)
        }
    }

    /// The tiers with policies.
    package var tiers: [Tier]

    /// Takes tiers in order.
    package init(tiers: [Tier]) {
        self.tiers = tiers
    }
}

extension PolicySnapshot {
    /// All policies of existing tiers, as texts.
    package var catalogue: PolicyCatalogue {
        let members = ([world.global] + world.namespaced.values).flatMap(\.policies)
        var tiers = world.tiers.tiers.map {
            PolicyCatalogue.Tier(
                name: $0.name,
                defaultAction: $0.defaultAction == .pass ? .pass : .deny,
                policies: []
            )
        }
        for member in members.sorted(by: ScopedPolicy.precedes) {
            guard let draft = PolicyDraft.make(member.policy.object).0 else { continue }
            tiers[member.tier].policies.append(PolicyCatalogue.Policy(draft, world.format))
        }
        return PolicyCatalogue(tiers: tiers.filter { !$0.policies.isEmpty })
    }
}

extension PolicyCatalogue.Policy {
    fileprivate init(_ draft: PolicyDraft, _ format: PolicyFormat) {
        let namespace = draft.reference.namespace ?? (draft.kind.isNamespaced ? "default" : nil)
        let hit = PolicyHit(
            index: 0,
            tier: draft.tier,
            kind: draft.kind,
            namespace: namespace,
            name: draft.name,
            action: .pass,
            ruleIndex: 0
        )
        self.init(
            kind: draft.kind,
            namespace: namespace,
            name: draft.name,
            id: hit.namePart(format),
            selector: draft.selector.description,
            rules: Self.rules(draft.ingress, isIngress: true) + Self.rules(draft.egress, isIngress: false),
            appliesOnForward: draft.hooks != [.end]
        )
    }

    private static func rules(_ drafts: [RuleDraft]?, isIngress: Bool) -> [PolicyCatalogue.Rule] {
        (drafts ?? []).enumerated().compactMap { index, draft in
            let action: PolicyHit.Action
            switch draft.action {
            case .allow: action = .allow
            case .deny: action = .deny
            case .pass: action = .pass
            case .log: return nil
            }
            let text = draft.criteria.map(\.description).joined(separator: "; ")
            return PolicyCatalogue.Rule(
                isIngress: isIngress,
                index: index,
                action: action,
                text: text.isEmpty ? "everything" : text
            )
        }
    }
}
