public import FlowModel

/// Who owned an address at one moment (``HostInventory/snapshot()``).
public struct HostSnapshot: EndpointResolver {
    /// Grows when the host's name or the set of its addresses changes.
    public internal(set) var generation: UInt64

    var host: Endpoint
    let privateNetwork: Endpoint
    let publicNetwork: Endpoint
    var ownAddresses: Set<IPAddress>

    /// The host for its own addresses, else the private or the public network.
    public func endpoint(at address: IPAddress) -> Endpoint {
        if ownAddresses.contains(address) { return host }
        return address.isPrivate ? privateNetwork : publicNetwork
    }

    /// Whether an address is one of this host's own.
    public func isOwn(_ address: IPAddress) -> Bool {
        ownAddresses.contains(address)
    }
}
