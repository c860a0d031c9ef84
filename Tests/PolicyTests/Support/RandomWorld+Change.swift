import ClusterModel
import FlowModel

extension RandomWorld {
    /// Changes some of ``objects``, as a cluster does, and returns the changes.
    mutating func change() -> [ClusterChange] {
        var changes: [ClusterChange] = []
        for _ in 0..<3 { changes += changeOne() }
        return changes
    }

    private mutating func changeOne() -> [ClusterChange] {
        if objects.isEmpty || random.once(in: 3) { return insert(policy(1_000 + random.below(1_000_000))) }
        let index = random.below(objects.count)
        if random.once(in: 3) {
            let reference = Self.reference(objects[index])
            objects.remove(at: index)
            return [.delete(reference, uid: nil)]
        }
        switch objects[index] {
        case .namespace(let namespace):
            objects[index] = Make.namespace(
                namespace.metadata.name,
                labels()
            )
        case .serviceAccount(var account):
            account.metadata.labels = Make.labels(labels())
            objects[index] = .serviceAccount(account)
        case .networkSet(var set):
            if random.once(in: 2) { set.nets = nets() } else { set.metadata.labels = Make.labels(labels()) }
            objects[index] = .networkSet(set)
        case .tier(var tier):
            tier.order = Double(random.below(3))
            tier.defaultAction = random.pick([.deny, .pass])
            objects[index] = .tier(tier)
        case .serviceEndpoints(var endpoints):
            endpoints.groups = endpoints.groups.map { group in
                ServiceEndpoints.Group(addresses: Array(group.addresses.dropFirst()), ports: group.ports)
            }
            objects[index] = .serviceEndpoints(endpoints)
        case .calicoPolicy(var policy):
            policy.selector = selector(2)
            policy.ingress.append(rule())
            policy.order = nil
            objects[index] = .calicoPolicy(policy)
        default: return []
        }
        return [.upsert(objects[index])]
    }

    private mutating func insert(_ object: ClusterObject) -> [ClusterChange] {
        let reference = Self.reference(object)
        objects.removeAll { Self.reference($0) == reference }
        objects.append(object)
        return [.upsert(object)]
    }

    /// Returns changes that replace all objects.
    func replacement() -> [ClusterChange] {
        ObjectKind.allCases.flatMap { kind in
            [.beginReplace(kind)] + objects.filter { Self.reference($0).kind == kind }.map { .upsert($0) }
                + [.endReplace(kind)]
        }
    }

    private static func reference(_ object: ClusterObject) -> ObjectReference {
        func make(_ kind: ObjectKind, _ metadata: ObjectMetadata) -> ObjectReference {
            ObjectReference(kind: kind, namespace: metadata.namespace, name: metadata.name)
        }
        return switch object {
        case .namespace(let object): make(.namespace, object.metadata)
        case .pod(let object): make(.pod, object.metadata)
        case .serviceAccount(let object): make(.serviceAccount, object.metadata)
        case .node(let object): make(.node, object.metadata)
        case .service(let object): make(.service, object.metadata)
        case .serviceEndpoints(let object): make(object.kind, object.metadata)
        case .networkSet(let object):
            make(object.metadata.namespace == nil ? .globalNetworkSet : .networkSet, object.metadata)
        case .hostEndpoint(let object): make(.hostEndpoint, object.metadata)
        case .felixConfiguration(let object): make(.felixConfiguration, object.metadata)
        case .networkPolicy(let object): make(.networkPolicy, object.metadata)
        case .tier(let object): make(.tier, object.metadata)
        case .calicoPolicy(let object): make(object.kind, object.metadata)
        case .stagedKubernetesPolicy(let object): make(.stagedKubernetesNetworkPolicy, object.metadata)
        case .adminPolicy(let object): make(object.kind, object.metadata)
        }
    }
}
