import FlowModel
import Policy
import Records

/// Which tiers, policies and rules decided what, as records show it.
package struct PolicyUse: Sendable, Encodable {
    /// A rule, or the end of a tier (-1).
    package struct Rule: Sendable, Encodable {
        package var index: Int
        package var action: String
        package var connections: UInt64 = 0
        package var bytes: UInt64 = 0
        package var last_hit: Int64 = 0
        package var state = "used"
        package var filter: String
    }

    /// A policy.
    package struct Policy: Sendable, Encodable {
        package var id: String
        package var kind: String
        package var namespace: String?
        package var name: String
        package var is_staged: Bool
        package var state = "used"
        package var allow = Amount()
        package var deny = Amount()
        package var pass = Amount()
        package var would_allow: UInt64 = 0
        package var would_deny: UInt64 = 0
        package var last_hit: Int64 = 0
        package var rules: [Rule] = []
    }

    /// A tier and its policies, in the order in which records show them.
    package struct Tier: Sendable, Encodable {
        package var name: String
        package var policies: [Policy] = []
    }

    package var tiers: [Tier] = []

    private enum CodingKeys: String, CodingKey {
        case tiers
    }

    /// The smallest and the sum of the places that a tier or policy had in traces: they order what is shown.
    private var places: [String: (sum: Int, count: Int)] = [:]

    /// Reads the hits of all keys of a range.
    package init(_ totals: KeyTotals) {
        for total in totals.totals {
            let record = totals.record(total)
            let pending = record.pendingHits
            for text in record.enforcedHits { add(text, total, record, isPending: false) }
            for text in pending where Self.isStaged(text) { add(text, total, record, isPending: true) }
        }
        let order = places.mapValues { Double($0.sum) / Double(max(1, $0.count)) }
        func precedes(_ left: String, _ right: String) -> Bool {
            (order[left] ?? 0, left) < (order[right] ?? 0, right)
        }
        tiers.sort { precedes($0.name, $1.name) }
        for tier in tiers.indices {
            tiers[tier].policies.sort { precedes($0.id, $1.id) }
            for policy in tiers[tier].policies.indices {
                tiers[tier].policies[policy].rules.sort {
                    ($0.index < 0 ? .max : $0.index, $0.action) < ($1.index < 0 ? .max : $1.index, $1.action)
                }
            }
        }
    }

    private static func isStaged(_ text: String) -> Bool { (try? PolicyHit(text))?.kind.isStaged ?? false }

    private mutating func add(_ text: String, _ total: KeyTotals.Total, _ record: ReadRecord, isPending: Bool) {
        guard let hit = try? PolicyHit(text) else { return }
        let parts = text.split(separator: "|", omittingEmptySubsequences: false)
        let id = parts.count > 2 ? String(parts[2]) : text
        note(hit.tier, hit.index)
        note(id, hit.index)
        let tier = place(of: hit.tier)
        let policy = place(of: id, hit, tier)
        let amount = total.amount
        switch hit.action {
        case .allow: tiers[tier].policies[policy].allow += amount
        case .deny: tiers[tier].policies[policy].deny += amount
        case .pass: tiers[tier].policies[policy].pass += amount
        }
        if isPending, record.isPendingDifferent, record.pendingHits.last == text {
            if hit.action == .deny {
                tiers[tier].policies[policy].would_deny &+= amount.connections
            } else {
                tiers[tier].policies[policy].would_allow &+= amount.connections
            }
        }
        tiers[tier].policies[policy].last_hit = max(tiers[tier].policies[policy].last_hit, total.last)
        tiers[tier].policies[policy].add(hit, text, amount, total.last, isPending: isPending)
    }

    private mutating func note(_ name: String, _ index: Int) {
        let known = places[name] ?? (0, 0)
        places[name] = (known.sum + index, known.count + 1)
    }

    private mutating func place(of tier: String) -> Int {
        if let known = tiers.firstIndex(where: { $0.name == tier }) { return known }
        tiers.append(Tier(name: tier))
        return tiers.count - 1
    }

    private mutating func place(of id: String, _ hit: PolicyHit, _ tier: Int) -> Int {
        if let known = tiers[tier].policies.firstIndex(where: { $0.id == id }) { return known }
        tiers[tier].policies.append(
            Policy(
                id: id,
                kind: hit.kind.rawValue,
                namespace: hit.namespace,
                name: hit.name,
                is_staged: hit.kind.isStaged
            )
        )
        return tiers[tier].policies.count - 1
    }
}

extension PolicyUse.Policy {
    fileprivate mutating func add(_ hit: PolicyHit, _ text: String, _ amount: Amount, _ last: Int64, isPending: Bool) {
        let index = hit.ruleIndex ?? PolicyHit.unknownRule
        let place: Int
        if let known = rules.firstIndex(where: { $0.index == index && $0.action == hit.action.rawValue }) {
            place = known
        } else {
            // Without the place in the trace, which differs from one connection to the other.
            let rest = text.drop { $0 != "|" }
            let list = isPending ? "pending_policies" : "enforced_policies"
            rules.append(
                PolicyUse.Rule(
                    index: index,
                    action: hit.action.rawValue,
                    filter: "\(list) contains \(FilterText.quoted(String(rest)))"
                )
            )
            place = rules.count - 1
        }
        rules[place].connections &+= amount.connections
        rules[place].bytes &+= amount.bytes
        rules[place].last_hit = max(rules[place].last_hit, last)
    }
}
