import ClusterModel
import FlowModel

/// The stored parts of a NetworkSet or GlobalNetworkSet.
struct NetworkSetRecord: Sendable {
    var identity: ShownIdentity
    var nets: [IPPrefix]
}

extension Inventory {
    /// Adds or updates a network set.
    mutating func upsert(_ set: NetworkSet, from source: SourceID) {
        guard !set.metadata.name.isEmpty else { return }
        var name = ObjectName(set.metadata)
        let uid = ObjectUID(set.metadata.uid)
        var known = networkSetStore(name).known(name, from: source)
        if let earlier = known, earlier.uid.isAnother(than: uid) {
            removeNetworkSet(name, from: source)
            known = nil
        }
        if known == nil { name.namespace = name.namespace.map { names.acquire($0) } }
        let earlier = known?.record
        let identity = identity(
            replacing: earlier?.identity,
            earlier.map { ObjectName($0.identity.endpoint) } ?? name,
            aggregatedName: .itself,
            EndpointTraits(kind: .networkSet, namespace: name.namespace, labels: set.metadata.labels)
        )
        let record = NetworkSetRecord(identity: identity, nets: set.nets)
        if identity.endpoint !== earlier?.identity.endpoint || record.nets != earlier?.nets {
            networkSetMembers[identity.endpoint.object] = .init(
                endpoint: identity.endpoint,
                source: source,
                nets: record.nets
            )
            networkSetsChanged = true
            edits += 1
        }
        if name.namespace == nil {
            globalNetworkSets.report(name, uid: uid.or(known?.uid ?? uid), record, from: source)
        } else {
            networkSets.report(name, uid: uid.or(known?.uid ?? uid), record, from: source)
        }
    }

    /// Removes a network set; unlike endpoints it is not kept for a while, as in Calico.
    mutating func removeNetworkSet(_ name: ObjectName, from source: SourceID) {
        guard let record = networkSetStore(name).known(name, from: source)?.record else { return }
        networkSetMembers[record.identity.endpoint.object] = nil
        networkSetsChanged = true
        edits += 1
        forget(record.identity)
        if let namespace = name.namespace {
            names.release(namespace)
            networkSets.remove(name, from: source)
        } else {
            globalNetworkSets.remove(name, from: source)
        }
    }

    private func networkSetStore(_ name: ObjectName) -> ObjectStore<NetworkSetRecord> {
        name.namespace == nil ? globalNetworkSets : networkSets
    }
}
