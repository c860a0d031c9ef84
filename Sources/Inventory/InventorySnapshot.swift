public import FlowModel

/// The endpoints behind addresses at one moment (``Inventory/snapshot()``).
///
/// A snapshot is immutable, and any number of threads may read it without waiting. It shares its tables with the
/// inventory and with other snapshots.
public struct InventorySnapshot: EndpointResolver {
    /// A counter that grows with every snapshot whose results may differ.
    public let generation: UInt64

    /// The addresses of pods that run on this host, without pods in the host's own network.
    public let localWorkloads: Set<IPAddress>

    let expectsWorkloads: Bool
    let owners: ShardedTable<IPAddress, Endpoint>
    let claims: ShardedTable<IPAddress, AddressEntry>
    /// The times when the kept claims ended, by address, in monotonic ns.
    let endings: [IPAddress: Int64]
    let containers: [String: String]
    let ownAddresses: Set<IPAddress>
    let networkSets: NetworkSetIndex
    let podRanges: PrefixIndex
    let servicePorts: ShardedTable<ServicePlace, ServiceEntry>
    let nodePorts: ShardedTable<ServicePlace, ServiceEntry>
    let serviceAddresses: ShardedTable<IPAddress, Int>
    let backends: ShardedTable<ServicePlace, BackendEntry>
    /// Whether there are services without EndpointSlices or Endpoints objects.
    public let hasUncoveredServices: Bool
    let privateNetwork: Endpoint
    let publicNetwork: Endpoint

    /// The endpoints at the two ends of a connection.
    ///
    /// An endpoint is the pod or host that owns the address, else the network set that contains it, else the private or
    /// the public network.
    public func endpoints(
        source: IPAddress,
        destination: IPAddress
    ) -> (source: Endpoint, destination: Endpoint) {
        let (knownSource, knownDestination) = owners.read(source, destination)
        let shownSource = knownSource ?? outsider(at: source, preferring: knownDestination?.namespace)
        return (shownSource, knownDestination ?? outsider(at: destination, preferring: shownSource.namespace))
    }

    /// The endpoints of a connection that began at a given time; see ``EndpointResolver``.
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

    /// The endpoint behind an address, for a peer in a namespace; nil for a peer without one.
    public func endpoint(at address: IPAddress, preferring namespace: String? = nil) -> Endpoint {
        owner(of: address) ?? outsider(at: address, preferring: namespace)
    }

    /// The newest version of an endpoint if it still owns the address, else the given version.
    ///
    /// A network set must still contain the address.
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

    /// Whether an address is an own address of this host.
    public func isOwn(_ address: IPAddress) -> Bool {
        ownAddresses.contains(address)
    }

    /// Whether an address belongs to a pod that runs on this host.
    public func isLocalWorkload(_ address: IPAddress) -> Bool {
        localWorkloads.contains(address)
    }

    /// Whether an address may belong to a pod that sources have not reported yet.
    ///
    /// It is true if workloads are expected, the address has no owner and is no service address, and it is in private IPv4,
    /// 100.64.0.0/10, IPv6 fc00::/7, or a node's pod range.
    public func mayBecomeKnown(_ address: IPAddress) -> Bool {
        mayBecomeKnown(address, began: .min)
    }

    /// The same for a connection that began at a given time; see ``EndpointResolver``.
    public func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool {
        expectsWorkloads
            && (address.isUsualForWorkloads || podRanges.value(at: address) != nil)
            && (!owners.contains(address) || isGone(address, by: began))
            && !serviceAddresses.contains(address)
    }

    /// The service that clients reach at an address and port: by its own address, else by a node port.
    public func service(at address: IPAddress, port: UInt16, proto: IPProtocol) -> ServicePort? {
        let place = ServicePlace(address: address, port: port, proto: proto)
        if let answer = servicePorts.read(place, { $0.answer }) { return answer }
        guard let answer = nodePorts.read(.atNode(port, proto), { $0.answer }), isHost(address) else { return nil }
        return answer
    }

    /// Whether an address and port are a backend of a service.
    public func isServiceBackend(_ address: IPAddress, port: UInt16, proto: IPProtocol) -> Bool {
        backends.contains(ServicePlace(address: address, port: port, proto: proto))
    }

    /// The name of a container of this host's pods by its identifier; nil if it is unknown.
    public func containerName(of identifier: String) -> String? { containers[identifier] }

    /// Whether an address belongs to a host, so that node ports are open on it.
    func isHost(_ address: IPAddress) -> Bool {
        owners.read(address) { $0.kind == .host } ?? false
    }

    /// Whether the owner of an address ended before a given time, so that later connections are not its own.
    @inline(__always)
    private func isGone(_ address: IPAddress, by time: Int64) -> Bool {
        guard !endings.isEmpty, let end = endings[address] else { return false }
        return end < time
    }

    /// The pod or host that owns an address.
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

    /// The private or the public network of an address, regardless of network sets.
    public func network(of address: IPAddress) -> Endpoint {
        address.isPrivate ? privateNetwork : publicNetwork
    }
}
