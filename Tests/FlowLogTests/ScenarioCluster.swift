import FlowModel

/// The cluster around a scenario's host, and the connections that its kernel tracks.
struct ScenarioCluster {
    private(set) var resolver = FakeResolver()
    let tracker = FakeTracker()
    private let host: Endpoint

    init(hostName: String) {
        host = Endpoint(kind: .host, name: hostName, aggregatedName: hostName)
    }

    /// Applies an event to the cluster.
    mutating func apply(_ event: ScenarioEvent) throws {
        if let own = event.own {
            let address = try Self.address(own)
            resolver.own.insert(address)
            resolver.owners[address] = host
        } else if let disown = event.disown {
            let address = try Self.address(disown)
            resolver.own.remove(address)
            resolver.owners[address] = nil
        } else if let workload = event.workload {
            try add(workload)
        } else if let gone = event.gone {
            resolver.owners[try Self.address(gone)] = nil
        } else if let set = event.networkSet {
            try add(set)
        } else if let service = event.service {
            try add(service)
        } else if let connection = event.connection {
            return try add(connection)
        } else if let range = event.workloadRange {
            resolver.workloadRanges.append(try Self.prefix(range))
        } else {
            throw ScenarioError.badLine("an event without a known member")
        }
        resolver.generation += 1
    }

    private mutating func add(_ workload: ScenarioEvent.Workload) throws {
        let address = try Self.address(workload.address)
        let former = resolver.owners[address].flatMap { $0.name == workload.name ? $0 : nil }
        resolver.owners[address] = Endpoint(
            replacing: former,
            kind: .workload,
            name: workload.name,
            aggregatedName: workload.aggregatedName,
            namespace: workload.namespace,
            labels: workload.labels.map { LabelSet(sorted: $0.sorted()) }
        )
        if workload.local == true { resolver.localWorkloads.insert(address) }
    }

    private mutating func add(_ set: ScenarioEvent.NetworkSet) throws {
        let endpoint = Endpoint(
            kind: .networkSet,
            name: set.name,
            aggregatedName: set.name,
            namespace: set.namespace,
            labels: set.labels.map { LabelSet(sorted: $0.sorted()) }
        )
        resolver.networkSets.append((try Self.prefix(set.prefix), endpoint))
    }

    private mutating func add(_ service: ScenarioEvent.Service) throws {
        let proto = IPProtocol(rawValue: service.proto ?? 6)
        let port = ServicePort(
            namespace: service.namespace,
            name: service.name,
            portName: service.portName,
            port: service.port
        )
        let called = ServiceAddress(address: try Self.address(service.address), port: service.port, proto: proto)
        resolver.services[called] = port
        for backend in service.backends ?? [] {
            let words = backend.split(separator: " ").map(String.init)
            guard words.count == 2, let port = UInt16(words[1]) else { throw ScenarioError.badValue(backend) }
            let address = try Self.address(words[0])
            resolver.backends.insert(ServiceAddress(address: address, port: port, proto: proto))
        }
    }

    private mutating func add(_ connection: ScenarioEvent.Connection) throws {
        let proto = IPProtocol(rawValue: connection.proto ?? 6)
        guard let tracked = TrackedConnection(connection.original, connection.reply, proto: proto) else {
            throw ScenarioError.badValue(connection.original)
        }
        tracker.add(tracked)
    }

    /// Reads an address.
    static func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else { throw ScenarioError.badAddress(text) }
        return address
    }

    private static func prefix(_ text: String) throws -> IPPrefix {
        guard let prefix = IPPrefix(text) else { throw ScenarioError.badAddress(text) }
        return prefix
    }
}
