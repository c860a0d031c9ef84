import ClusterModel
import FlowModel

/// The stored part of a Service: the places where clients reach it, and its service ports in records.
struct ServiceRecord: Sendable {
    /// A port.
    struct Port: Sendable {
        let proto: IPProtocol
        let shown: ServicePort
        /// The service port in records for connections to a node's address; nil without a node port.
        let shownAtNode: ServicePort?
    }

    /// The unique number of the service.
    let object: UInt64
    var addresses: [IPAddress] = []
    var ports: [Port] = []

    /// The places where clients reach the service by its own addresses.
    var places: [ServicePlace: ServicePort] {
        var places: [ServicePlace: ServicePort] = [:]
        for port in ports {
            for address in addresses {
                places[ServicePlace(address: address, port: port.shown.port, proto: port.proto)] = port.shown
            }
        }
        return places
    }

    /// The places where clients reach the service by node ports.
    var nodePlaces: [ServicePlace: ServicePort] {
        var places: [ServicePlace: ServicePort] = [:]
        for port in ports {
            guard let shown = port.shownAtNode else { continue }
            places[.atNode(shown.port, port.proto)] = shown
        }
        return places
    }
}

extension ServicePlace {
    /// The place that stands for a port of every node.
    static func atNode(_ port: UInt16, _ proto: IPProtocol) -> ServicePlace {
        ServicePlace(address: IPAddress(word0: 0, word1: 0), port: port, proto: proto)
    }

    /// The most places of one object: more than any real object has, and few enough to be harmless.
    static let limit = 65_536
}

extension Inventory {
    /// Adds or updates a Service.
    mutating func upsert(_ service: Service, from source: SourceID) {
        guard !service.metadata.name.isEmpty else { return }
        var name = ObjectName(service.metadata)
        let uid = ObjectUID(service.metadata.uid)
        var known = services.known(name, from: source)
        if let earlier = known, earlier.uid.isAnother(than: uid) {
            removeService(name, from: source)
            known = nil
        }
        if known == nil {
            name.namespace = name.namespace.map { names.acquire($0) }
            // The slices of the service refer to it by the same name.
            name.name = names.acquire(name.name)
            lastService += 1
        }
        let earlier = known?.record ?? ServiceRecord(object: lastService)
        let record = record(of: service, name, replacing: earlier)
        change(name, earlier, to: record, from: source)
        services.report(name, uid: uid.or(known?.uid ?? uid), record, from: source)
    }

    /// Removes a Service.
    mutating func removeService(_ name: ObjectName, from source: SourceID) {
        guard let record = services.known(name, from: source)?.record else { return }
        change(name, record, to: ServiceRecord(object: record.object), from: source)
        names.release(name.name)
        if let namespace = name.namespace { names.release(namespace) }
        services.remove(name, from: source)
    }

    /// The stored part of a Service; unchanged service ports keep their instances.
    private mutating func record(
        of service: Service,
        _ name: ObjectName,
        replacing earlier: ServiceRecord
    ) -> ServiceRecord {
        let known = earlier.ports.flatMap { [$0.shown, $0.shownAtNode].compactMap { $0 } }
        func shown(_ port: Service.Port, _ number: UInt16) -> ServicePort {
            known.first { $0.port == number && $0.portName == port.name }
                ?? ServicePort(
                    namespace: known.first?.namespace ?? name.namespace ?? "",
                    name: name.name,
                    portName: port.name,
                    port: number
                )
        }
        var record = ServiceRecord(object: earlier.object)
        record.addresses = service.addresses.unique
        let room = ServicePlace.limit / max(1, record.addresses.count)
        if service.ports.count > room { oversizedObjects += 1 }
        record.ports = service.ports.prefix(room)
            .map { port in
                ServiceRecord.Port(
                    proto: port.proto,
                    shown: shown(port, port.port),
                    shownAtNode: port.nodePort.map { shown(port, $0) }
                )
            }
        return record
    }

    private mutating func change(
        _ name: ObjectName,
        _ old: ServiceRecord,
        to new: ServiceRecord,
        from source: SourceID
    ) {
        coverage.change(name, services: (new.addresses.isEmpty ? 0 : 1) - (old.addresses.isEmpty ? 0 : 1))
        servicePorts.move(old.object, from: old.places, to: new.places, source)
        nodePorts.move(old.object, from: old.nodePlaces, to: new.nodePlaces, source)
        for address in old.addresses.without(new.addresses) {
            let count = serviceAddresses[address] ?? 1
            serviceAddresses[address] = count > 1 ? count - 1 : nil
            edits += 1
        }
        for address in new.addresses.without(old.addresses) {
            serviceAddresses[address] = (serviceAddresses[address] ?? 0) + 1
            edits += 1
        }
    }
}

extension ServiceBook {
    /// Removes the claims of a service to some places, and adds or updates those to others.
    fileprivate mutating func move(
        _ object: UInt64,
        from old: [ServicePlace: ServicePort],
        to new: [ServicePlace: ServicePort],
        _ source: SourceID
    ) {
        for place in old.keys where new[place] == nil { remove(object, at: place) }
        for (place, port) in new where old[place] !== port {
            put(ServiceClaim(port: port, object: object, source: source), at: place)
        }
    }
}
