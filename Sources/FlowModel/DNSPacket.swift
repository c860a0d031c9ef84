/// A DNS message over UDP, as the interface of the client saw it.
public struct DNSPacket: Sendable, Equatable {
    /// The kernel's index of the client's interface.
    public var interfaceIndex: UInt32
    /// Whether the client is this host, and not a workload.
    public var isHost: Bool
    /// The client that sends the query.
    public var client: IPAddress
    /// The port of the client.
    public var clientPort: UInt16
    /// The server in the query, before destination NAT: the address of a service if the client queries one.
    public var server: IPAddress
    /// Whether the message is on its way to the client.
    public var isResponse: Bool
    /// The time when the message crossed the interface, CLOCK_MONOTONIC ns.
    public var time: UInt64
    /// The bytes of the message; without its end if it is longer than 1,232 bytes.
    public var bytes: [UInt8]
    /// The datapath's identifier of the message's flow, which may not have begun yet; nil if it is not known.
    public var flowID: UInt32?
    /// Whether a workload of this host sent the message with a forged source address.
    public var isForged = false

    /// Takes all members.
    public init(
        interfaceIndex: UInt32,
        isHost: Bool = false,
        client: IPAddress,
        clientPort: UInt16,
        server: IPAddress,
        isResponse: Bool,
        time: UInt64,
        bytes: [UInt8]
    ) {
        self.interfaceIndex = interfaceIndex
        self.isHost = isHost
        self.client = client
        self.clientPort = clientPort
        self.server = server
        self.isResponse = isResponse
        self.time = time
        self.bytes = bytes
    }

    /// The client, regardless of its address.
    public var domainClient: DomainClient { isHost ? .host : .workload(interface: interfaceIndex) }
}
