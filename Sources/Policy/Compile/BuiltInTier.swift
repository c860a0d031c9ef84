import ClusterModel

/// Tiers that exist without an object, regardless of what objects define.
enum BuiltInTier {
    /// The tier of Kubernetes NetworkPolicies, and of Calico policies without a tier.
    static let defaultTier = "default"
    /// The first tier of ClusterNetworkPolicies.
    static let kubeAdmin = "kube-admin"
    /// The last tier of ClusterNetworkPolicies.
    static let kubeBaseline = "kube-baseline"
    /// The tier of AdminNetworkPolicies.
    static let admin = "adminnetworkpolicy"
    /// The tier of BaselineAdminNetworkPolicies.
    static let baselineAdmin = "baselineadminnetworkpolicy"

    /// The name, order and default action of each tier.
    static let all: [(name: String, order: Double, defaultAction: Tier.DefaultAction)] = [
        (defaultTier, 1_000_000, .deny),
        (kubeAdmin, 1_000, .pass),
        (kubeBaseline, 10_000_000, .pass),
        (admin, 1_000, .pass),
        (baselineAdmin, 10_000_000, .pass),
    ]
}
