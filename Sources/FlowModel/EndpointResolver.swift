/// Finds the owner of an address and the service at it: the interface between the flows and the inventory.
///
/// A resolver is an immutable snapshot: it never waits, and its answers never change. A batch of flows is resolved
/// against one snapshot; a newer one replaces it whole.
public protocol EndpointResolver: Sendable {
    /// Grows with every snapshot that may answer differently.
    var generation: UInt64 { get }

    /// The endpoints of a connection; an address without a known owner is a ``Endpoint/Kind/network``.
    ///
    /// Takes both ends at once: if several network sets contain an address, the namespace of the other end decides.
    func endpoints(source: IPAddress, destination: IPAddress) -> (source: Endpoint, destination: Endpoint)

    /// The endpoints of a connection that began at a known time.
    ///
    /// An owner that was deleted before `began` (CLOCK_MONOTONIC ns), and is kept for its last connections, is not the owner of
    /// this one.
    func endpoints(
        source: IPAddress,
        destination: IPAddress,
        began: Int64
    ) -> (source: Endpoint, destination: Endpoint)

    /// Returns the newest version of an endpoint, as long as it still owns the address; else the given one.
    func refreshed(_ endpoint: Endpoint, at address: IPAddress) -> Endpoint

    /// The endpoint of an address without a known owner: the private or the public network, never a network set.
    func network(of address: IPAddress) -> Endpoint

    /// Whether an address is one of this host's own.
    func isOwn(_ address: IPAddress) -> Bool

    /// Whether an address belongs to a workload that runs on this host.
    func isLocalWorkload(_ address: IPAddress) -> Bool

    /// Whether an address has no known owner now, but may belong to a workload that is not known yet.
    func mayBecomeKnown(_ address: IPAddress) -> Bool

    /// Whether the address may get a known owner, for a connection that began at `began`, CLOCK_MONOTONIC ns.
    func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool

    /// Returns the service that is called at an address and port, before destination NAT; nil if there is none.
    func service(at address: IPAddress, port: UInt16, proto: IPProtocol) -> ServicePort?

    /// Whether a service sends connections to an address and port, so that a connection that arrives there may have been
    /// translated.
    func isServiceBackend(_ address: IPAddress, port: UInt16, proto: IPProtocol) -> Bool

    /// Whether any service has unknown backends: it may send connections to any address.
    var hasUncoveredServices: Bool { get }

    /// The name of a container of a pod of this host, by its identifier; nil if it is not known.
    func containerName(of identifier: String) -> String?
}

extension EndpointResolver {
    /// No container is known.
    public func containerName(of identifier: String) -> String? { nil }

    /// Owners that are gone do not answer: the result does not depend on the time.
    public func endpoints(
        source: IPAddress,
        destination: IPAddress,
        began: Int64
    ) -> (source: Endpoint, destination: Endpoint) {
        endpoints(source: source, destination: destination)
    }

    /// Owners that are gone do not answer: the result does not depend on the time.
    public func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool {
        mayBecomeKnown(address)
    }
}
