import ClusterModel
import FlowModel

/// Keys of the labels that Calico adds to endpoints and network sets.
enum CalicoLabel {
    /// The namespace of a workload or of a namespaced network set.
    static let namespace = "projectcalico.org/namespace"
    /// `k8s` on every workload.
    static let orchestrator = "projectcalico.org/orchestrator"
    /// The service account of a workload.
    static let serviceAccount = "projectcalico.org/serviceaccount"
    /// The name of a namespace or service account, among its inherited labels.
    static let name = "projectcalico.org/name"
    /// The key prefix of the labels of a namespace.
    static let namespacePrefix = "pcns."
    /// The key prefix of the labels of a service account.
    static let serviceAccountPrefix = "pcsa."

    /// Whether Calico adds labels with a key.
    static func isAdded(_ key: String) -> Bool {
        ["projectcalico.org/", namespacePrefix, serviceAccountPrefix].contains { key.hasPrefix($0) }
    }
}

extension SelectorExpression {
    /// The selector for the labels of a namespace: keys get the prefix `pcns.`.
    ///
    /// The leaf `all()` matches endpoints with a namespace, and `global()` those without one.
    var ofNamespace: SelectorExpression {
        mapLeaves { leaf in
            switch leaf {
            case .all: .has(key: CalicoLabel.namespace)
            case .global: .not(.has(key: CalicoLabel.namespace))
            default: leaf.prefixed(CalicoLabel.namespacePrefix)
            }
        }
    }

    /// The selector for the labels of the service account: keys get the prefix `pcsa.`.
    var ofServiceAccount: SelectorExpression {
        mapLeaves { $0.prefixed(CalicoLabel.serviceAccountPrefix) }
    }

    /// Selects endpoints in a namespace.
    static func inNamespace(_ name: String) -> SelectorExpression {
        .compare(key: CalicoLabel.namespace, .equals, value: name)
    }

    /// Selects endpoints with one of the service accounts.
    static func withServiceAccount(_ names: [String]) -> SelectorExpression {
        .among(key: CalicoLabel.serviceAccount, values: Set(names).sorted())
    }

    private func prefixed(_ prefix: String) -> SelectorExpression {
        switch self {
        case .has(let key): .has(key: prefix + key)
        case .compare(let key, let comparison, let value): .compare(key: prefix + key, comparison, value: value)
        case .among(let key, let values): .among(key: prefix + key, values: values)
        default: self
        }
    }
}

extension SelectorExpression {
    /// The expression for a pod selector, which matches only workloads; nil selects all pods.
    static func pods(_ selector: LabelSelector?) -> SelectorExpression {
        let isPod = SelectorExpression.compare(key: CalicoLabel.orchestrator, .equals, value: "k8s")
        return .conjunction([isPod] + (selector.map(parts) ?? []))
    }

    /// The expression for a namespace selector; an empty selector selects all namespaces.
    static func namespaces(_ selector: LabelSelector) -> SelectorExpression {
        let parts = parts(selector)
        return parts.isEmpty ? SelectorExpression.all.ofNamespace : SelectorExpression.and(parts).ofNamespace
    }

    private static func parts(_ selector: LabelSelector) -> [SelectorExpression] {
        selector.labels.sorted().map { .compare(key: $0.key, .equals, value: $0.value) }
            + selector.requirements.map { requirement in
                let values = Set(requirement.values).sorted()
                return switch requirement.comparison {
                case .in: .among(key: requirement.key, values: values)
                case .notIn: .not(.among(key: requirement.key, values: values))
                case .exists: .has(key: requirement.key)
                case .doesNotExist: .not(.has(key: requirement.key))
                }
            }
    }
}
