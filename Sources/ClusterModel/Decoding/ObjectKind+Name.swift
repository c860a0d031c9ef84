import FlowModel

extension ObjectKind {
    /// Whether objects of the kind are in a namespace.
    public var isNamespaced: Bool {
        switch self {
        case .namespace, .node, .adminNetworkPolicy, .baselineAdminNetworkPolicy, .clusterNetworkPolicy, .tier,
            .globalNetworkPolicy, .stagedGlobalNetworkPolicy, .globalNetworkSet, .hostEndpoint,
            .felixConfiguration:
            false
        case .pod, .serviceAccount, .service, .endpointSlice, .endpoints, .networkPolicy, .calicoNetworkPolicy,
            .stagedNetworkPolicy, .stagedKubernetesNetworkPolicy, .networkSet:
            true
        }
    }
}

/// The kind that a value declares by its `apiVersion` and `kind`.
enum DeclaredKind {
    /// An object of a kind that Weir uses.
    case object(ObjectKind)
    /// A list; its items have this kind, or declare their own kinds if it is nil.
    case list(ObjectKind?)
    /// A kind that Weir does not use.
    case unused
    /// A kind that does not exist in its group and is probably a misspelt kind that Weir uses; with the reason.
    case misspelt(String)
    /// The value has no kind.
    case missing

    /// Uses the group of the `apiVersion` and the `kind`; versions of a group are not distinguished.
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
        } else if let reason = Self.misspelling(apiVersion, group: group, kind: kind) {
            self = .misspelt(reason)
        } else {
            self = .unused
        }
    }

    private static func object(group: String, kind: String) -> ObjectKind? {
        KindGroup.all.first { $0.names.contains(group) }?.kinds[kind]
    }

    /// Returns a message about a kind that does not exist, with a suggestion; nil if the kind may exist and be unused by
    /// Weir.
    private static func misspelling(_ apiVersion: String, group: String, kind: String) -> String? {
        guard let own = KindGroup.all.first(where: { $0.names.contains(group) }) else { return nil }
        let others = KindGroup.all.filter { $0.kinds[kind] != nil }.map(\.version)
        if !others.isEmpty {
            return "\(apiVersion.printable) has no kind \(kind); write \(others.joined(separator: " or "))"
        }
        guard let nearest = EditDistance.nearest(to: kind, among: own.kinds.keys.sorted()) else { return nil }
        return "\(apiVersion.printable) has no kind \(kind.printable); did you mean \(nearest)?"
    }
}

/// The kinds of one API group that Weir uses.
private struct KindGroup {
    /// The group's names: the current one, and others under which servers serve or served it.
    var names: [String]
    /// The current `apiVersion`.
    var version: String
    /// The kinds by their names in the API.
    var kinds: [String: ObjectKind]

    static let all = [
        KindGroup(
            names: [""],
            version: "v1",
            kinds: [
                "Namespace": .namespace, "Pod": .pod, "ServiceAccount": .serviceAccount, "Node": .node,
                "Service": .service, "Endpoints": .endpoints,
            ]
        ),
        KindGroup(
            names: ["discovery.k8s.io"],
            version: "discovery.k8s.io/v1",
            kinds: ["EndpointSlice": .endpointSlice]
        ),
        KindGroup(
            names: ["networking.k8s.io", "extensions"],
            version: "networking.k8s.io/v1",
            kinds: ["NetworkPolicy": .networkPolicy]
        ),
        KindGroup(
            names: ["policy.networking.k8s.io"],
            version: "policy.networking.k8s.io/v1alpha1",
            kinds: [
                "AdminNetworkPolicy": .adminNetworkPolicy, "BaselineAdminNetworkPolicy": .baselineAdminNetworkPolicy,
                "ClusterNetworkPolicy": .clusterNetworkPolicy,
            ]
        ),
        KindGroup(
            names: ["projectcalico.org", "crd.projectcalico.org"],
            version: "projectcalico.org/v3",
            kinds: [
                "Tier": .tier, "NetworkPolicy": .calicoNetworkPolicy, "GlobalNetworkPolicy": .globalNetworkPolicy,
                "StagedNetworkPolicy": .stagedNetworkPolicy, "StagedGlobalNetworkPolicy": .stagedGlobalNetworkPolicy,
                "StagedKubernetesNetworkPolicy": .stagedKubernetesNetworkPolicy, "NetworkSet": .networkSet,
                "GlobalNetworkSet": .globalNetworkSet, "HostEndpoint": .hostEndpoint,
                "FelixConfiguration": .felixConfiguration,
            ]
        ),
    ]
}

extension JSONReader {
    /// Reads the kind that an object declares; it stops as soon as the kind is known, usually after two members.
    ///
    /// The reader may then be anywhere within the object.
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
