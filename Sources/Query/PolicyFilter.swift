import Filter
import FlowModel
import Policy

/// Identifies a policy in every generation of the hit format.
struct PolicyKey: Hashable {
    var tier: String
    var kind: PolicyHit.Kind
    var namespace: String?
    /// The name without the tier prefix, which only some generations write.
    var name: String

    init(_ tier: String, _ kind: PolicyHit.Kind, _ namespace: String?, _ name: String) {
        (self.tier, self.kind, self.namespace) = (tier, kind, namespace)
        self.name = name.hasPrefix("\(tier).") ? String(name.dropFirst(tier.count + 1)) : name
    }
}

/// Builds filter expressions that select records by the hits of a policy.
struct PolicyFilter {
    private let isPending: Bool
    private let part: String

    init(_ tier: String, _ id: String, isPending: Bool) {
        self.isPending = isPending
        part = "|\(tier)|\(id)|"
    }

    /// Selects records whose hits name the policy.
    var policy: String { "policies contains \(FilterText.quoted(part))" }

    /// Selects records of one verdict to which a staged policy would give another verdict.
    func would(_ action: PolicyHit.Action, instead: FlowAction) -> String {
        "pending_policies contains \(FilterText.quoted("\(part)\(action.rawValue)|"))"
            + " && action == \(FilterText.quoted(instead.rawValue))"
    }

    /// Selects records with a hit of the rule.
    func rule(_ action: PolicyHit.Action, _ index: Int?, isIngress: Bool) -> String {
        hit(in: isPending ? .pending : .enforced, action, index)
            + " && reporter == \"\(isIngress ? FlowReporter.destination.rawValue : FlowReporter.source.rawValue)\""
    }

    /// Selects records of forwarded connections with a hit of the rule.
    func transitRule(_ action: PolicyHit.Action, _ index: Int?) -> String { hit(in: .transit, action, index) }

    private func hit(in list: FilterHits, _ action: PolicyHit.Action, _ index: Int?) -> String {
        // The preceding separator keeps rule 1 from matching rule 10.
        let end = index.map { "\(action.rawValue)|\($0)" } ?? action.rawValue
        return "\(list.rawValue) ends with \(FilterText.quoted(part + end))"
    }
}
