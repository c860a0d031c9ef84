public import ClusterModel

/// Finds errors in an object for which an API server or Calico would reject it.
///
/// The rules are those of Kubernetes (`pkg/apis/networking/validation`), of the CRDs of cluster-wide policies
/// (`policy.networking.k8s.io`, v1alpha1 and v1alpha2), and of Calico's validator and CRDs
/// (`libcalico-go/lib/validator/v3`, `api/pkg/apis/projectcalico/v3`), 3.30 to 3.33. Errors that only some versions
/// report are doubtful. References to other objects (tiers, namespaces) are not checked.
public enum ObjectValidation {
    /// The kinds that are validated.
    public static let kinds: Set<ObjectKind> = [
        .networkPolicy, .stagedKubernetesNetworkPolicy, .adminNetworkPolicy, .baselineAdminNetworkPolicy,
        .clusterNetworkPolicy, .calicoNetworkPolicy, .globalNetworkPolicy, .stagedNetworkPolicy,
        .stagedGlobalNetworkPolicy, .tier, .networkSet, .globalNetworkSet, .hostEndpoint,
        .felixConfiguration,
    ]

    /// The kinds whose API is not Calico's.
    private static let otherKinds: Set<ObjectKind> = [
        .networkPolicy, .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy,
    ]

    /// Validates the API version; objects in a typed list need none.
    private static func checkVersion(_ field: CheckedField, _ kind: ObjectKind) {
        guard let version = field.nonEmptyString() else { return }
        let accepted: [String]
        switch kind {
        case .networkPolicy: accepted = ["networking.k8s.io/v1"]
        case .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy: return
        // Calico stores objects as `crd.projectcalico.org/v1` if it has no API server of its own.
        default: accepted = ["projectcalico.org/v3", "crd.projectcalico.org/v1"]
        }
        guard !accepted.contains(version) else { return }
        field.refuse("no API server has a \(kind.plainName) in \(version); write \(accepted[0])")
    }

    /// The violations of an object, in the order of its text; at most 100.
    public static func violations(_ object: ObjectTree) -> [ObjectViolation] {
        let report = ViolationReport()
        let root = CheckedField(object.root, report)
        root.expectObject(.object)
        checkVersion(root["apiVersion"], object.kind)
        MetadataValidation.check(root["metadata"], object.kind)
        if !root["spec"].isPresent, !otherKinds.contains(object.kind) {
            root["spec"].doubt("the spec is missing, which Calico refuses from 3.32 on; write spec: {}")
        }
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
        case .felixConfiguration: CalicoObjectValidation.checkFelixConfiguration(root["spec"])
        default: break
        }
        return report.all
    }
}

extension ObjectKind {
    /// The name of the kind in objects.
    fileprivate var plainName: String { self == .calicoNetworkPolicy ? "NetworkPolicy" : rawValue }
}
