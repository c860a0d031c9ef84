/// The resources of events, and the kinds of their objects.
package enum AuditResource {
    /// The relation of a resource to policies.
    package enum Role: Sendable {
        /// A policy or a tier.
        case policy
        /// An object that policies select directly or by labels: a pod, namespace, account, network set, host endpoint or node.
        case selected
        /// An object that determines the backends of services.
        case service
        /// An object on which policies do not depend.
        case other
    }

    private static let core: [(resource: String, kind: String, role: Role)] = [
        ("pods", "Pod", .selected), ("namespaces", "Namespace", .selected),
        ("serviceaccounts", "ServiceAccount", .selected), ("nodes", "Node", .selected),
        ("services", "Service", .service), ("endpoints", "Endpoints", .service),
        ("endpointslices", "EndpointSlice", .service), ("networkpolicies", "NetworkPolicy", .policy),
        ("adminnetworkpolicies", "AdminNetworkPolicy", .policy),
        ("baselineadminnetworkpolicies", "BaselineAdminNetworkPolicy", .policy),
        ("clusternetworkpolicies", "ClusterNetworkPolicy", .policy),
        ("globalnetworkpolicies", "GlobalNetworkPolicy", .policy),
        ("stagednetworkpolicies", "StagedNetworkPolicy", .policy),
        ("stagedglobalnetworkpolicies", "StagedGlobalNetworkPolicy", .policy),
        ("stagedkubernetesnetworkpolicies", "StagedKubernetesNetworkPolicy", .policy), ("tiers", "Tier", .policy),
        ("networksets", "NetworkSet", .selected), ("globalnetworksets", "GlobalNetworkSet", .selected),
        ("hostendpoints", "HostEndpoint", .selected), ("secrets", "Secret", .other),
        ("configmaps", "ConfigMap", .other), ("deployments", "Deployment", .other),
        ("replicasets", "ReplicaSet", .other),
        ("statefulsets", "StatefulSet", .other), ("daemonsets", "DaemonSet", .other), ("jobs", "Job", .other),
        ("roles", "Role", .other), ("rolebindings", "RoleBinding", .other), ("clusterroles", "ClusterRole", .other),
        ("clusterrolebindings", "ClusterRoleBinding", .other), ("leases", "Lease", .other),
        ("ipaddresses", "IPAddress", .other), ("servicecidrs", "ServiceCIDR", .other),
        ("tokenreviews", "TokenReview", .other), ("subjectaccessreviews", "SubjectAccessReview", .other),
        ("customresourcedefinitions", "CustomResourceDefinition", .other), ("ippools", "IPPool", .other),
    ]

    private static let kinds = Dictionary(core.map { ($0.resource, $0.kind) }) { first, _ in first }
    private static let roles = Dictionary(core.map { ($0.resource, $0.role) }) { first, _ in first }
    private static let plurals = Dictionary(core.map { ($0.kind.lowercased(), $0.resource) }) { first, _ in first }

    /// The groups of Calico's own resources.
    package static let calicoGroups = ["projectcalico.org", "crd.projectcalico.org"]

    /// Calico's own resources from which policies are made, or which policies select.
    static let calico = [
        "networkpolicies", "globalnetworkpolicies", "stagednetworkpolicies", "stagedglobalnetworkpolicies",
        "stagedkubernetesnetworkpolicies", "tiers", "networksets", "globalnetworksets", "hostendpoints",
    ]

    /// Kubernetes' cluster-wide policies, in the group `policy.networking.k8s.io`.
    static let clusterPolicies = ["adminnetworkpolicies", "baselineadminnetworkpolicies", "clusternetworkpolicies"]

    /// The kind of a target as text for users: `Calico NetworkPolicy` if Kubernetes has a kind of the same name.
    package static func kind(of target: AuditTarget) -> String {
        let kind = kinds[target.resource] ?? target.resource
        return kind == "NetworkPolicy" && calicoGroups.contains(target.group) ? "Calico NetworkPolicy" : kind
    }

    /// Returns the relation of a target to policies.
    package static func role(of target: AuditTarget) -> Role { roles[target.resource] ?? .other }

    /// The resource for a user's word: `NetworkPolicy`, `networkpolicy`, `networkpolicies.crd.projectcalico.org`.
    static func plural(of word: String) -> String {
        let parts = word.lowercased().split(separator: ".", maxSplits: 1)
        let name = parts.first.map(String.init) ?? ""
        let plural = plurals[name] ?? name
        return parts.count == 2 ? "\(plural).\(parts[1])" : plural
    }
}
