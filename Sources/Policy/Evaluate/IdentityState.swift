import FlowModel

/// Cached results for an endpoint identity or a network set.
///
/// They are the labels in the form for selectors, the results of selectors, and the tables of policies that apply.
struct IdentityState: Sendable {
    /// The identity of the endpoint or network set.
    let identity: EndpointIdentity
    /// The generation of the last snapshot for which the state was updated.
    var generation: UInt64 = 0
    /// The versions of the sources of its labels.
    var origins = LabelOrigins()
    /// The labels whose keys occur in selectors.
    var labels: [LabelNumbers] = []
    /// The cached results of selectors.
    var memo = SelectorMemo()
    /// The versions of the policies in its tables.
    var policies = PolicyOrigins()
    /// The ingress table; nil before it is needed.
    var ingress: Int?
    /// The egress table; nil before it is needed.
    var egress: Int?
    /// The tables of other hooks, by hook and direction.
    var atHooks: [HookDirection: Int] = [:]

    init(_ identity: EndpointIdentity) {
        self.identity = identity
    }
}

/// A hook and a direction.
struct HookDirection: Sendable, Hashable {
    /// The hook.
    var hook: PolicyHook
    /// The direction.
    var direction: FlowDirection
}

/// The versions of the sources of an endpoint's labels, except its own labels, which never change.
struct LabelOrigins: Sendable, Equatable {
    /// ``InheritedLabels/number`` of its namespace; 0 if unknown.
    var namespace: UInt64 = 0
    /// ``InheritedLabels/number`` of its service account; 0 if unknown.
    var serviceAccount: UInt64 = 0
    /// ``SelectorTable/vocabulary``.
    var vocabulary = -1
}

/// The versions of the policies that may apply to an endpoint.
struct PolicyOrigins: Sendable, Equatable {
    /// ``PolicyScope/number`` of the global policies.
    var global: UInt64 = 0
    /// ``PolicyScope/number`` of the policies in the endpoint's namespace; 0 if there are none.
    var namespaced: UInt64 = 0
}

/// Computes the labels that selectors are matched against.
enum EffectiveLabels {
    /// The labels of an endpoint or network set: its own, and those that Calico adds.
    static func of(
        _ identity: EndpointIdentity,
        namespace: InheritedLabels?,
        serviceAccount: InheritedLabels?
    ) -> [Label] {
        var added: [Label] = []
        if let name = identity.namespace { added.append(Label(key: CalicoLabel.namespace, value: name)) }
        if identity.kind == .workload {
            added.append(Label(key: CalicoLabel.orchestrator, value: "k8s"))
            if let account = identity.serviceAccount {
                added.append(Label(key: CalicoLabel.serviceAccount, value: account))
            }
        }
        let own = identity.labels.filter { label in !added.contains { $0.key == label.key } }
        return own + added + inherited(identity, namespace, serviceAccount)
    }

    private static func inherited(
        _ identity: EndpointIdentity,
        _ namespace: InheritedLabels?,
        _ serviceAccount: InheritedLabels?
    ) -> [Label] {
        var labels: [Label] = []
        if let name = identity.namespace { labels += namespace?.labels ?? ofUnknownNamespace(name) }
        if identity.kind == .workload, let name = identity.serviceAccount {
            labels +=
                serviceAccount?.labels
                ?? InheritedLabels(prefix: CalicoLabel.serviceAccountPrefix, name: name, labels: []).labels
        }
        return labels
    }

    /// The labels of an unknown namespace: only its name, in the labels of Calico and Kubernetes.
    private static func ofUnknownNamespace(_ name: String) -> [Label] {
        InheritedLabels(
            prefix: CalicoLabel.namespacePrefix,
            name: name,
            labels: [Label(key: "kubernetes.io/metadata.name", value: name)]
        ).labels
    }
}
