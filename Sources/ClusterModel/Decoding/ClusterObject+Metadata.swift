extension ClusterObject {
    /// What the object says of itself.
    public var metadata: ObjectMetadata {
        switch self {
        case .namespace(let object): object.metadata
        case .pod(let object): object.metadata
        case .serviceAccount(let object): object.metadata
        case .node(let object): object.metadata
        case .service(let object): object.metadata
        case .serviceEndpoints(let object): object.metadata
        case .networkSet(let object): object.metadata
        case .hostEndpoint(let object): object.metadata
        case .networkPolicy(let object): object.metadata
        case .tier(let object): object.metadata
        case .calicoPolicy(let object): object.metadata
        case .stagedKubernetesPolicy(let object): object.metadata
        case .adminPolicy(let object): object.metadata
        }
    }

    /// The object's kind.
    public var kind: ObjectKind {
        switch self {
        case .namespace: .namespace
        case .pod: .pod
        case .serviceAccount: .serviceAccount
        case .node: .node
        case .service: .service
        case .serviceEndpoints(let object): object.kind
        case .networkSet(let object): object.metadata.namespace == nil ? .globalNetworkSet : .networkSet
        case .hostEndpoint: .hostEndpoint
        case .networkPolicy: .networkPolicy
        case .tier: .tier
        case .calicoPolicy(let object): object.kind
        case .stagedKubernetesPolicy: .stagedKubernetesNetworkPolicy
        case .adminPolicy(let object): object.kind
        }
    }

    /// What names the object.
    public var reference: ObjectReference {
        let metadata = metadata
        return ObjectReference(kind: kind, namespace: metadata.namespace, name: metadata.name)
    }
}
