/// Messages and their bytes, as a socket counts them.
package struct TrafficCount: Hashable, Sendable {
    /// Datagrams, echo messages, packets or frames; for TCP, completed connections.
    package var messages: Int
    /// The bytes that were sent or received through the socket: the payload of TCP, UDP and raw IP; ICMP messages with their
    /// header; whole frames.
    package var bytes: Int

    /// Takes all members.
    package init(messages: Int = 0, bytes: Int = 0) {
        self.messages = messages
        self.bytes = bytes
    }

    /// Adds up two counts.
    package static func += (left: inout TrafficCount, right: TrafficCount) {
        left.messages += right.messages
        left.bytes += right.bytes
    }
}

/// The traffic of the sockets at both ends.
package struct TrafficResult: Hashable, Sendable {
    /// The traffic that the client's socket accepted for sending.
    package var clientSent = TrafficCount()
    /// The traffic that the server's socket delivered.
    package var serverReceived = TrafficCount()
    /// The traffic that the server's socket accepted for sending.
    package var serverSent = TrafficCount()
    /// The traffic that the client's socket delivered.
    package var clientReceived = TrafficCount()

    /// Creates a result without traffic.
    package init() {}

    /// Adds up two results.
    package static func += (left: inout TrafficResult, right: TrafficResult) {
        left.clientSent += right.clientSent
        left.serverReceived += right.serverReceived
        left.serverSent += right.serverSent
        left.clientReceived += right.clientReceived
    }
}

/// The path of traffic, from a client to a server.
package struct TrafficPath: Sendable {
    /// The client's namespace.
    package var client: NetworkNamespace
    /// The server's namespace.
    package var server: NetworkNamespace
    /// The server's address.
    package var address: LabAddress
    /// The time without progress after which the traffic fails.
    package var timeout: Duration

    /// Takes all members.
    package init(
        from client: NetworkNamespace,
        to server: NetworkNamespace,
        at address: LabAddress,
        timeout: Duration = .seconds(5)
    ) {
        self.client = client
        self.server = server
        self.address = address
        self.timeout = timeout
    }
}

extension Duration {
    /// The time for poll(2): whole milliseconds, rounded up, at least 0.
    var pollTime: Int32 {
        let (seconds, attoseconds) = components
        let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(clamping: Swift.max(0, milliseconds))
    }
}
