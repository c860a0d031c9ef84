/// Finds the owner of an address and the service at it: the interface between the flows and the inventory.
///
/// A resolver is an immutable snapshot: it never waits, and its results never change. A batch of flows is resolved with one
/// snapshot; a newer snapshot replaces the whole.
public protocol EndpointResolver: Sendable {
    /// Increases with every snapshot whose results may differ.
    var generation: UInt64 { get }

    /// Returns the endpoints of a connection; an address without a known owner is a ``Endpoint/Kind/network``.
    ///
    /// Resolves both ends together: if several network sets contain an address, the namespace of the other end decides.
    func endpoints(source: IPAddress, destination: IPAddress) -> (source: Endpoint, destination: Endpoint)

    /// Returns the endpoints of a connection that began at a known time.
    ///
    /// An owner that was deleted before `began` (CLOCK_MONOTONIC ns), and is only kept for its last connections, does not own
    /// this one.
    func endpoints(
        source: IPAddress,
        destination: IPAddress,
        began: Int64
    ) -> (source: Endpoint, destination: Endpoint)

    /// Returns the newest version of an endpoint if it still owns the address; otherwise the given one.
    func refreshed(_ endpoint: Endpoint, at address: IPAddress) -> Endpoint

    /// Returns the endpoint of an address without a known owner: the private or the public network, never a network set.
    func network(of address: IPAddress) -> Endpoint

    /// Whether an address belongs to this host.
    func isOwn(_ address: IPAddress) -> Bool

    /// Whether an address belongs to a workload that runs on this host.
    func isLocalWorkload(_ address: IPAddress) -> Bool

    /// Whether an address has no known owner now, but may belong to a workload that is not known yet.
    func mayBecomeKnown(_ address: IPAddress) -> Bool

    /// Whether an address may get a known owner, for a connection that began at `began`, CLOCK_MONOTONIC ns.
    func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool

    /// Returns the service at an address and port, before destination NAT; nil if there is none.
    func service(at address: IPAddress, port: UInt16, proto: IPProtocol) -> ServicePort?

    /// Whether a service forwards connections to an address and port; their destination may then have been translated.
    func isServiceBackend(_ address: IPAddress, port: UInt16, proto: IPProtocol) -> Bool

    /// Whether any service has unknown backends; it may forward connections to any address.
    var hasUncoveredServices: Bool { get }

    /// Returns the name of a container in a pod of this host, by its identifier; nil if it is not known.
    func containerName(of identifier: String) -> String?
}

extension EndpointResolver {
    /// By default no container is known.
    public func containerName(of identifier: String) -> String? { nil }

    /// By default deleted owners are not returned, so the time does not matter.
    public func endpoints(
        source: IPAddress,
        destination: IPAddress,
        began: Int64
    ) -> (source: Endpoint, destination: Endpoint) {
        endpoints(source: source, destination: destination)
    }

    /// By default deleted owners are not returned, so the time does not matter.
    public func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool {
        mayBecomeKnown(address)
    }
}
