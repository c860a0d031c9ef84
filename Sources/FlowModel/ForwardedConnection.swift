/// An interface of this host to which host endpoints may belong.
public struct HostInterface: Sendable, Hashable {
    /// The name of this node.
    public var node: String
    /// The name of the interface.
    public var name: String
    /// The addresses of the host on the interface.
    public var addresses: [IPAddress]
    /// The broadcast addresses of the interface's networks.
    public var broadcasts: [IPAddress]

    /// Takes all members.
    public init(node: String, name: String, addresses: [IPAddress], broadcasts: [IPAddress] = []) {
        self.node = node
        self.name = name
        self.addresses = addresses
        self.broadcasts = broadcasts
    }
}

/// A connection that this host forwards, at one of the two interfaces that its packets pass.
public struct ForwardedConnection: Sendable {
    /// The direction in which the initiator's packets pass the interface.
    public enum Direction: Sendable, Hashable {
        /// The packets enter the host.
        case entering
        /// The packets leave the host.
        case leaving
    }

    /// Addresses, ports and protocol of the initiator's packets, after address translation.
    public var packets: TrackedConnection.Tuple
    /// The destination address and port before destination NAT.
    public var called: (address: IPAddress, port: UInt16)
    /// The owner of the source address.
    public var source: Endpoint
    /// The owner of the destination address.
    public var destination: Endpoint
    /// The interface.
    public var interface: HostInterface
    /// The direction in which the packets pass the interface.
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
