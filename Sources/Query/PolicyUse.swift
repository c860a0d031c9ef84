import FlowModel
package import Policy
import Records

/// The decisions of tiers, policies and rules in a range of records, and inventory rules without decisions.
package struct PolicyUse: Sendable {
    /// Whether a rule or policy decided connections of the range.
    package enum State: String, Sendable, Encodable {
        case used
        case unused
        /// No record of the range lists the evaluated policies.
        case unknown
    }

    /// A rule, or the default action of a tier (index -1).
    package struct Rule: Sendable, Encodable {
        package var index: Int
        /// `ingress` or `egress`.
        package var direction: String
        package var action: String
        package var connections: UInt64 = 0
        package var bytes: UInt64 = 0
        package var last_hit: Int64 = 0
        package var state = State.used
        /// The match criteria in words; nil without an inventory.
        package var text: String?
        /// Selects the records with hits of the rule.
        package var filter: String
    }

    /// A policy.
    package struct Policy: Sendable, Encodable {
        package var id: String
        package var kind: String
        package var namespace: String?
        package var name: String
        package var is_staged: Bool
        package var state = State.used
        /// The selector of the endpoints that it applies to; nil without an inventory.
        package var selector: String?
        package var allow = Amount()
        package var deny = Amount()
        package var pass = Amount()
        package var would_allow: UInt64 = 0
        package var would_deny: UInt64 = 0
        package var last_hit: Int64 = 0
        package var rules: [Rule] = []
        /// Selects the records whose hits name the policy.
        package var filter: String
        /// Selects the records that a staged policy would allow or deny; nil for enforced policies.
        package var would_allow_filter: String?
        package var would_deny_filter: String?
    }

    /// A tier and its policies, in the order of the inventory; without one, in the order of the hits in records.
    package struct Tier: Sendable, Encodable {
        package var name: String
        /// The action for connections that no policy of the tier decides; nil without an inventory.
        package var default_action: String?
        package var policies: [Policy] = []
    }

    package private(set) var tiers: [Tier] = []

    private var tierPlaces: [String: Int] = [:]
    private var policyPlaces: [PolicyKey: (tier: Int, policy: Int)] = [:]
    /// The rule for each hit text; the key is the direction and the hit without its index in the trace.
    private var known: [String: HitPlace?] = [:]
    /// Sums of the trace positions of each tier and policy, which order those that are not in the inventory.
    private var places: [String: (sum: Int, count: Int)] = [:]

    /// Counts the hits of all keys in a range.
    ///
    /// - Parameters:
    ///   - totals: the sums of the range.
    ///   - catalogue: the policies of an inventory; nil to use only policies that hits name.
    package init(_ totals: KeyTotals, _ catalogue: PolicyCatalogue? = nil) {
        for tier in catalogue?.tiers ?? [] { add(tier) }
        let ordered = tiers.count
        var hasEnforced = false
        var hasPending = false
        for total in totals.totals {
            let record = totals.record(total)
            let (enforced, pending) = (record.enforcedHits, record.pendingHits)
            hasEnforced = hasEnforced || !enforced.isEmpty
            hasPending = hasPending || !pending.isEmpty
            let differs = record.isPendingDifferent
            for text in enforced { add(text, total, record, isPending: false, wouldDecide: false) }
            for text in pending {
                add(text, total, record, isPending: true, wouldDecide: differs && text == pending.last)
            }
        }
        finish(ordered, hasEnforced, hasPending)
    }

    // MARK: The inventory

    private mutating func add(_ tier: PolicyCatalogue.Tier) {
        let place = place(ofTier: tier.name)
        tiers[place].default_action = tier.defaultAction.rawValue
        for policy in tier.policies {
            let key = PolicyKey(tier.name, policy.kind, policy.namespace, policy.name)
            let at = self.place(of: key, id: policy.id, name: policy.name)
            tiers[at.tier].policies[at.policy].selector = policy.selector
            tiers[at.tier].policies[at.policy].rules = policy.rules.map { rule in
                Rule(
                    index: rule.index,
                    direction: rule.isIngress ? "ingress" : "egress",
                    action: rule.action.rawValue,
                    text: rule.text,
                    filter: PolicyFilter(tier.name, policy.id, isPending: policy.kind.isStaged)
                        .rule(rule.action, rule.index, isIngress: rule.isIngress)
                )
            }
        }
    }

    /// Sorts tiers and policies, and marks those without decisions.
    private mutating func finish(_ ordered: Int, _ hasEnforced: Bool, _ hasPending: Bool) {
        let order = places.mapValues { Double($0.sum) / Double(max(1, $0.count)) }
        func precedes(_ left: String, _ right: String) -> Bool {
            (order[left] ?? 0, left) < (order[right] ?? 0, right)
        }
        tiers[ordered...].sort { precedes($0.name, $1.name) }
        for tier in tiers.indices {
            let listed = tiers[tier].policies.prefix { $0.selector != nil }.count
            tiers[tier].policies[listed...].sort { precedes($0.id, $1.id) }
            for policy in tiers[tier].policies.indices {
                let isCovered = tiers[tier].policies[policy].is_staged ? hasPending : hasEnforced
                tiers[tier].policies[policy].finish(isCovered)
            }
        }
    }

    // MARK: Hits

    private struct HitPlace {
        var tier: Int
        var policy: Int
        var rule: Int
        var hit: PolicyHit
    }

    private mutating func add(
        _ text: String,
        _ total: KeyTotals.Total,
        _ record: ReadRecord,
        isPending: Bool,
        wouldDecide: Bool
    ) {
        let isIngress = record.isDestinationReported
        let key = (isIngress ? "<" : ">") + text
        let found: HitPlace?
        if let place = known[key] {
            found = place
        } else {
            found = place(ofHit: text, isIngress: isIngress)
            known[key] = .some(found)
        }
        guard let found, !isPending || found.hit.kind.isStaged else { return }
        note(found.hit.tier, found.hit.index)
        note(tiers[found.tier].policies[found.policy].id, found.hit.index)
        tiers[found.tier].policies[found.policy].add(found.hit.action, found.rule, total)
        guard wouldDecide else { return }
        if found.hit.action == .deny {
            tiers[found.tier].policies[found.policy].would_deny &+= total.amount.connections
        } else {
            tiers[found.tier].policies[found.policy].would_allow &+= total.amount.connections
        }
    }

    private mutating func note(_ name: String, _ index: Int) {
        let known = places[name] ?? (0, 0)
        places[name] = (known.sum + index, known.count + 1)
    }

    private mutating func place(ofHit text: String, isIngress: Bool) -> HitPlace? {
        guard let hit = try? PolicyHit(text) else { return nil }
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        let id = String(parts[2])
        let at = place(of: PolicyKey(hit.tier, hit.kind, hit.namespace, hit.name), id: id, name: hit.name)
        let index = hit.ruleIndex ?? PolicyHit.unknownRule
        let direction = isIngress ? "ingress" : "egress"
        let rules = tiers[at.tier].policies[at.policy].rules
        let filter = PolicyFilter(hit.tier, id, isPending: hit.kind.isStaged)
            .rule(hit.action, hit.ruleIndex, isIngress: isIngress)
        if let rule = rules.firstIndex(where: {
            $0.index == index && $0.direction == direction && $0.action == hit.action.rawValue
        }) {
            // The filter uses the hit format of the records.
            tiers[at.tier].policies[at.policy].rules[rule].filter = filter
            return HitPlace(tier: at.tier, policy: at.policy, rule: rule, hit: hit)
        }
        let rule = Rule(index: index, direction: direction, action: hit.action.rawValue, filter: filter)
        tiers[at.tier].policies[at.policy].rules.append(rule)
        return HitPlace(tier: at.tier, policy: at.policy, rule: rules.count, hit: hit)
    }

    private mutating func place(ofTier name: String) -> Int {
        if let known = tierPlaces[name] { return known }
        tiers.append(Tier(name: name))
        tierPlaces[name] = tiers.count - 1
        return tiers.count - 1
    }

    private mutating func place(of key: PolicyKey, id: String, name: String) -> (tier: Int, policy: Int) {
        if let known = policyPlaces[key] {
            tiers[known.tier].policies[known.policy].setFilters(
                PolicyFilter(key.tier, id, isPending: key.kind.isStaged)
            )
            return known
        }
        let tier = place(ofTier: key.tier)
        var policy = Policy(
            id: id,
            kind: key.kind.rawValue,
            namespace: key.namespace,
            name: name,
            is_staged: key.kind.isStaged,
            filter: ""
        )
        policy.setFilters(PolicyFilter(key.tier, id, isPending: key.kind.isStaged))
        tiers[tier].policies.append(policy)
        let place = (tier, tiers[tier].policies.count - 1)
        policyPlaces[key] = place
        return place
    }
}

