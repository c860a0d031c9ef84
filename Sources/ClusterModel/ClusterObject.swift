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
    /// An object is there, in this state, whether or not it was before.
    case upsert(ClusterObject)
    /// An object is gone. With a uid, only if it is the one with that uid.
    case delete(ObjectReference, uid: String?)
    /// All objects of a kind follow, from the beginning.
    case beginReplace(ObjectKind)
    /// All objects of a kind have been delivered since `beginReplace`; others are gone.
    case endReplace(ObjectKind)
    /// The objects of a kind may be wrong by now, and nothing is known of it until the next `endReplace`: not even that
    /// there are no objects.
    case forget(ObjectKind)
}

/// Identifies a source of objects: the API server, or a file.
///
/// The same object from two of them is two.
public struct SourceID: RawRepresentable, Sendable, Hashable {
    /// The number.
    public var rawValue: UInt32

    /// Takes the number.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }
}
