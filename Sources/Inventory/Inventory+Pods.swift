import ClusterModel
import FlowModel

/// The stored parts of a pod.
///
/// A pod has no identity before it has an address, or if it uses the node's network: lookups by address do not return it.
struct PodRecord: Sendable {
    var identity: ShownIdentity?
    /// The addresses that the pod claims.
    var addresses = AddressList.none
}

extension Pod {
    /// The addresses that belong to this pod alone.
    ///
    /// A pod in the node's network claims none. A pod that has ended claims none, because its addresses may belong to
    /// another pod.
    fileprivate var claimedAddresses: [IPAddress] {
        usesHostNetwork || phase == .ended ? [] : addresses.unique
    }
}

extension Inventory {
    /// Adds or updates a pod.
    mutating func upsert(_ pod: Pod, from source: SourceID) {
        guard !pod.metadata.name.isEmpty else { return }
        var name = ObjectName(pod.metadata)
        let uid = ObjectUID(pod.metadata.uid)
        var known = pods.known(name, from: source)
        if let earlier = known, earlier.uid.isAnother(than: uid) {
            removePod(name, from: source)
            known = nil
        }
        if known == nil { name.namespace = name.namespace.map { names.acquire($0) } }
        if pod.node == hostName, containers.replace(pod.containers, of: name) { edits += 1 }
        var record = known?.record ?? PodRecord()
        change(&record, to: pod, name, from: source)
        pods.report(name, uid: uid.or(known?.uid ?? uid), record, from: source)
    }

    /// Removes a pod.
    mutating func removePod(_ name: ObjectName, from source: SourceID) {
        guard let record = pods.known(name, from: source)?.record else { return }
        if containers.replace([], of: name) { edits += 1 }
        if let identity = record.identity {
            let claim = AddressClaim(endpoint: identity.endpoint, source: source, standing: .pod)
            moveClaims(from: record.addresses.array, to: [], claim)
            forget(identity)
        }
        if let namespace = name.namespace { names.release(namespace) }
        pods.remove(name, from: source)
    }

    private mutating func change(_ record: inout PodRecord, to pod: Pod, _ name: ObjectName, from source: SourceID) {
        let new = pod.claimedAddresses
        guard record.identity != nil || !new.isEmpty else { return }
        let earlier = record.identity
        let identity = identity(
            replacing: earlier,
            // The earlier endpoint's strings are shared instances.
            earlier.map { ObjectName($0.endpoint) } ?? name,
            aggregatedName: AggregatedName(pod.metadata),
            EndpointTraits(
                kind: .workload,
                namespace: name.namespace,
                labels: pod.metadata.labels,
                serviceAccount: pod.serviceAccount,
                namedPorts: pod.namedPorts
            )
        )
        let isLocal = pod.node == hostName
        let seniority = Seniority(
            pod.metadata,
            started: pod.started,
            hasReleasedNetwork: pod.hasReleasedNetwork
        )
        moveClaims(
            from: record.addresses.array,
            to: new,
            AddressClaim(
                endpoint: identity.endpoint,
                seniority: seniority,
                source: source,
                standing: .pod,
                isLocal: isLocal
            )
        )
        record = PodRecord(identity: identity, addresses: AddressList(new))
        if pod.phase == .ended {
            forget(identity)
            record.identity = nil
        }
    }
}

extension ObjectName {
    /// The name of the object that an endpoint represents.
    init(_ endpoint: Endpoint) {
        namespace = endpoint.namespace
        name = endpoint.name
    }
}
