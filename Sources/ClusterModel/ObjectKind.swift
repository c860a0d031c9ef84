/// The kinds of objects that Weir uses.
public enum ObjectKind: String, Sendable, Hashable, CaseIterable, Codable {
    /// `v1` Namespace.
    case namespace = "Namespace"
    /// `v1` Pod.
    case pod = "Pod"
    /// `v1` ServiceAccount.
    case serviceAccount = "ServiceAccount"
    /// `v1` Node.
    case node = "Node"
    /// `v1` Service.
    case service = "Service"
    /// `discovery.k8s.io` EndpointSlice.
    case endpointSlice = "EndpointSlice"
    /// `v1` Endpoints, for servers without EndpointSlice.
    case endpoints = "Endpoints"
    /// `networking.k8s.io` NetworkPolicy.
    case networkPolicy = "NetworkPolicy"
    /// `policy.networking.k8s.io` AdminNetworkPolicy.
    case adminNetworkPolicy = "AdminNetworkPolicy"
    /// `policy.networking.k8s.io` BaselineAdminNetworkPolicy.
    case baselineAdminNetworkPolicy = "BaselineAdminNetworkPolicy"
    /// `policy.networking.k8s.io` ClusterNetworkPolicy.
    case clusterNetworkPolicy = "ClusterNetworkPolicy"
    /// Calico Tier.
    case tier = "Tier"
    /// Calico NetworkPolicy; the Kubernetes kind has the same name in another group.
    case calicoNetworkPolicy = "Calico NetworkPolicy"
    /// Calico GlobalNetworkPolicy.
    case globalNetworkPolicy = "GlobalNetworkPolicy"
    /// Calico StagedNetworkPolicy.
    case stagedNetworkPolicy = "StagedNetworkPolicy"
    /// Calico StagedGlobalNetworkPolicy.
    case stagedGlobalNetworkPolicy = "StagedGlobalNetworkPolicy"
    /// Calico StagedKubernetesNetworkPolicy.
    case stagedKubernetesNetworkPolicy = "StagedKubernetesNetworkPolicy"
    /// Calico NetworkSet.
    case networkSet = "NetworkSet"
    /// Calico GlobalNetworkSet.
    case globalNetworkSet = "GlobalNetworkSet"
    /// Calico HostEndpoint.
    case hostEndpoint = "HostEndpoint"
    /// Calico FelixConfiguration.
    case felixConfiguration = "FelixConfiguration"
}

extension ObjectKind {
    /// Whether the evaluation of policies requires the objects of this kind.
    public var decidesPolicies: Bool {
        switch self {
        // Without a FelixConfiguration, Felix's defaults apply.
        case .node, .service, .endpointSlice, .endpoints, .felixConfiguration: false
        default: true
        }
    }

    /// Whether the last write of such objects is read; there are few of them, and each affects many connections.
    public var hasLastWrite: Bool {
        switch self {
        case .pod, .serviceAccount: false
        default: decidesPolicies
        }
    }

    /// Whether an unseen object of this kind could reverse the decision of enforced policies for known endpoints.
    ///
    /// Staged policies affect only pending hits, and labels of service accounts affect few policies.
    public var mayTurnPolicies: Bool {
        switch self {
        case .pod, .serviceAccount: false
        case .stagedNetworkPolicy, .stagedGlobalNetworkPolicy, .stagedKubernetesNetworkPolicy: false
        default: decidesPolicies
        }
    }
}

/// A reference to an object, unique within a source.
public struct ObjectReference: Sendable, Hashable {
    /// The kind.
    public var kind: ObjectKind
    /// The namespace; nil for kinds without one.
    public var namespace: String?
    /// The name.
    public var name: String

    /// Takes all members.
    public init(kind: ObjectKind, namespace: String?, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }
}

extension ObjectReference: CustomStringConvertible {
    /// A text such as `Pod shop/frontend-1`; control and format characters of the names are escaped.
    public var description: String {
        "\(kind.rawValue) \(namespace.map { "\($0.printable)/" } ?? "")\(name.printable)"
    }
}

extension String {
    /// The text with control and format characters as `\u{…}`.
    ///
    /// Such text cannot forge log lines, control a terminal or change the text direction.
    public var printable: String {
        if utf8.allSatisfy({ 0x20..<0x7f ~= $0 }) { return self }
        return unicodeScalars.map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: "\\u{\(String(scalar.value, radix: 16))}"
            // Fillers and variation selectors are letters or marks in Unicode, but invisible.
            case _ where scalar.properties.isDefaultIgnorableCodePoint: "\\u{\(String(scalar.value, radix: 16))}"
            default: String(Character(scalar))
            }
        }.joined()
    }
}
