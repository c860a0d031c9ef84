import ClusterModel

/// The tiers that are there without an object, or whatever objects say.
enum BuiltInTier {
    /// The tier of Kubernetes NetworkPolicy, and of Calico policies that name none.
    static let defaultTier = "default"
    /// The tier of ClusterNetworkPolicy that comes first.
    static let kubeAdmin = "kube-admin"
    /// The tier of ClusterNetworkPolicy that comes last.
    static let kubeBaseline = "kube-baseline"
    /// The tier of AdminNetworkPolicy.
    static let admin = "adminnetworkpolicy"
    /// The tier of BaselineAdminNetworkPolicy.
    static let baselineAdmin = "baselineadminnetworkpolicy"

    /// Name, order and default action of each.
    static let all: [(name: String, order: Double, defaultAction: Tier.DefaultAction)] = [
        (defaultTier, 1_000_000, .deny),
        (kubeAdmin, 1_000, .pass),
        (kubeBaseline, 10_000_000, .pass),
        (admin, 1_000, .pass),
        (baselineAdmin, 10_000_000, .pass),
    ]
}
