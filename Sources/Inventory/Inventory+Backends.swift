import ClusterModel
import FlowModel

/// The stored part of an EndpointSlice or Endpoints object: the backends of its service.
struct BackendRecord: Sendable {
    /// Addresses that share the same ports.
    struct Group: Sendable, Equatable {
        let addresses: [IPAddress]
        let ports: [Port]
    }

    /// A port.
    struct Port: Sendable, Equatable {
        let port: UInt16
        let proto: IPProtocol
    }

    let origin: BackendOrigin
    var groups: [Group] = []

    /// The places of all groups, up to ``ServicePlace/limit``.
    var places: Set<ServicePlace> {
        var places: Set<ServicePlace> = []
        for group in groups {
            for port in group.ports {
                for address in group.addresses where places.count < ServicePlace.limit {
                    places.insert(ServicePlace(address: address, port: port.port, proto: port.proto))
                }
            }
        }
        return places
    }

    /// Whether it lists more places than the limit; duplicates count, too.
    var isOversized: Bool {
        groups.reduce(0) { $0 + $1.addresses.count * $1.ports.count } > ServicePlace.limit
    }
}

extension Inventory {
    /// Adds or updates an EndpointSlice or Endpoints object.
    mutating func upsert(_ endpoints: ServiceEndpoints, from source: SourceID) {
        guard !endpoints.metadata.name.isEmpty else { return }
        var name = ObjectName(endpoints.metadata)
        let uid = ObjectUID(endpoints.metadata.uid)
        var known = backendStore(endpoints.kind).known(name, from: source)
        let knownUID = uid.or(known?.uid ?? uid)
        let service = endpoints.service ?? ""
        if let earlier = known, earlier.uid.isAnother(than: uid) || earlier.record.origin.service.name != service {
            removeBackends(endpoints.kind, name, from: source)
            known = nil
        }
        if known == nil { name.namespace = name.namespace.map { names.acquire($0) } }
        let earlier = known?.record ?? makeRecord(service, of: name, from: source)
        if known == nil { coverage.change(earlier.origin.service, slices: 1) }
        var record = earlier
        record.groups = endpoints.service == nil ? [] : endpoints.groups.map(BackendRecord.Group.init)
        change(earlier, to: record)
        report(endpoints.kind, name, uid: knownUID, record, from: source)
    }

    /// Removes an EndpointSlice or Endpoints object.
    mutating func removeBackends(_ kind: ObjectKind, _ name: ObjectName, from source: SourceID) {
        guard let record = backendStore(kind).known(name, from: source)?.record else { return }
        change(record, to: BackendRecord(origin: record.origin))
        coverage.change(record.origin.service, slices: -1)
        names.release(record.origin.service.name)
        if let namespace = name.namespace { names.release(namespace) }
        if kind == .endpoints {
            endpoints.remove(name, from: source)
        } else {
            endpointSlices.remove(name, from: source)
        }
    }

    private func backendStore(_ kind: ObjectKind) -> ObjectStore<BackendRecord> {
        kind == .endpoints ? endpoints : endpointSlices
    }

    private mutating func report(
        _ kind: ObjectKind,
        _ name: ObjectName,
        uid: ObjectUID,
        _ record: BackendRecord,
        from source: SourceID
    ) {
        if kind == .endpoints {
            endpoints.report(name, uid: uid, record, from: source)
        } else {
            endpointSlices.report(name, uid: uid, record, from: source)
        }
    }

    private mutating func makeRecord(
        _ service: String,
        of name: ObjectName,
        from source: SourceID
    ) -> BackendRecord {
        var serviceName = name
        serviceName.name = names.acquire(service)
        return BackendRecord(origin: BackendOrigin(service: serviceName, source: source))
    }

    private mutating func change(_ old: BackendRecord, to new: BackendRecord) {
        guard old.groups != new.groups else { return }
        if new.isOversized { oversizedObjects += 1 }
        let (oldPlaces, newPlaces) = (old.places, new.places)
        for place in oldPlaces where !newPlaces.contains(place) { backends.remove(old.origin, at: place) }
        for place in newPlaces where !oldPlaces.contains(place) { backends.add(new.origin, at: place) }
    }
}

extension BackendRecord.Group {
    fileprivate init(_ group: ServiceEndpoints.Group) {
        addresses = group.addresses.unique
        ports = group.ports.map { BackendRecord.Port(port: $0.port, proto: $0.proto) }
    }
}
