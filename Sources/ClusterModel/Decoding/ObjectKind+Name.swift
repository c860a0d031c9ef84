extension ObjectKind {
    /// Whether objects of the kind are in a namespace.
    public var isNamespaced: Bool {
        switch self {
        case .namespace, .node, .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy, .tier,
            .globalNetworkPolicy, .stagedGlobalNetworkPolicy, .globalNetworkSet, .hostEndpoint:
            false
        case .pod, .serviceAccount, .service, .endpointSlice, .endpoints, .networkPolicy, .calicoNetworkPolicy,
            .stagedNetworkPolicy, .stagedKubernetesNetworkPolicy, .networkSet:
            true
        }
    }
}

/// What a text is by its own `apiVersion` and `kind`.
enum DeclaredKind {
    /// An object that Weir uses.
    case object(ObjectKind)
    /// A list of objects that name their kinds, or else are of this one.
    case list(ObjectKind?)
    /// Something that Weir does not use.
    case unused
    /// It has no kind.
    case missing

    /// Goes by the group of the `apiVersion` and by the `kind`; versions of a group are not distinguished.
    init(apiVersion: String, kind: String) {
        guard !kind.isEmpty else {
            self = .missing
            return
        }
        let slash = apiVersion.firstIndex(of: "/")
        let group = slash.map { String(apiVersion[..<$0]) } ?? ""
        if let object = Self.object(group: group, kind: kind) {
            self = .object(object)
        } else if kind == "List" {
            self = .list(nil)
        } else if kind.hasSuffix("List") {
            self = Self.object(group: group, kind: String(kind.dropLast(4))).map { .list($0) } ?? .unused
        } else {
            self = .unused
        }
    }

    private static func object(group: String, kind: String) -> ObjectKind? {
        switch group {
        case "":
            coreKinds(kind)
        case "discovery.k8s.io":
            kind == "EndpointSlice" ? .endpointSlice : nil
        case "networking.k8s.io", "extensions":
            kind == "NetworkPolicy" ? .networkPolicy : nil
        case "policy.networking.k8s.io":
            adminKinds(kind)
        case "projectcalico.org", "crd.projectcalico.org":
            calicoKinds(kind)
        default:
            nil
        }
    }

    private static func coreKinds(_ kind: String) -> ObjectKind? {
        switch kind {
        case "Namespace": .namespace
        case "Pod": .pod
        case "ServiceAccount": .serviceAccount
        case "Node": .node
        case "Service": .service
        case "Endpoints": .endpoints
        default: nil
        }
    }

    private static func adminKinds(_ kind: String) -> ObjectKind? {
        switch kind {
        case "AdminNetworkPolicy": .adminNetworkPolicy
        case "BaselineAdminNetworkPolicy": .baselineAdminNetworkPolicy
        case "ClusterNetworkPolicy": .clusterNetworkPolicy
        default: nil
        }
    }

    private static func calicoKinds(_ kind: String) -> ObjectKind? {
        switch kind {
        case "Tier": .tier
        case "NetworkPolicy": .calicoNetworkPolicy
        case "GlobalNetworkPolicy": .globalNetworkPolicy
        case "StagedNetworkPolicy": .stagedNetworkPolicy
        case "StagedGlobalNetworkPolicy": .stagedGlobalNetworkPolicy
        case "StagedKubernetesNetworkPolicy": .stagedKubernetesNetworkPolicy
        case "NetworkSet": .networkSet
        case "GlobalNetworkSet": .globalNetworkSet
        case "HostEndpoint": .hostEndpoint
        default: nil
        }
    }
}

extension JSONReader {
    /// The kind that an object declares; stops as soon as it is known, which mostly is at once, and leaves the reader
    /// anywhere within the object.
    mutating func declaredKind() throws(JSONError) -> DeclaredKind {
        var apiVersion: String?
        var kind: String?
        guard try enterObject() else { return .missing }
        while let key = try nextKey() {
            switch key {
            case "apiVersion": apiVersion = try string()
            case "kind": kind = try string()
            default: try skip()
            }
            if let apiVersion, let kind { return DeclaredKind(apiVersion: apiVersion, kind: kind) }
        }
        return DeclaredKind(apiVersion: apiVersion ?? "", kind: kind ?? "")
    }
}
