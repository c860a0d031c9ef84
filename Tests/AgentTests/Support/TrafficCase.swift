import Lab
import Testing

/// A kind of traffic between the peer and the node.
struct TrafficCase: Sendable, CustomTestStringConvertible {
    /// The traffic that must have crossed the node's interface by arithmetic; nil where only a counter has it.
    struct Expectation {
        var received: Count?
        var sent: Count?
    }

    let name: String
    /// Whether there are fragments, which have no ports for a counter on the wire.
    var isFragmented = false
    /// More options of `weir run`.
    var arguments: [String] = []
    /// Sends the traffic and returns when the last message has arrived.
    let send: @Sendable (Cable) throws -> Expectation

    var testDescription: String { name }

    static let all = [tcp, udp, fragments, flood, others]
}

// MARK: - TCP

extension TrafficCase {
    private static let tcp = TrafficCase(name: "TCP in bulk, 2,000 short connections, IPv6") { cable in
        _ = try cable.toNode().tcp(request: 20_000_000, response: 5_000_000)
        _ = try cable.toNode().tcp(connections: 2000, request: 100, response: 300, port: 8080)
        _ = try cable.toPeer(isIPv6: true).tcp(connections: 20, request: 10, response: 100_000)
        return Expectation()
    }
}

// MARK: - UDP

extension TrafficCase {
    /// Bytes of the headers of IPv4 and UDP, and of IPv6 and UDP.
    private static let (udp4, udp6) = (28, 48)

    private static let udp = TrafficCase(name: "UDP of 64 and 1400 bytes at full speed, IPv6") { cable in
        let small = try cable.toNode().udp(count: 40_000, size: 64)
        let large = try cable.toNode().udp(count: 20_000, size: 1400, reply: 1400)
        let six = try cable.toPeer(isIPv6: true).udp(count: 5_000, size: 500, reply: 100)
        return Expectation(
            received: count(small.clientSent, udp4) + count(large.clientSent, udp4) + count(six.serverSent, udp6),
            sent: count(large.serverSent, udp4) + count(six.clientSent, udp6)
        )
    }

    private static let fragments = TrafficCase(name: "fragments of datagrams of 8 KB", isFragmented: true) { cable in
        let four = try cable.toNode().udp(count: 400, size: 8000, reply: 8000)
        let six = try cable.toNode(isIPv6: true).udp(count: 400, size: 8000, reply: 8000)
        // 8,008 bytes of UDP make six fragments: of at most 1,480 behind IPv4 headers of 20, and of at most 1,448, a
        // multiple of 8, behind IPv6 headers of 40 and fragment headers of 8.
        return Expectation(
            received: fragments(four.clientSent, header: 20) + fragments(six.clientSent, header: 48),
            sent: fragments(four.serverSent, header: 20) + fragments(six.serverSent, header: 48)
        )
    }

    private static let flood = TrafficCase(
        name: "more flows than the table has slots",
        arguments: ["--table-slots", "1024"]
    ) { cable in
        let sweep = try FlowSweep(
            flows: 5_000,
            from: try LabAddress("10.1.0.2"),
            to: try LabAddress("10.1.0.1"),
            payload: 100
        )
        let sent = try FrameSender("eth0", in: cable.peer).send(sweep, count: 20_000)
        return Expectation(received: Count(UInt64(sent.messages), UInt64(sent.messages * (100 + udp4))))
    }

    private static func count(_ messages: TrafficCount, _ header: Int) -> Count {
        Count(UInt64(messages.messages), UInt64(messages.bytes + messages.messages * header))
    }

    private static func fragments(_ datagrams: TrafficCount, header: Int) -> Count {
        Count(UInt64(datagrams.messages * 6), UInt64(datagrams.messages * (8008 + 6 * header)))
    }
}

// MARK: - ICMP and others

extension TrafficCase {
    private static let others = TrafficCase(name: "ping, ping over IPv6, protocol 253") { cable in
        try ping(["-4"], "10.1.0.1", from: cable.peer)
        try ping(["-6"], "fd01::1", from: cable.peer)
        let payload = [UInt8](repeating: 7, count: 100)
        let four = try cable.toNode().rawIP(proto: 253, payload: payload, count: 500)
        let six = try cable.toNode(isIPv6: true).rawIP(proto: 253, payload: payload, count: 500)
        try #require(four.clientSent.messages + six.clientSent.messages == 1000)
        // Sockets take protocol 253, so no error goes back.
        let echoes = Count(400, 200 * 84 + 200 * 104)
        return Expectation(received: echoes + Count(1000, 500 * 120 + 500 * 140), sent: echoes)
    }

    /// 200 echoes of ping(8), with its usual 56 bytes behind the ICMP header of 8.
    private static func ping(_ arguments: [String], _ address: String, from namespace: NetworkNamespace) throws {
        let text = try namespace.command(["ping", "-q", "-i", "0.002", "-c", "200"] + arguments + [address])
        try #require(text.contains("200 received"), "\(text)")
    }
}
