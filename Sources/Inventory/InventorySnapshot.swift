public import FlowModel

/// The endpoints behind addresses at one moment (``Inventory/snapshot()``).
///
/// Immutable; any number of threads ask it without waiting. It shares its tables with the inventory and with other
/// snapshots.
public struct InventorySnapshot: EndpointResolver {
    /// Grows with every snapshot that may answer differently.
    public let generation: UInt64

    /// The addresses of pods that run on this host; those of pods in the host's own network are not among them.
    public let localWorkloads: Set<IPAddress>

    let expectsWorkloads: Bool
    let owners: ShardedTable<IPAddress, Endpoint>
    let claims: ShardedTable<IPAddress, AddressEntry>
    /// The times when the owners ended that still answer, by address, monotonic ns.
    let endings: [IPAddress: Int64]
    let containers: [String: String]
    let ownAddresses: Set<IPAddress>
    let networkSets: NetworkSetIndex
    let podRanges: PrefixIndex
    let servicePorts: ShardedTable<ServicePlace, ServiceEntry>
    let nodePorts: ShardedTable<ServicePlace, ServiceEntry>
    let serviceAddresses: ShardedTable<IPAddress, Int>
    let backends: ShardedTable<ServicePlace, BackendEntry>
    /// Whether there are services without EndpointSlices that name their backends.
    public let hasUncoveredServices: Bool
    let privateNetwork: Endpoint
    let publicNetwork: Endpoint

    /// The two ends of a connection: the pod or host that an address belongs to, else the network set that contains it,
    /// else the private or the public network.
    public func endpoints(
        source: IPAddress,
        destination: IPAddress
    ) -> (source: Endpoint, destination: Endpoint) {
        let (knownSource, knownDestination) = owners.read(source, destination)
        let shownSource = knownSource ?? outsider(at: source, preferring: knownDestination?.namespace)
        return (shownSource, knownDestination ?? outsider(at: destination, preferring: shownSource.namespace))
    }

    /// The same for a connection that began at a time; see ``EndpointResolver``.
    public func endpoints(
        source: IPAddress,
        destination: IPAddress,
        began: Int64
    ) -> (source: Endpoint, destination: Endpoint) {
        let (isSourceGone, isDestinationGone) = (isGone(source, by: began), isGone(destination, by: began))
        guard isSourceGone || isDestinationGone else { return endpoints(source: source, destination: destination) }
        let knownSource = isSourceGone ? nil : owner(of: source)
        let knownDestination = isDestinationGone ? nil : owner(of: destination)
        let shownSource = knownSource ?? outsider(at: source, preferring: knownDestination?.namespace)
        return (shownSource, knownDestination ?? outsider(at: destination, preferring: shownSource.namespace))
    }

    /// The endpoint behind an address, for a peer in a namespace; nil for a peer in none.
    public func endpoint(at address: IPAddress, preferring namespace: String? = nil) -> Endpoint {
        owner(of: address) ?? outsider(at: address, preferring: namespace)
    }

    /// The newest version of an endpoint, as long as it still owns the address or, of a network set, has it; else the one
    /// given.
    public func refreshed(_ endpoint: Endpoint, at address: IPAddress) -> Endpoint {
        switch endpoint.kind {
        case .network:
            return endpoint
        case .workload, .host:
            guard let owner = owner(of: address), owner.object == endpoint.object else { return endpoint }
            return owner
        case .networkSet:
            guard !owners.contains(address) else { return endpoint }
            return networkSets.newest(endpoint, at: address) ?? endpoint
        }
    }

    /// Whether an address is one of this host's own.
    public func isOwn(_ address: IPAddress) -> Bool {
        ownAddresses.contains(address)
    }

    /// Whether an address belongs to a pod that runs on this host.
    public func isLocalWorkload(_ address: IPAddress) -> Bool {
        localWorkloads.contains(address)
    }

    /// Whether workloads are expected, and an address has no owner but is in a range that clusters use.
    ///
    /// That is private IPv4, 100.64.0.0/10, IPv6 fc00::/7, or a node's pod range; not the address of a service.
    public func mayBecomeKnown(_ address: IPAddress) -> Bool {
        mayBecomeKnown(address, began: .min)
    }

    /// The same for a connection that began at a time; see ``EndpointResolver``.
    public func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool {
        expectsWorkloads
            && (address.isUsualForWorkloads || podRanges.value(at: address) != nil)
            && (!owners.contains(address) || isGone(address, by: began))
            && !serviceAddresses.contains(address)
    }

    /// The service that is called at an address and port: by an address of its own, else by a port of every node.
    public func service(at address: IPAddress, port: UInt16, proto: IPProtocol) -> ServicePort? {
        let place = ServicePlace(address: address, port: port, proto: proto)
        if let answer = servicePorts.read(place, { $0.answer }) { return answer }
        guard let answer = nodePorts.read(.atNode(port, proto), { $0.answer }), isHost(address) else { return nil }
        return answer
    }

    /// Whether a service sends connections to an address and port.
    public func isServiceBackend(_ address: IPAddress, port: UInt16, proto: IPProtocol) -> Bool {
        backends.contains(ServicePlace(address: address, port: port, proto: proto))
    }

    /// The name of a container of a pod of this host, by its identifier; nil if it is not known.
    public func containerName(of identifier: String) -> String? { containers[identifier] }

    /// Whether an address is a host's, so that services are called by node ports there.
    func isHost(_ address: IPAddress) -> Bool {
        owners.read(address) { $0.kind == .host } ?? false
    }

    /// Whether the owner of an address was gone by a time, and answers only for what began before.
    @inline(__always)
    private func isGone(_ address: IPAddress, by time: Int64) -> Bool {
        guard !endings.isEmpty, let end = endings[address] else { return false }
        return end < time
    }

    /// The pod or host that an address belongs to.
    @inline(__always)
    private func owner(of address: IPAddress) -> Endpoint? {
        owners[address]
    }

    /// The endpoint of an address without an owner.
    private func outsider(at address: IPAddress, preferring namespace: String?) -> Endpoint {
        if let best = networkSets.best(address, preferring: namespace) {
            return networkSets.members[best.member].endpoint
        }
        return network(of: address)
    }

    /// The private or the public network, whatever network sets have the address.
    public func network(of address: IPAddress) -> Endpoint {
        address.isPrivate ? privateNetwork : publicNetwork
    }
}
