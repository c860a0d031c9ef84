/// A connection in the kernel's connection tracking table (`nf_conntrack`), with its packets before and after address
/// translation.
public struct TrackedConnection: Sendable, Hashable {
    /// The addresses of packets in one direction.
    public struct Tuple: Sendable, Hashable {
        /// The sender.
        public var source: IPAddress
        /// The receiver.
        public var destination: IPAddress
        /// Port of the sender; for ICMP the identifier.
        public var sourcePort: UInt16
        /// Port of the receiver; for ICMP `type << 8 | code`.
        public var destinationPort: UInt16
        /// The protocol above IP.
        public var proto: IPProtocol

        /// Takes all members.
        public init(
            source: IPAddress,
            destination: IPAddress,
            sourcePort: UInt16,
            destinationPort: UInt16,
            proto: IPProtocol
        ) {
            self.source = source
            self.destination = destination
            self.sourcePort = sourcePort
            self.destinationPort = destinationPort
            self.proto = proto
        }
    }

    /// Packets of the initiator, as it sent them.
    public var original: Tuple
    /// Packets of the responder, as it sent them.
    public var reply: Tuple

    /// Takes both directions.
    public init(original: Tuple, reply: Tuple) {
        self.original = original
        self.reply = reply
    }

    /// Whether the destination that was called differs from the responder (DNAT).
    public var isDestinationTranslated: Bool {
        original.destination != reply.source
            || original.proto.hasPorts && original.destinationPort != reply.sourcePort
    }

    /// The source port after source NAT (`nat_outgoing_ports`); nil if the source address was not translated, or if the
    /// protocol has no ports.
    public var translatedSourcePort: UInt16? {
        original.proto.hasPorts && reply.destination != original.source ? reply.destinationPort : nil
    }
}

/// Finds connections in connection tracking: the interface between the flows and the kernel.
public protocol ConnectionTracker: AnyObject {
    /// Returns the connection of packets with these addresses, in either direction; nil if none is known.
    func connection(of packets: TrackedConnection.Tuple) -> TrackedConnection?

    /// Returns the connections of packets with these addresses, in the same order.
    ///
    /// An entry is nil if the connection is not known, or if there was no time for it. The packets are those that one of the
    /// ends sends, before address translation.
    func connections(of packets: [TrackedConnection.Tuple]) -> [TrackedConnection?]
}
