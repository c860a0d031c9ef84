/// Messages and their bytes, as a socket counts them.
package struct TrafficCount: Hashable, Sendable {
    /// Datagrams, echo messages, packets or frames; for TCP connections that were carried through.
    package var messages: Int
    /// The bytes that the socket was given or gave: payload of TCP, UDP and raw IP; ICMP messages with their header; whole
    /// frames.
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

/// The traffic that the client's socket accepted for sending.
package struct TrafficResult: Hashable, Sendable {
    /// The traffic that the server's socket delivered.
    package var clientSent = TrafficCount()
    /// The traffic that the server's socket accepted for sending.
    package var serverReceived = TrafficCount()
    /// The traffic that the client's socket delivered.
    package var serverSent = TrafficCount()
    /// The messages that the client's socket delivered.
    package var clientReceived = TrafficCount()

    /// Makes a result with nothing in it.
    package init() {}

    /// Adds up two results.
    package static func += (left: inout TrafficResult, right: TrafficResult) {
        left.clientSent += right.clientSent
        left.serverReceived += right.serverReceived
        left.serverSent += right.serverSent
        left.clientReceived += right.clientReceived
    }
}

/// From where to where traffic goes.
package struct TrafficPath: Sendable {
    /// The client's namespace.
    package var client: NetworkNamespace
    /// The server's namespace.
    package var server: NetworkNamespace
    /// The server's address.
    package var address: LabAddress
    /// The time without progress after which the traffic counts as stuck.
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
    /// The time as poll(2) takes it: whole milliseconds, rounded up, at least 0.
    var pollTime: Int32 {
        let (seconds, attoseconds) = components
        let milliseconds = seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(clamping: Swift.max(0, milliseconds))
    }
}
