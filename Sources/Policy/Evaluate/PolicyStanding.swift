public import FlowModel

/// The properties of one end of a connection that policies distinguish.
///
/// Policies decide the same for two ends of equal standing, if the packets are otherwise the same.
public struct PolicyStanding: Sendable, Hashable {
    /// The number of the identity; 0 for an address without an endpoint.
    private let identity: UInt64
    /// The class of the address.
    private let addressClass: UInt32
    /// The address if it is an endpoint of a service in rules: the matching services may depend on the port.
    private let serviceEndpoint: IPAddress?

    init(_ identity: EndpointIdentity?, _ address: IPAddress, _ world: PolicyWorld) {
        self.identity = identity?.id ?? 0
        addressClass = world.addresses.class(of: address)
        serviceEndpoint = world.services.set(of: address) == 0 ? nil : address
    }
}

extension PolicySnapshot {
    /// Returns the properties of an endpoint at an address that policies distinguish.
    public func standing(of endpoint: Endpoint, at address: IPAddress) -> PolicyStanding {
        PolicyStanding(PolicyQuery.endpoint(endpoint), address, world)
    }
}
