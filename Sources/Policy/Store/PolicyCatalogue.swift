import ClusterModel

/// Tiers, policies and rules in words, in the order in which they are asked.
package struct PolicyCatalogue: Sendable {
    /// A rule.
    package struct Rule: Sendable {
        /// Whether it is for connections to the endpoint; else for those from it.
        package var isIngress: Bool
        /// Its place among the rules of its direction, from 0, as hits name it.
        package var index: Int
        /// What it does with what it matches.
        package var action: PolicyHit.Action
        /// What it asks for, as in `protocol is tcp; destination port is 80`.
        package var text: String

        /// Takes all members.
        package init(isIngress: Bool, index: Int, action: PolicyHit.Action, text: String) {
            (self.isIngress, self.index, self.action, self.text) = (isIngress, index, action, text)
        }
    }

    /// A policy.
    package struct Policy: Sendable {
        /// What it is.
        package var kind: PolicyHit.Kind
        /// Its namespace; nil for kinds that are not in one.
        package var namespace: String?
        /// The name in hits, with its tier in front where it is written so.
        package var name: String
        /// The part of hits that names it, in the format of the snapshot.
        package var id: String
        /// Whom it applies to.
        package var selector: String
        /// The rules that allow, deny or pass, those for ingress first.
        package var rules: [Rule]

        /// Takes all members.
        package init(
            kind: PolicyHit.Kind,
            namespace: String?,
            name: String,
            id: String,
            selector: String,
            rules: [Rule]
        ) {
            (self.kind, self.namespace, self.name, self.id) = (kind, namespace, name, id)
            (self.selector, self.rules) = (selector, rules)
        }
    }

    /// A tier.
    package struct Tier: Sendable {
        /// Its name.
        package var name: String
        /// What happens to what none of its policies decides.
        package var defaultAction: PolicyHit.Action
        /// Its policies in their order.
        package var policies: [Policy]

        /// Takes all members.
        package init(name: String, defaultAction: PolicyHit.Action, policies: [Policy]) {
            (self.name, self.defaultAction, self.policies) = (name, defaultAction, policies)
        }
    }

    /// The tiers that have policies.
    package var tiers: [Tier]

    /// Takes tiers in their order.
    package init(tiers: [Tier]) {
        self.tiers = tiers
    }
}

extension PolicySnapshot {
    /// All policies of tiers that exist, in words.
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
            rules: Self.rules(draft.ingress, isIngress: true) + Self.rules(draft.egress, isIngress: false)
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
