import FlowModel
package import Policy
import Records

/// The decisions of tiers, policies and rules in a range of records, and inventory rules without decisions.
package struct PolicyUse: Sendable {
    /// Whether a rule or policy decided connections of the range.
    package enum State: String, Sendable, Encodable {
        case used
        case unused
        /// The records of the range cannot tell: none lists the evaluated policies, or none is of forwarded connections,
        /// which the policy applies to.
        case unknown
    }

    /// A rule, or the default action of a tier (index -1).
    package struct Rule: Sendable, Encodable {
        package var index: Int
        /// `ingress` or `egress`; `transit` for hits of forwarded connections that belong to no rule of the inventory, as they
        /// do not contain the direction.
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
    /// Whether a record of the range has hits of the policies of its end.
    package private(set) var hasEnforcedHits = false

    private var tierPlaces: [String: Int] = [:]
    private var policyPlaces: [PolicyKey: (tier: Int, policy: Int)] = [:]
    /// The rule for each hit text; the key is the direction and the hit.
    private var known: [String: HitPlace?] = [:]
    /// The policies of the inventory that apply to forwarded connections, too or only.
    private var forwarding: Set<PolicyKey> = []
    /// The filter for forwarded connections of each inventory rule with such hits.
    private var transitFilters: [RulePlace: String] = [:]
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
        var hasPending = false
        var hasForwarded = false
        for total in totals.totals {
            let record = totals.record(total)
            let (enforced, pending) = (record.enforcedHits, record.pendingHits)
            hasEnforcedHits = hasEnforcedHits || !enforced.isEmpty
            hasPending = hasPending || !pending.isEmpty
            let transit = record.transitHits
            hasForwarded = hasForwarded || record.isForwarded || !transit.isEmpty
            let differs = record.isPendingDifferent
            for text in enforced { add(text, total, record, isPending: false, wouldDecide: false) }
            for text in pending {
                add(text, total, record, isPending: true, wouldDecide: differs && text == pending.last)
            }
            addTransit(transit, total)
        }
        finish(hasPending, hasForwarded)
        sort(ordered)
    }

    // MARK: The inventory

    private mutating func add(_ tier: PolicyCatalogue.Tier) {
        let place = place(ofTier: tier.name)
        tiers[place].default_action = tier.defaultAction.rawValue
        for policy in tier.policies {
            let key = PolicyKey(tier.name, policy.kind, policy.namespace, policy.name)
            let at = self.place(of: key, id: policy.id, name: policy.name)
            if policy.appliesOnForward { forwarding.insert(key) }
            tiers[at.tier].policies[at.policy].selector = policy.selector
            tiers[at.tier].policies[at.policy].rules = policy.rules.map { rule in
                Rule(
                    index: rule.index,
                    direction: (rule.isIngress ? Direction.ingress : .egress).rawValue,
                    action: rule.action.rawValue,
                    text: rule.text,
                    filter: PolicyFilter(tier.name, policy.id, isPending: policy.kind.isStaged)
                        .rule(rule.action, rule.index, isIngress: rule.isIngress)
                )
            }
        }
    }

    /// Completes the filters of rules, and marks rules and policies without decisions.
    private mutating func finish(_ hasPending: Bool, _ hasForwarded: Bool) {
        for (place, filter) in transitFilters {
            let other = tiers[place.tier].policies[place.policy].rules[place.rule].filter
            tiers[place.tier].policies[place.policy].rules[place.rule].filter = "(\(other)) || \(filter)"
        }
        for (key, place) in policyPlaces {
            let isCoveredInTransit = hasForwarded || !forwarding.contains(key)
            tiers[place.tier].policies[place.policy]
                .finish(key.kind.isStaged ? hasPending : hasEnforcedHits && isCoveredInTransit)
        }
    }

    /// Sorts tiers and policies behind those of the inventory.
    ///
    /// - Parameter ordered: the number of the inventory's tiers.
    private mutating func sort(_ ordered: Int) {
        let order = places.mapValues { Double($0.sum) / Double(max(1, $0.count)) }
        func precedes(_ left: String, _ right: String) -> Bool {
            (order[left] ?? 0, left) < (order[right] ?? 0, right)
        }
        tiers[ordered...].sort { precedes($0.name, $1.name) }
        for tier in tiers.indices {
            let listed = tiers[tier].policies.prefix { $0.selector != nil }.count
            tiers[tier].policies[listed...].sort { precedes($0.id, $1.id) }
        }
    }

    // MARK: Hits

    /// The direction of a rule, as hits show it.
    private enum Direction: String {
        case ingress, egress, transit
    }

    private struct RulePlace: Hashable {
        var tier: Int
        var policy: Int
        var rule: Int
    }

    private struct HitPlace {
        var tier: Int
        var policy: Int
        /// The rule; more than one if the direction is not known.
        var rules: [Int]
        var hit: PolicyHit

        func isOfSamePolicy(as other: HitPlace) -> Bool { (tier, policy) == (other.tier, other.policy) }
    }

    private mutating func add(
        _ text: String,
        _ total: KeyTotals.Total,
        _ record: ReadRecord,
        isPending: Bool,
        wouldDecide: Bool
    ) {
        let found = knownPlace(ofHit: text, record.isDestinationReported ? .ingress : .egress)
        guard let found, !isPending || found.hit.kind.isStaged else { return }
        note(found)
        tiers[found.tier].policies[found.policy].add(found.hit.action, total)
        for rule in found.rules { tiers[found.tier].policies[found.policy].rules[rule].add(total) }
        guard wouldDecide else { return }
        if found.hit.action == .deny {
            tiers[found.tier].policies[found.policy].would_deny &+= total.amount.connections
        } else {
            tiers[found.tier].policies[found.policy].would_allow &+= total.amount.connections
        }
    }

    /// Adds the hits of forwarded connections.
    ///
    /// A policy may have a hit at each of the two interfaces: the last one counts for the policy, and a rule counts once.
    private mutating func addTransit(_ hits: [String], _ total: KeyTotals.Total) {
        let found = hits.compactMap { knownPlace(ofHit: $0, .transit) }
        for (index, place) in found.enumerated() {
            note(place)
            let others = (found[..<index], found[(index + 1)...])
            if !others.1.contains(where: place.isOfSamePolicy) {
                tiers[place.tier].policies[place.policy].add(place.hit.action, total)
            }
            let counted = others.0.filter(place.isOfSamePolicy).flatMap(\.rules)
            for rule in place.rules where !counted.contains(rule) {
                tiers[place.tier].policies[place.policy].rules[rule].add(total)
            }
        }
    }

    /// Notes the position of a hit for its tier and its policy.
    private mutating func note(_ found: HitPlace) {
        note(found.hit.tier, found.hit.index)
        note(tiers[found.tier].policies[found.policy].id, found.hit.index)
    }

    private mutating func note(_ name: String, _ index: Int) {
        let known = places[name] ?? (0, 0)
        places[name] = (known.sum + index, known.count + 1)
    }

    private mutating func knownPlace(ofHit text: String, _ direction: Direction) -> HitPlace? {
        let key = direction.rawValue + text
        if let place = known[key] { return place }
        let found = place(ofHit: text, direction)
        known[key] = .some(found)
        return found
    }

    private mutating func place(ofHit text: String, _ direction: Direction) -> HitPlace? {
        guard let hit = try? PolicyHit(text) else { return nil }
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        let id = String(parts[2])
        let at = place(of: PolicyKey(hit.tier, hit.kind, hit.namespace, hit.name), id: id, name: hit.name)
        let filters = PolicyFilter(hit.tier, id, isPending: hit.kind.isStaged)
        let filter =
            direction == .transit
            ? filters.transitRule(hit.action, hit.ruleIndex)
            : filters.rule(hit.action, hit.ruleIndex, isIngress: direction == .ingress)
        let rules = rules(of: hit, direction, at, filter)
        return HitPlace(tier: at.tier, policy: at.policy, rules: rules, hit: hit)
    }

    /// Returns the rules that a hit may be of, with a new one if none is known, and sets their filters.
    private mutating func rules(
        of hit: PolicyHit,
        _ direction: Direction,
        _ at: (tier: Int, policy: Int),
        _ filter: String
    ) -> [Int] {
        let index = hit.ruleIndex ?? PolicyHit.unknownRule
        let rules = tiers[at.tier].policies[at.policy].rules
        let same = rules.indices.filter { rules[$0].index == index && rules[$0].action == hit.action.rawValue }
        if direction == .transit {
            let listed = same.filter { rules[$0].text != nil }
            for rule in listed {
                transitFilters[RulePlace(tier: at.tier, policy: at.policy, rule: rule)] = filter
            }
            guard listed.isEmpty else { return listed }
        }
        if let rule = same.first(where: { rules[$0].direction == direction.rawValue }) {
            // The filter uses the hit format of the records.
            tiers[at.tier].policies[at.policy].rules[rule].filter = filter
            return [rule]
        }
        tiers[at.tier].policies[at.policy].rules.append(
            Rule(index: index, direction: direction.rawValue, action: hit.action.rawValue, filter: filter)
        )
        return [rules.count]
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

    fileprivate mutating func add(_ action: PolicyHit.Action, _ total: KeyTotals.Total) {
        switch action {
        case .allow: allow += total.amount
        case .deny: deny += total.amount
        case .pass: pass += total.amount
        }
        last_hit = max(last_hit, total.last)
    }

    /// Sorts the rules, and sets the states.
    ///
    /// - Parameter isCovered: whether records of the range have the hits of all connections that the policy applies to.
    fileprivate mutating func finish(_ isCovered: Bool) {
        rules.sort { $0.place < $1.place }
        let idle = isCovered ? PolicyUse.State.unused : .unknown
        for rule in rules.indices where rules[rule].last_hit == 0 { rules[rule].state = idle }
        if last_hit == 0 { state = idle }
    }
}

extension PolicyUse.Rule {
    /// The place among the rules of a policy: ingress rules first, and the end of the tier behind all rules of its direction.
    fileprivate var place: (direction: Int, index: Int, action: String) {
        (["ingress", "egress"].firstIndex(of: direction) ?? 2, index < 0 ? .max : index, action)
    }

    fileprivate mutating func add(_ total: KeyTotals.Total) {
        connections &+= total.amount.connections
        bytes &+= total.amount.bytes
        last_hit = max(last_hit, total.last)
    }
}
