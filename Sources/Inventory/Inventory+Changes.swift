public import ClusterModel

extension Inventory {
    /// Applies changes of a source's objects, in order.
    ///
    /// - Parameters:
    ///   - changes: the changes.
    ///   - source: the source of the objects; objects with the same name from different sources are distinct.
    ///   - now: the present time, in monotonic nanoseconds.
    public mutating func apply(_ changes: [ClusterChange], from source: SourceID, at now: Int64) {
        self.now = max(self.now, now)
        for change in changes {
            switch change {
            case .upsert(let object): upsert(object, from: source)
            case .delete(let reference, let uid): delete(reference, uid: ObjectUID(uid), from: source)
            case .beginReplace(let kind): beginReplace(kind, from: source)
            case .endReplace(let kind): endReplace(kind, from: source)
            case .forget(let kind):
                beginReplace(kind, from: source)
                endReplace(kind, from: source)
            }
        }
    }

    private mutating func upsert(_ object: ClusterObject, from source: SourceID) {
        switch object {
        case .pod(let pod): upsert(pod, from: source)
        case .node(let node): upsert(node, from: source)
        case .hostEndpoint(let hostEndpoint): upsert(hostEndpoint, from: source)
        case .service(let service): upsert(service, from: source)
        case .serviceEndpoints(let endpoints): upsert(endpoints, from: source)
        case .networkSet(let set): upsert(set, from: source)
        case .namespace(let namespace): note(.namespace, namespace.metadata, from: source)
        case .serviceAccount(let account): note(.serviceAccount, account.metadata, from: source)
        case .networkPolicy(let policy): note(.networkPolicy, policy.metadata, from: source)
        case .tier(let tier): note(.tier, tier.metadata, from: source)
        case .felixConfiguration(let configuration): note(.felixConfiguration, configuration.metadata, from: source)
        case .calicoPolicy(let policy): note(policy.kind, policy.metadata, from: source)
        case .stagedKubernetesPolicy(let policy):
            note(.stagedKubernetesNetworkPolicy, policy.metadata, from: source)
        case .adminPolicy(let policy): note(policy.kind, policy.metadata, from: source)
        }
    }

    /// Records the existence of an object that does not appear in records.
    private mutating func note(_ kind: ObjectKind, _ metadata: ObjectMetadata, from source: SourceID) {
        guard !metadata.name.isEmpty else { return }
        others[kind, default: ObjectStore()]
            .report(ObjectName(metadata), uid: ObjectUID(metadata.uid), (), from: source)
    }

    /// Removes an object, unless its UID differs from the deleted one.
    private mutating func delete(_ reference: ObjectReference, uid: ObjectUID, from source: SourceID) {
        let name = ObjectName(reference)
        let known: ObjectUID? =
            switch reference.kind {
            case .pod: pods.known(name, from: source)?.uid
            case .node: nodes.known(name, from: source)?.uid
            case .hostEndpoint: hostEndpoints.known(name, from: source)?.uid
            case .service: services.known(name, from: source)?.uid
            case .endpointSlice: endpointSlices.known(name, from: source)?.uid
            case .endpoints: endpoints.known(name, from: source)?.uid
            case .networkSet: networkSets.known(name, from: source)?.uid
            case .globalNetworkSet: globalNetworkSets.known(name, from: source)?.uid
            default: others[reference.kind]?.known(name, from: source)?.uid
            }
        guard let known, !known.isAnother(than: uid) else { return }
        remove(reference.kind, name, from: source)
    }

    private mutating func remove(_ kind: ObjectKind, _ name: ObjectName, from source: SourceID) {
        switch kind {
        case .pod: removePod(name, from: source)
        case .node: removeNode(name, from: source)
        case .hostEndpoint: removeHostEndpoint(name, from: source)
        case .service: removeService(name, from: source)
        case .endpointSlice, .endpoints: removeBackends(kind, name, from: source)
        case .networkSet, .globalNetworkSet: removeNetworkSet(name, from: source)
        default: others[kind]?.remove(name, from: source)
        }
    }

    private mutating func beginReplace(_ kind: ObjectKind, from source: SourceID) {
        switch kind {
        case .pod: pods.beginReplace(from: source)
        case .node: nodes.beginReplace(from: source)
        case .hostEndpoint: hostEndpoints.beginReplace(from: source)
        case .service: services.beginReplace(from: source)
        case .endpointSlice: endpointSlices.beginReplace(from: source)
        case .endpoints: endpoints.beginReplace(from: source)
        case .networkSet: networkSets.beginReplace(from: source)
        case .globalNetworkSet: globalNetworkSets.beginReplace(from: source)
        default: others[kind, default: ObjectStore()].beginReplace(from: source)
        }
    }

    private mutating func endReplace(_ kind: ObjectKind, from source: SourceID) {
        let gone =
            switch kind {
            case .pod: pods.endReplace(from: source)
            case .node: nodes.endReplace(from: source)
            case .hostEndpoint: hostEndpoints.endReplace(from: source)
            case .service: services.endReplace(from: source)
            case .endpointSlice: endpointSlices.endReplace(from: source)
            case .endpoints: endpoints.endReplace(from: source)
            case .networkSet: networkSets.endReplace(from: source)
            case .globalNetworkSet: globalNetworkSets.endReplace(from: source)
            default: others[kind]?.endReplace(from: source) ?? []
            }
        // First remove losing claims, so that the winning claim of several removed objects is kept, whatever their order.
        for name in gone { releaseLosers(kind, name, from: source) }
        for name in gone { remove(kind, name, from: source) }
    }
}
