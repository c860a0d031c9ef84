import FlowModel

/// What was found out about an endpoint identity, or a network set: its labels as selectors see them, which selectors hold,
/// and which policies apply.
struct IdentityState: Sendable {
    /// Whose it is.
    let identity: EndpointIdentity
    /// The generation of the snapshot that it was last compared with.
    var generation: UInt64 = 0
    /// Versions of everything that its labels come from.
    var origins = LabelOrigins()
    /// Its labels, as far as selectors ask for them.
    var labels: [LabelNumbers] = []
    /// Which selectors hold.
    var memo = SelectorMemo()
    /// Versions of the policies that its tables are made of.
    var policies = PolicyOrigins()
    /// The table per direction, by its raw value; nil before it is needed.
    var ingress: Int?
    /// The table for what goes out.
    var egress: Int?

    init(_ identity: EndpointIdentity) {
        self.identity = identity
    }
}

/// Versions of what the labels of an endpoint come from, beside its own, which never change.
struct LabelOrigins: Sendable, Equatable {
    /// ``InheritedLabels/number`` of its namespace; 0 if that is not known.
    var namespace: UInt64 = 0
    /// The same of its service account.
    var serviceAccount: UInt64 = 0
    /// ``SelectorTable/vocabulary``.
    var vocabulary = -1
}

/// Versions of the policies that may apply to an endpoint.
struct PolicyOrigins: Sendable, Equatable {
    /// ``PolicyScope/number`` of the global policies.
    var global: UInt64 = 0
    /// The same of those of the endpoint's namespace; 0 if there are none.
    var namespaced: UInt64 = 0
}

/// Makes the labels that selectors see.
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

    /// What holds for every namespace, for one that was not told of: its name, as Calico and Kubernetes label it.
    private static func ofUnknownNamespace(_ name: String) -> [Label] {
        InheritedLabels(
            prefix: CalicoLabel.namespacePrefix,
            name: name,
            labels: [Label(key: "kubernetes.io/metadata.name", value: name)]
        ).labels
    }
}
