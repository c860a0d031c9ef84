/// Says who owns an address and which service answers there: the seam between the flows and the inventory.
///
/// A resolver is an immutable snapshot: it never waits, and its answers never change. A batch of flows is resolved
/// against one snapshot; a newer one replaces it whole.
public protocol EndpointResolver: Sendable {
    /// Grows with every snapshot that may answer differently.
    var generation: UInt64 { get }

    /// Who the two ends of a connection are; an address that nothing claims is a ``Endpoint/Kind/network``.
    ///
    /// Both at once, because where several network sets have an address the namespace of the other end decides.
    func endpoints(source: IPAddress, destination: IPAddress) -> (source: Endpoint, destination: Endpoint)

    /// The same for a connection of which it is known when it began, CLOCK_MONOTONIC ns: an owner that was gone by then and
    /// still answers for its last connections is not the owner of this one.
    func endpoints(
        source: IPAddress,
        destination: IPAddress,
        began: Int64
    ) -> (source: Endpoint, destination: Endpoint)

    /// The newest version of an endpoint, as long as it still owns the address; else the one given.
    func refreshed(_ endpoint: Endpoint, at address: IPAddress) -> Endpoint

    /// What an address is that belongs to nobody who is known: the private or the public network, and no network set.
    func network(of address: IPAddress) -> Endpoint

    /// Whether an address is one of this host's own.
    func isOwn(_ address: IPAddress) -> Bool

    /// Whether an address belongs to a workload that runs on this host.
    func isLocalWorkload(_ address: IPAddress) -> Bool

    /// Whether nobody is known to own an address now, but a workload that is not known yet may.
    func mayBecomeKnown(_ address: IPAddress) -> Bool

    /// The same for a connection of which it is known when it began, CLOCK_MONOTONIC ns.
    func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool

    /// The service that is called at an address and port, as it stands before destination NAT; nil if there is none.
    func service(at address: IPAddress, port: UInt16, proto: IPProtocol) -> ServicePort?

    /// Whether a service sends connections to an address and port, so that one that arrives there may have been
    /// translated.
    func isServiceBackend(_ address: IPAddress, port: UInt16, proto: IPProtocol) -> Bool

    /// Whether there are services of which it is not known where they send connections to: they may send them anywhere.
    var hasUncoveredServices: Bool { get }
}

extension EndpointResolver {
    /// Owners that are gone do not answer: the same as at any time.
    public func endpoints(
        source: IPAddress,
        destination: IPAddress,
        began: Int64
    ) -> (source: Endpoint, destination: Endpoint) {
        endpoints(source: source, destination: destination)
    }

    /// Owners that are gone do not answer: the same as at any time.
    public func mayBecomeKnown(_ address: IPAddress, began: Int64) -> Bool {
        mayBecomeKnown(address)
    }
}
