import FlowModel

/// The address of a service, or of one of its backends.
struct ServiceAddress: Hashable {
    var address: IPAddress
    var port: UInt16
    var proto = IPProtocol.tcp
}

/// Resolves addresses from tables, with the rules of the inventory in their simplest form.
struct FakeResolver: EndpointResolver {
    static let privateNetwork = Endpoint(kind: .network, name: "-", aggregatedName: "pvt")
    static let publicNetwork = Endpoint(kind: .network, name: "-", aggregatedName: "pub")

    var generation: UInt64 = 1
    /// The host's own addresses.
    var own: Set<IPAddress> = []
    /// Addresses of this host's workloads.
    var localWorkloads: Set<IPAddress> = []
    /// The owners of addresses.
    var owners: [IPAddress: Endpoint] = [:]
    /// The end times of deleted owners that the resolver still returns.
    var endings: [IPAddress: Int64] = [:]
    /// Network sets by their ranges.
    var networkSets: [(prefix: IPPrefix, set: Endpoint)] = []
    /// The ranges in which unknown workloads may be.
    var workloadRanges: [IPPrefix] = []
    /// Services by the addresses at which clients call them.
    var services: [ServiceAddress: ServicePort] = [:]
    /// The addresses that services send connections to.
    var backends: Set<ServiceAddress> = []
    /// Whether there are services without entries in ``backends``.
    var hasUncoveredServices = false

    func endpoints(source: IPAddress, destination: IPAddress) -> (source: Endpoint, destination: Endpoint) {
        (
            endpoint(at: source, preferring: owners[destination]?.namespace),
            endpoint(at: destination, preferring: owners[source]?.namespace)
        )
    }

    func endpoints(
        source: IPAddress,
        destination: IPAddress,
        began: Int64
    ) -> (source: Endpoint, destination: Endpoint) {
        without(goneBy: began).endpoints(source: source, destination: destination)
    }

    func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool {
        without(goneBy: began).mayBecomeKnown(address)
    }

    private func without(goneBy time: Int64) -> FakeResolver {
        var resolver = self
        for (address, end) in endings where end < time { resolver.owners[address] = nil }
        return resolver
    }

    /// The owner; else the longest range of the preferred namespace's sets, of the global ones, of all others; else the
    /// rest of the world.
    func endpoint(at address: IPAddress, preferring namespace: String? = nil) -> Endpoint {
        if let owner = owners[address] { return owner }
        let matching = networkSets.filter { $0.prefix.contains(address) }.sorted { $0.prefix.length > $1.prefix.length }
        let preferred = matching.first { namespace != nil && $0.set.namespace == namespace }
        let best = preferred ?? matching.first { $0.set.namespace == nil } ?? matching.first
        return best?.set ?? network(of: address)
    }

    func refreshed(_ endpoint: Endpoint, at address: IPAddress) -> Endpoint {
        let candidates = [owners[address]].compactMap(\.self) + networkSets.map(\.set)
        return candidates.first { $0.object == endpoint.object } ?? endpoint
    }

    func isOwn(_ address: IPAddress) -> Bool {
        own.contains(address)
    }

    func isLocalWorkload(_ address: IPAddress) -> Bool {
        localWorkloads.contains(address)
    }

    func mayBecomeKnown(_ address: IPAddress) -> Bool {
        owners[address] == nil && workloadRanges.contains { $0.contains(address) }
    }

    func service(at address: IPAddress, port: UInt16, proto: IPProtocol) -> ServicePort? {
        services[ServiceAddress(address: address, port: port, proto: proto)]
    }

    func isServiceBackend(_ address: IPAddress, port: UInt16, proto: IPProtocol) -> Bool {
        backends.contains(ServiceAddress(address: address, port: port, proto: proto))
    }

    func network(of address: IPAddress) -> Endpoint {
        let isPrivate = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"].contains {
            IPPrefix($0)?.contains(address) ?? false
        }
        return isPrivate ? Self.privateNetwork : Self.publicNetwork
    }
}

/// Tracks the connections that tests add, and keeps the queries.
final class FakeTracker: ConnectionTracker {
    private var connections: [TrackedConnection.Tuple: TrackedConnection] = [:]
    private(set) var asked: [TrackedConnection.Tuple] = []

    func add(_ connection: TrackedConnection) {
        connections[connection.original] = connection
        connections[connection.reply] = connection
    }

    func removeAll() {
        connections = [:]
    }

    func connection(of packets: TrackedConnection.Tuple) -> TrackedConnection? {
        asked.append(packets)
        return connections[packets]
    }

    func connections(of packets: [TrackedConnection.Tuple]) -> [TrackedConnection?] {
        packets.map(connection)
    }
}

extension TrackedConnection.Tuple {
    /// Parses a sender and a receiver, as in `10.1.0.8 40000 > 10.96.0.1 80`.
    init?(_ text: String, proto: IPProtocol = .tcp) {
        let words = text.split(separator: " ").map(String.init)
        guard words.count == 5, words[2] == ">", let source = IPAddress(words[0]), let sourcePort = UInt16(words[1]),
            let destination = IPAddress(words[3]), let destinationPort = UInt16(words[4])
        else { return nil }
        self.init(
            source: source,
            destination: destination,
            sourcePort: sourcePort,
            destinationPort: destinationPort,
            proto: proto
        )
    }
}

extension TrackedConnection {
    /// Makes a connection from the tuples of both directions.
    init?(_ original: String, _ reply: String, proto: IPProtocol = .tcp) {
        guard let original = Tuple(original, proto: proto), let reply = Tuple(reply, proto: proto) else { return nil }
        self.init(original: original, reply: reply)
    }
}
