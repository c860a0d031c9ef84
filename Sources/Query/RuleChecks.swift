package import Policy
package import Records

/// Explains why rules did not match, based on the current policies of an inventory.
package struct RuleChecks: Sendable {
    /// A line for each enforced rule that was evaluated and did not match, by tier.
    package var now: [String: [String]] = [:]
    /// The same, including staged policies.
    package var pending: [String: [String]] = [:]
    /// For each tier, the enforced allow rule that comes nearest to a match, and the criterion that is not met.
    package var nearest: [String: String] = [:]
    /// Additional notes.
    package var notes: [String] = []

    /// Creates an empty result.
    package init() {}
}

/// Explains the rules of policies.
package protocol RuleExplaining: Sendable {
    /// All policies, in words.
    var catalogue: PolicyCatalogue { get }

    /// The reasons why rules did not match a record's connection.
    func checks(_ record: ReadRecord) -> RuleChecks
}

extension Explanation {
    /// Adds the reasons why rules did not match.
    package mutating func add(_ checks: RuleChecks) {
        for index in now.steps.indices { now.steps[index].checks = checks.now[now.steps[index].tier] ?? [] }
        // If no rule matched, the explanation names the criterion that the nearest rule requires.
        if let last = now.steps.last, last.action == "deny", last.rule == -1, let nearest = checks.nearest[last.tier] {
            now.sentence += "; \(nearest)"
        }
        if var verdict = pending {
            for index in verdict.steps.indices {
                verdict.steps[index].checks = checks.pending[verdict.steps[index].tier] ?? []
            }
            pending = verdict
        }
        notes.removeAll { $0 == Self.inventoryNote }
        notes += checks.notes
    }
}
