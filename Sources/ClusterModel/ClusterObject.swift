/// An object that Weir uses, of any kind.
public enum ClusterObject: Sendable {
    /// A Namespace.
    case namespace(Namespace)
    /// A Pod.
    case pod(Pod)
    /// A ServiceAccount.
    case serviceAccount(ServiceAccount)
    /// A Node.
    case node(Node)
    /// A Service.
    case service(Service)
    /// An EndpointSlice, or an Endpoints object.
    case serviceEndpoints(ServiceEndpoints)
    /// A NetworkSet, or a GlobalNetworkSet.
    case networkSet(NetworkSet)
    /// A HostEndpoint.
    case hostEndpoint(HostEndpoint)
    /// A FelixConfiguration.
    case felixConfiguration(FelixConfiguration)
    /// A Kubernetes NetworkPolicy.
    case networkPolicy(NetworkPolicy)
    /// A Calico Tier.
    case tier(Tier)
    /// A Calico policy: NetworkPolicy, GlobalNetworkPolicy, or a staged one of these.
    case calicoPolicy(CalicoPolicy)
    /// A Calico StagedKubernetesNetworkPolicy.
    case stagedKubernetesPolicy(StagedKubernetesPolicy)
    /// An AdminNetworkPolicy, a BaselineAdminNetworkPolicy or a ClusterNetworkPolicy.
    case adminPolicy(AdminPolicy)
}

/// A change of the objects of a source.
public enum ClusterChange: Sendable {
    /// An object was added or updated; this is its present state.
    case upsert(ClusterObject)
    /// An object was deleted.
    ///
    /// If there is a UID, the change applies only to the object with that UID.
    case delete(ObjectReference, uid: String?)
    /// A complete delivery of all objects of a kind begins.
    case beginReplace(ObjectKind)
    /// All objects of a kind were delivered since `beginReplace`; other objects of the kind no longer exist.
    case endReplace(ObjectKind)
    /// The objects of a kind may be outdated, and their state is unknown until the next `endReplace`.
    ///
    /// An empty set is unknown, too.
    case forget(ObjectKind)
}

/// Identifies a source of objects: the API server, or a file.
///
/// Objects with the same name from two sources are distinct objects.
public struct SourceID: RawRepresentable, Sendable, Hashable {
    /// The number.
    public var rawValue: UInt32

    /// Takes the number.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }
}
