/// The generation of policy-hit strings, and with it the order of policies that are otherwise alike.
public enum PolicyFormat: String, Sendable, Hashable, CaseIterable {
    /// `np:namespace/name` (Calico 3.32 and later).
    case calico332 = "calico-3.32"
    /// `namespace/tier.name` (Calico up to 3.31, and as the Enterprise documentation has it).
    case enterprise
}
