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
    /// Calico NetworkPolicy; its resource has the same name as Kubernetes' and another group.
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
    /// Whether policies cannot be evaluated without the objects of this kind.
    public var decidesPolicies: Bool {
        switch self {
        // Without a FelixConfiguration Felix' defaults are in force.
        case .node, .service, .endpointSlice, .endpoints, .felixConfiguration: false
        default: true
        }
    }

    /// Whether the last write of such an object is read: there are few of them, and what they say decides for many connections.
    public var hasLastWrite: Bool {
        switch self {
        case .pod, .serviceAccount: false
        default: decidesPolicies
        }
    }

    /// Whether an unseen object of this kind could reverse the decision of enforced policies for known endpoints.
    ///
    /// Of staged policies only pending hits depend, and of service accounts' labels few policies.
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
    /// The namespace; nil for kinds that are not in one.
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
    /// A text such as `Pod shop/frontend-1`; control and format characters of names that came from outside are escaped.
    public var description: String {
        "\(kind.rawValue) \(namespace.map { "\($0.printable)/" } ?? "")\(name.printable)"
    }
}

extension String {
    /// The text with control and format characters as `\u{…}`, so that it cannot forge lines of a log, write to a terminal
    /// or turn its direction.
    public var printable: String {
        if utf8.allSatisfy({ 0x20..<0x7f ~= $0 }) { return self }
        return unicodeScalars.map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: "\\u{\(String(scalar.value, radix: 16))}"
            // Fillers and selectors of variants are letters and marks, and show nothing.
            case _ where scalar.properties.isDefaultIgnorableCodePoint: "\\u{\(String(scalar.value, radix: 16))}"
            default: String(Character(scalar))
            }
        }.joined()
    }
}
