public import ClusterModel

/// Finds what an API server or Calico would refuse of an object that somebody writes.
///
/// The rules are those of Kubernetes (`pkg/apis/networking/validation`), of the definitions of the cluster's own policies
/// (`policy.networking.k8s.io`, v1alpha1 to v1beta1) and of Calico's validator (`libcalico-go/lib/validator/v3`), as of
/// 2026. What depends on other objects (tiers, namespaces) is no part of it.
public enum ObjectValidation {
    /// The kinds that are checked.
    public static let kinds: Set<ObjectKind> = [
        .networkPolicy, .stagedKubernetesNetworkPolicy, .adminNetworkPolicy, .baselineAdminNetworkPolicy,
        .clusterNetworkPolicy, .calicoNetworkPolicy, .globalNetworkPolicy, .stagedNetworkPolicy,
        .stagedGlobalNetworkPolicy, .tier, .networkSet, .globalNetworkSet, .hostEndpoint,
    ]

    /// What would be refused of an object, in the order of its text; 100 things at most.
    public static func violations(_ object: ObjectTree) -> [ObjectViolation] {
        let report = ViolationReport()
        let root = CheckedField(object.root, report)
        root.expectObject(.object)
        MetadataValidation.check(root["metadata"], object.kind)
        switch object.kind {
        case .networkPolicy:
            NetworkPolicyValidation.check(root["spec"], fields: .networkPolicy)
        case .stagedKubernetesNetworkPolicy:
            NetworkPolicyValidation.checkStaged(root["spec"])
        case .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy:
            AdminPolicyValidation(object.kind).check(root["spec"])
        case .calicoNetworkPolicy, .globalNetworkPolicy, .stagedNetworkPolicy, .stagedGlobalNetworkPolicy:
            CalicoPolicyValidation(object.kind).check(root["spec"])
        case .tier: CalicoObjectValidation.checkTier(root["spec"], name: object.reference?.name ?? "")
        case .networkSet, .globalNetworkSet: CalicoObjectValidation.checkNetworkSet(root["spec"])
        case .hostEndpoint: CalicoObjectValidation.checkHostEndpoint(root["spec"])
        default: break
        }
        return report.all
    }
}
