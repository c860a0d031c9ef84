/// The members that an API defines for an object, whether Weir uses them or not.
///
/// Sources: `projectcalico.org/v3` (policy_common.go, networkpolicy.go, globalnetworkpolicy.go, tier.go, networkset.go,
/// hostendpoint.go), with the fields of Calico Enterprise; `networking.k8s.io/v1`; `policy.networking.k8s.io` v1alpha1 to
/// v1beta1.
package struct FieldSet: Sendable {
    /// The names of the members.
    let names: [StaticString]

    init(_ names: StaticString...) {
        self.names = names
    }

    /// Whether the set contains a key.
    func contains(_ key: borrowing JSONText) -> Bool {
        for name in names where name ~= key { return true }
        return false
    }

    /// Whether the set contains a key.
    package func contains(_ key: String) -> Bool {
        names.contains { $0.description == key }
    }
}

// MARK: - All kinds

extension FieldSet {
    /// An object, including the fields that an API server sets.
    package static let object = FieldSet("apiVersion", "kind", "metadata", "spec", "status")
    /// `metadata` of an object.
    package static let metadata = FieldSet(
        "name",
        "namespace",
        "labels",
        "annotations",
        "generateName",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "ownerReferences",
        "finalizers",
        "managedFields",
        "selfLink"
    )
    /// An element of `ownerReferences`.
    package static let ownerReference = FieldSet(
        "apiVersion",
        "kind",
        "name",
        "uid",
        "controller",
        "blockOwnerDeletion"
    )
    /// A Kubernetes LabelSelector.
    package static let labelSelector = FieldSet("matchLabels", "matchExpressions")
    /// A requirement of a Kubernetes LabelSelector.
    package static let requirement = FieldSet("key", "operator", "values")
}

// MARK: - Calico

extension FieldSet {
    /// The `spec` of a Calico policy of a kind.
    package static func calicoPolicy(_ kind: ObjectKind) -> FieldSet {
        switch kind {
        case .globalNetworkPolicy: globalPolicy
        case .stagedGlobalNetworkPolicy: stagedGlobalPolicy
        case .stagedNetworkPolicy: stagedPolicy
        default: policy
        }
    }

    private static let policy = FieldSet(
        "tier",
        "order",
        "selector",
        "serviceAccountSelector",
        "types",
        "ingress",
        "egress",
        "performanceHints"
    )
    private static let stagedPolicy = FieldSet(
        "tier",
        "order",
        "selector",
        "serviceAccountSelector",
        "types",
        "ingress",
        "egress",
        "performanceHints",
        "stagedAction"
    )
    private static let globalPolicy = FieldSet(
        "tier",
        "order",
        "selector",
        "serviceAccountSelector",
        "types",
        "ingress",
        "egress",
        "performanceHints",
        "namespaceSelector",
        "doNotTrack",
        "preDNAT",
        "applyOnForward"
    )
    private static let stagedGlobalPolicy = FieldSet(
        "tier",
        "order",
        "selector",
        "serviceAccountSelector",
        "types",
        "ingress",
        "egress",
        "performanceHints",
        "namespaceSelector",
        "doNotTrack",
        "preDNAT",
        "applyOnForward",
        "stagedAction"
    )

    /// A rule.
    package static let calicoRule = FieldSet(
        "action",
        "ipVersion",
        "protocol",
        "notProtocol",
        "icmp",
        "notICMP",
        "http",
        "source",
        "destination",
        "metadata"
    )
    /// `metadata` of a rule, which contains only annotations.
    package static let ruleMetadata = FieldSet("annotations")
    /// `source` or `destination` of a rule; only Enterprise has `domains`.
    package static let entityRule = FieldSet(
        "nets",
        "notNets",
        "selector",
        "notSelector",
        "namespaceSelector",
        "ports",
        "notPorts",
        "serviceAccounts",
        "services",
        "domains"
    )
    /// `icmp` and `notICMP`.
    package static let icmp = FieldSet("type", "code")
    /// `http`; only Enterprise has `headers`.
    package static let http = FieldSet("methods", "paths", "headers")
    /// A path of `http`.
    package static let httpPath = FieldSet("exact", "prefix")
    /// `serviceAccounts`.
    package static let serviceAccounts = FieldSet("names", "selector")
    /// `services`.
    package static let services = FieldSet("name", "namespace")
    /// A tier.
    package static let tier = FieldSet("order", "defaultAction")
    /// A network set; only Enterprise has `allowedEgressDomains`.
    package static let networkSet = FieldSet("nets", "allowedEgressDomains")
    /// A host endpoint.
    package static let hostEndpoint = FieldSet("node", "interfaceName", "expectedIPs", "profiles", "ports")
    /// A failsafe port of a FelixConfiguration.
    package static let failsafePort = FieldSet("protocol", "port", "net")
    /// A port of a host endpoint.
    package static let endpointPort = FieldSet("name", "protocol", "port")
}

