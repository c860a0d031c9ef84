package import Policy
package import Records

/// Why rules did not match, as the policies of an inventory say it now.
package struct RuleChecks: Sendable {
    /// A line for each rule that was asked and did not match, by the name of its tier: of policies that are in force.
    package var now: [String: [String]] = [:]
    /// The same with staged policies.
    package var pending: [String: [String]] = [:]
    /// What else there is to say.
    package var notes: [String] = []

    /// Nothing.
    package init() {}
}

/// Knows the rules of policies.
package protocol RuleExplaining: Sendable {
    /// All policies, in words.
    var catalogue: PolicyCatalogue { get }

    /// Why rules did not match a record's connection.
    func checks(_ record: ReadRecord) -> RuleChecks
}

extension Explanation {
    /// Adds why rules did not match.
    package mutating func add(_ checks: RuleChecks) {
        for index in now.steps.indices { now.steps[index].checks = checks.now[now.steps[index].tier] ?? [] }
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
