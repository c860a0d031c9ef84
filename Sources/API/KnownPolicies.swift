package import Query

/// The policies and their objects at one moment; both are nil without an inventory.
package struct KnownPolicies: Sendable {
    /// Explains the rules of policies.
    package var rules: (any RuleExplaining)?
    /// Computes the effect of policy changes.
    package var previews: (any PolicyPreviewing)?

    /// Takes both members.
    package init(rules: (any RuleExplaining)? = nil, previews: (any PolicyPreviewing)? = nil) {
        (self.rules, self.previews) = (rules, previews)
    }
}