// MARK: - Kubernetes

extension FieldSet {
    /// The `spec` of a NetworkPolicy.
    package static let networkPolicy = FieldSet("podSelector", "policyTypes", "ingress", "egress")
    /// The `spec` of a StagedKubernetesNetworkPolicy.
    package static let stagedKubernetesPolicy = FieldSet(
        "podSelector",
        "policyTypes",
        "ingress",
        "egress",
        "stagedAction"
    )
    /// A rule of `ingress`.
    package static let ingressRule = FieldSet("from", "ports")
    /// A rule of `egress`.
    package static let egressRule = FieldSet("to", "ports")
    /// A peer.
    package static let networkPolicyPeer = FieldSet("podSelector", "namespaceSelector", "ipBlock")
    /// An `ipBlock`.
    package static let ipBlock = FieldSet("cidr", "except")
    /// A port.
    package static let networkPolicyPort = FieldSet("protocol", "port", "endPort")
}

// MARK: - Cluster-wide policies

extension FieldSet {
    /// The `spec` of an admin policy of a kind.
    package static func adminPolicy(_ kind: ObjectKind) -> FieldSet {
        switch kind {
        case .clusterNetworkPolicy: clusterPolicy
        case .baselineAdminNetworkPolicy: baselinePolicy
        default: prioritizedPolicy
        }
    }

    private static let prioritizedPolicy = FieldSet("priority", "subject", "ingress", "egress")
    private static let baselinePolicy = FieldSet("subject", "ingress", "egress")
    private static let clusterPolicy = FieldSet("tier", "priority", "subject", "ingress", "egress")
    /// The `subject` of a policy.
    package static let subject = FieldSet("namespaces", "pods")
    /// `pods` of a subject or peer.
    package static let namespacedPods = FieldSet("namespaceSelector", "podSelector")
    /// A rule of `ingress`; a ClusterNetworkPolicy has `protocols`, the others have `ports`.
    package static func adminIngressRule(_ kind: ObjectKind) -> FieldSet {
        kind == .clusterNetworkPolicy ? clusterIngressRule : adminIngressRule
    }

    /// A rule of `egress`.
    package static func adminEgressRule(_ kind: ObjectKind) -> FieldSet {
        kind == .clusterNetworkPolicy ? clusterEgressRule : adminEgressRule
    }

    private static let adminIngressRule = FieldSet("name", "action", "from", "ports")
    private static let adminEgressRule = FieldSet("name", "action", "to", "ports")
    private static let clusterIngressRule = FieldSet("name", "action", "from", "protocols")
    private static let clusterEgressRule = FieldSet("name", "action", "to", "protocols")

    /// A peer of a rule of `ingress`.
    package static let adminIngressPeer = FieldSet("namespaces", "pods")
    /// A peer of a rule of `egress`; a BaselineAdminNetworkPolicy has no `domainNames`.
    package static func adminEgressPeer(_ kind: ObjectKind) -> FieldSet {
        kind == .baselineAdminNetworkPolicy ? baselineEgressPeer : adminEgressPeer
    }

    private static let adminEgressPeer = FieldSet("namespaces", "pods", "nodes", "networks", "domainNames")
    private static let baselineEgressPeer = FieldSet("namespaces", "pods", "nodes", "networks")
    /// An element of `ports`.
    package static let adminPort = FieldSet("portNumber", "portRange", "namedPort")
    /// An element of `protocols`.
    package static let adminProtocol = FieldSet("tcp", "udp", "sctp", "destinationNamedPort")
    /// `portNumber`.
    package static let portNumber = FieldSet("protocol", "port")
    /// `portRange`.
    package static let portRange = FieldSet("protocol", "start", "end")
    /// `range` of `destinationPort`.
    package static let destinationRange = FieldSet("start", "end")
    /// `tcp`, `udp` and `sctp`.
    package static let destinationPort = FieldSet("destinationPort")
    /// `destinationPort`.
    package static let portNumberOrRange = FieldSet("number", "range")
}
