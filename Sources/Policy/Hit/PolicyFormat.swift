/// The format of policy hits, which also determines the order of policies with equal tier and order.
public enum PolicyFormat: String, Sendable, Hashable, CaseIterable {
    /// `np:namespace/name` (Calico 3.32 and later).
    case calico332 = "calico-3.32"
    /// `namespace/tier.name` (Calico up to 3.31, and the Enterprise documentation).
    case enterprise
}