extension PolicyUse.Policy {
    fileprivate mutating func setFilters(_ filter: PolicyFilter) {
        self.filter = filter.policy
        guard is_staged else { return }
        would_allow_filter = filter.would(.allow, instead: .deny)
        would_deny_filter = filter.would(.deny, instead: .allow)
    }

    fileprivate mutating func add(_ action: PolicyHit.Action, _ rule: Int, _ total: KeyTotals.Total) {
        switch action {
        case .allow: allow += total.amount
        case .deny: deny += total.amount
        case .pass: pass += total.amount
        }
        last_hit = max(last_hit, total.last)
        rules[rule].connections &+= total.amount.connections
        rules[rule].bytes &+= total.amount.bytes
        rules[rule].last_hit = max(rules[rule].last_hit, total.last)
    }

    /// - Parameter isCovered: whether records of the range list the evaluated policies.
    fileprivate mutating func finish(_ isCovered: Bool) {
        rules.sort {
            ($0.direction == "ingress" ? 0 : 1, $0.index < 0 ? .max : $0.index, $0.action)
                < ($1.direction == "ingress" ? 0 : 1, $1.index < 0 ? .max : $1.index, $1.action)
        }
        let idle = isCovered ? PolicyUse.State.unused : .unknown
        for rule in rules.indices where rules[rule].last_hit == 0 { rules[rule].state = idle }
        if last_hit == 0 { state = idle }
    }
}
