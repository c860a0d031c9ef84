import ClusterModel
import FlowModel

extension PolicyObjects.Part {
    /// Takes the part of an object that affects policies; nil if there is none.
    init?(_ object: ClusterObject) {
        switch object {
        case .networkPolicy(let policy): self.init(.networkPolicy, policy.metadata, .policy(object))
        case .calicoPolicy(let policy): self.init(policy.kind, policy.metadata, .policy(object))
        case .stagedKubernetesPolicy(let policy):
            self.init(.stagedKubernetesNetworkPolicy, policy.metadata, .policy(object))
        case .adminPolicy(let policy): self.init(policy.kind, policy.metadata, .policy(object))
        case .tier(let tier): self.init(.tier, tier.metadata, .tier(tier))
        case .namespace(let namespace):
            self.init(.namespace, namespace.metadata, .namespace(namespace.metadata.labels))
        case .serviceAccount(let account):
            self.init(.serviceAccount, account.metadata, .serviceAccount(account.metadata.labels))
        case .networkSet(let set):
            let kind: ObjectKind = set.metadata.namespace == nil ? .globalNetworkSet : .networkSet
            self.init(kind, set.metadata, .networkSet(set.metadata.labels, set.nets, domains: set.domains))
        case .serviceEndpoints(let endpoints):
            guard let service = endpoints.service else { return nil }
            self.init(
                endpoints.kind,
                endpoints.metadata,
                .endpoints(service: service, endpoints.groups.map(\.withoutReadiness))
            )
        case .hostEndpoint(let endpoint): self.init(.hostEndpoint, endpoint.metadata, .hostEndpoint(endpoint))
        case .felixConfiguration(let configuration):
            self.init(.felixConfiguration, configuration.metadata, .felixConfiguration(configuration))
        case .pod, .node, .service: return nil
        }
    }

    private init(_ kind: ObjectKind, _ metadata: ObjectMetadata, _ contents: Contents) {
        reference = ObjectReference(kind: kind, namespace: metadata.namespace, name: metadata.name)
        uid = metadata.uid
        self.contents = contents
    }
}

extension ServiceEndpoints.Group {
    /// A copy without readiness, which Calico ignores for `services` of a rule.
    fileprivate var withoutReadiness: Self { Self(addresses: addresses, ports: ports) }
}

extension ClusterObject {
    /// Whether two policies have the same contents, regardless of their versions.
    func isSamePolicy(as other: ClusterObject) -> Bool {
        switch (self, other) {
        case (.networkPolicy(let one), .networkPolicy(let other)):
            one.spec == other.spec && one.unknownFields == other.unknownFields
        case (.stagedKubernetesPolicy(let one), .stagedKubernetesPolicy(let other)):
            one.spec == other.spec && one.stagedAction == other.stagedAction
                && one.unknownFields == other.unknownFields
        case (.calicoPolicy(var one), .calicoPolicy(let other)):
            {
                one.metadata = other.metadata
                return one == other
            }()
        case (.adminPolicy(var one), .adminPolicy(let other)):
            {
                one.metadata = other.metadata
                return one == other
            }()
        default: false
        }
    }
}
