import FlowModel
import Policy

/// What a policy is, whatever generation of the format names it.
struct PolicyKey: Hashable {
    var tier: String
    var kind: PolicyHit.Kind
    var namespace: String?
    /// Without the tier in front, which only some generations write.
    var name: String

    init(_ tier: String, _ kind: PolicyHit.Kind, _ namespace: String?, _ name: String) {
        (self.tier, self.kind, self.namespace) = (tier, kind, namespace)
        self.name = name.hasPrefix("\(tier).") ? String(name.dropFirst(tier.count + 1)) : name
    }
}

/// Filters of records by the hits of a policy.
struct PolicyFilter {
    private let isPending: Bool
    private let part: String

    init(_ tier: String, _ id: String, isPending: Bool) {
        self.isPending = isPending
        part = "|\(tier)|\(id)|"
    }

    /// Records whose hits name the policy.
    var policy: String { "policies contains \(FilterText.quoted(part))" }

    /// Records of one verdict that a staged policy would give another.
    func would(_ action: PolicyHit.Action, instead: FlowAction) -> String {
        "pending_policies contains \(FilterText.quoted("\(part)\(action.rawValue)|"))"
            + " && action == \(FilterText.quoted(instead.rawValue))"
    }

    /// Records of a rule's hits.
    func rule(_ action: PolicyHit.Action, _ index: Int?, isIngress: Bool) -> String {
        let list = isPending ? "pending_policies" : "enforced_policies"
        let end = index.map { "\(action.rawValue)|\($0)" } ?? action.rawValue
        // Rule 1 is no rule 10.
        return "\(list) ends with \(FilterText.quoted(part + end))"
            + " && reporter == \"\(isIngress ? FlowReporter.destination.rawValue : FlowReporter.source.rawValue)\""
    }
}
