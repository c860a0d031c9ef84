/// An interface of this host that host endpoints may be of.
public struct HostInterface: Sendable, Hashable {
    /// The name of this node.
    public var node: String
    /// The name.
    public var name: String
    /// The addresses that the host has on it.
    public var addresses: [IPAddress]

    /// Takes all members.
    public init(node: String, name: String, addresses: [IPAddress]) {
        self.node = node
        self.name = name
        self.addresses = addresses
    }
}

/// A connection that this host forwards, at one of the two interfaces that its packets cross.
public struct ForwardedConnection: Sendable {
    /// The direction in which the packets of the initiator cross the interface.
    public enum Direction: Sendable, Hashable {
        /// They enter the host.
        case entering
        /// They leave it.
        case leaving
    }

    /// Addresses, ports and protocol of the end that began, after address translation.
    public var packets: TrackedConnection.Tuple
    /// The address and port that were called, before destination NAT.
    public var called: (address: IPAddress, port: UInt16)
    /// The owner of the source address.
    public var source: Endpoint
    /// The owner of the destination address.
    public var destination: Endpoint
    /// The interface.
    public var interface: HostInterface
    /// The direction at the interface.
    public var direction: Direction

    /// Takes all members.
    public init(
        packets: TrackedConnection.Tuple,
        called: (address: IPAddress, port: UInt16),
        source: Endpoint,
        destination: Endpoint,
        interface: HostInterface,
        direction: Direction
    ) {
        self.packets = packets
        self.called = called
        self.source = source
        self.destination = destination
        self.interface = interface
        self.direction = direction
    }
}
