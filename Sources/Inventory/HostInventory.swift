public import FlowModel

/// What is known of who owns an address: the host its own addresses, the world the rest.
///
/// The agent keeps one and changes it as addresses come and go; flows are resolved against ``snapshot()``.
public struct HostInventory: Sendable {
    private var current: HostSnapshot

    /// Knows a host by its name, and no address of it yet.
    public init(hostName: String) {
        current = HostSnapshot(
            generation: 1,
            host: Self.hostEndpoint(hostName),
            privateNetwork: Self.networkEndpoint("pvt"),
            publicNetwork: Self.networkEndpoint("pub"),
            ownAddresses: []
        )
    }

    /// The host's name, which is also the name of its endpoint; another name makes another endpoint.
    public var hostName: String {
        get { current.host.name }
        set {
            guard newValue != current.host.name else { return }
            current.host = Self.hostEndpoint(newValue)
            current.generation += 1
        }
    }

    /// Learns that an address is the host's own.
    public mutating func add(_ address: IPAddress) {
        if current.ownAddresses.insert(address).inserted { current.generation += 1 }
    }

    /// Learns that an address is no longer the host's own.
    public mutating func remove(_ address: IPAddress) {
        if current.ownAddresses.remove(address) != nil { current.generation += 1 }
    }

    /// Learns all of the host's own addresses at once; those that are not among them are its no longer.
    public mutating func replaceAddresses(with addresses: Set<IPAddress>) {
        guard addresses != current.ownAddresses else { return }
        current.ownAddresses = addresses
        current.generation += 1
    }

    /// What is known now, and will not change; O(1).
    public func snapshot() -> HostSnapshot {
        current
    }

    private static func hostEndpoint(_ name: String) -> Endpoint {
        Endpoint(id: EndpointNumber.next(), kind: .host, name: name, aggregatedName: name)
    }

    private static func networkEndpoint(_ aggregatedName: String) -> Endpoint {
        Endpoint(id: EndpointNumber.next(), kind: .network, name: "-", aggregatedName: aggregatedName)
    }
}
