public import ClusterModel

/// Finds errors in an object for which an API server or Calico would reject it.
///
/// The rules are those of Kubernetes (`pkg/apis/networking/validation`), of the CRDs of cluster-wide policies
/// (`policy.networking.k8s.io`, v1alpha1 to v1beta1), and of Calico's validator (`libcalico-go/lib/validator/v3`), as
/// of 2026. Dependencies on other objects (tiers, namespaces) are not checked.
public enum ObjectValidation {
    /// The kinds that are validated.
    public static let kinds: Set<ObjectKind> = [
        .networkPolicy, .stagedKubernetesNetworkPolicy, .adminNetworkPolicy, .baselineAdminNetworkPolicy,
        .clusterNetworkPolicy, .calicoNetworkPolicy, .globalNetworkPolicy, .stagedNetworkPolicy,
        .stagedGlobalNetworkPolicy, .tier, .networkSet, .globalNetworkSet, .hostEndpoint,
    ]

    /// The violations of an object, in the order of its text; at most 100.
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
