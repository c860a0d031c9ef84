extension ClusterObject {
    /// The metadata of the object.
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
        case .felixConfiguration(let object): object.metadata
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
        case .felixConfiguration: .felixConfiguration
        case .networkPolicy: .networkPolicy
        case .tier: .tier
        case .calicoPolicy(let object): object.kind
        case .stagedKubernetesPolicy: .stagedKubernetesNetworkPolicy
        case .adminPolicy(let object): object.kind
        }
    }

    /// Fields that the object's API does not define.
    ///
    /// Only policies, tiers, network sets, host endpoints and FelixConfigurations are checked.
    public internal(set) var unknownFields: UnknownFields {
        get {
            switch self {
            case .networkSet(let object): object.unknownFields
            case .hostEndpoint(let object): object.unknownFields
            case .felixConfiguration(let object): object.unknownFields
            case .networkPolicy(let object): object.unknownFields
            case .tier(let object): object.unknownFields
            case .calicoPolicy(let object): object.unknownFields
            case .stagedKubernetesPolicy(let object): object.unknownFields
            case .adminPolicy(let object): object.unknownFields
            case .namespace, .pod, .serviceAccount, .node, .service, .serviceEndpoints: UnknownFields()
            }
        }
        set {
            switch self {
            case .networkSet(var object):
                object.unknownFields = newValue
                self = .networkSet(object)
            case .hostEndpoint(var object):
                object.unknownFields = newValue
                self = .hostEndpoint(object)
            case .felixConfiguration(var object):
                object.unknownFields = newValue
                self = .felixConfiguration(object)
            case .networkPolicy(var object):
                object.unknownFields = newValue
                self = .networkPolicy(object)
            case .tier(var object):
                object.unknownFields = newValue
                self = .tier(object)
            case .calicoPolicy(var object):
                object.unknownFields = newValue
                self = .calicoPolicy(object)
            case .stagedKubernetesPolicy(var object):
                object.unknownFields = newValue
                self = .stagedKubernetesPolicy(object)
            case .adminPolicy(var object):
                object.unknownFields = newValue
                self = .adminPolicy(object)
            case .namespace, .pod, .serviceAccount, .node, .service, .serviceEndpoints:
                break
            }
        }
    }

    /// The reference to the object.
    public var reference: ObjectReference {
        let metadata = metadata
        return ObjectReference(kind: kind, namespace: metadata.namespace, name: metadata.name)
    }
}
