import CWeir
import Glibc

extension TrafficPath {
    /// The receive buffer of each socket: enough for about 100,000 small messages.
    private static let receiveBuffer: Int32 = 128 << 20

    /// Sends UDP datagrams; datagrams larger than the MTU are fragmented.
    ///
    /// - Parameters:
    ///   - count: the number of datagrams.
    ///   - size: the payload size in bytes, 0 to 65,507 (IPv6: 65,527).
    ///   - reply: the payload size of the server's answers; nil for no answers.
    ///   - port: the server's port; 0 for any.
    ///   - sourcePort: the client's port; 0 for any.
    ///   - perSecond: the number of datagrams per second; nil for full speed.
    /// - Returns: the traffic of the sockets; lost datagrams are missing in the received counts.
    /// - Throws: ``LabError`` if a socket cannot be opened, or if sending fails.
    package func udp(
        count: Int,
        size: Int = 100,
        reply: Int? = nil,
        port: UInt16 = 0,
        sourcePort: UInt16 = 0,
        perSecond: Int? = nil
    ) throws(LabError) -> TrafficResult {
        let (address, timeout) = (address, timeout)
        let number = try boundSocket(SOCK_DGRAM, 0, port: port)
        return try client.perform { () throws(LabError) in
            let client = try TrafficSocket(address.family, SOCK_DGRAM)
            try client.setReceiveBuffer(Self.receiveBuffer)
            let destination = SocketAddress(address, port: number.port)
            try client.bind(to: try Self.source(for: destination, address.family), port: sourcePort)
            let exchange = DatagramExchange(
                count: count,
                perSecond: perSecond,
                timeout: timeout,
                client: client,
                destination: destination,
                server: number.take(),
                header: 0,
                reply: reply
            )
            let batch = MessageBatch(of: [UInt8](repeating: 0x57, count: size), change: nil)
            return try exchange.run(batch, size: size)
        }.get()
    }

    /// Sends packets of any protocol above IP; packets larger than the MTU are fragmented.
    ///
    /// - Parameters:
    ///   - proto: the protocol's number, such as 253 (RFC 3692, for experiments) or 132 (SCTP).
    ///   - payload: the bytes after the IP header.
    ///   - count: the number of packets.
    /// - Returns: the traffic of the sockets, without IP headers.
    /// - Throws: ``LabError`` if a socket cannot be opened, or if sending fails.
    package func rawIP(proto: UInt8, payload: [UInt8], count: Int) throws(LabError) -> TrafficResult {
        let (address, timeout) = (address, timeout)
        let number = try boundSocket(SOCK_RAW, Int32(proto), port: 0)
        return try client.perform { () throws(LabError) in
            let exchange = DatagramExchange(
                count: count,
                perSecond: nil,
                timeout: timeout,
                client: try TrafficSocket(address.family, SOCK_RAW, Int32(proto)),
                destination: SocketAddress(address, port: 0),
                server: number.take(),
                // raw(7) delivers the IPv4 header, ipv6(7) does not.
                header: address.isIPv6 ? 0 : 20,
                reply: nil
            )
            let batch = MessageBatch(of: payload, change: nil)
            return try exchange.run(batch, size: payload.count)
        }.get()
    }

    /// Sends echo requests, which the server's kernel answers: ICMP, or ICMPv6 for an IPv6 address.
    ///
    /// - Parameters:
    ///   - count: the number of requests; their sequence numbers start at 1.
    ///   - size: the number of bytes after the header of 8 bytes.
    ///   - identifier: the identifier of the requests; 0 if the kernel chooses it.
    ///   - perSecond: the number of requests per second; nil for full speed.
    /// - Returns: requests as ``TrafficResult/clientSent``, replies as ``TrafficResult/clientReceived``.
    /// - Throws: ``LabError`` if a socket cannot be opened, or if sending fails.
    package func ping(
        count: Int,
        size: Int = 56,
        identifier: UInt16 = 0,
        perSecond: Int? = nil
    ) throws(LabError) -> TrafficResult {
        let (address, timeout) = (address, timeout)
        return try client.perform { () throws(LabError) in
            let proto = address.isIPv6 ? Int32(IPPROTO_ICMPV6) : Int32(IPPROTO_ICMP)
            let client = try TrafficSocket(address.family, SOCK_DGRAM, proto)
            try client.setReceiveBuffer(Self.receiveBuffer)
            let any = try LabAddress(address.isIPv6 ? "::" : "0.0.0.0")
            try client.bind(to: any, port: identifier)
            // Type and code; the kernel sets checksum and identifier.
            let request = [address.isIPv6 ? 128 : 8] + [UInt8](repeating: 0, count: 7 + size)
            let batch = MessageBatch(of: request) { message, number in
                message[6] = UInt8(truncatingIfNeeded: (number + 1) >> 8)
                message[7] = UInt8(truncatingIfNeeded: number + 1)
            }
            let exchange = DatagramExchange(
                count: count,
                perSecond: perSecond,
                timeout: timeout,
                client: client,
                destination: SocketAddress(address, port: 0),
                server: nil,
                header: 0,
                reply: nil
            )
            return try exchange.run(batch, size: request.count)
        }.get()
    }

    /// Opens the server's socket in the server's namespace; called before the client starts.
    private func boundSocket(_ type: __socket_type, _ proto: Int32, port: UInt16) throws(LabError) -> BoundSocket {
        let address = address
        return try server.perform { () throws(LabError) in
            let socket = try TrafficSocket(address.family, type, proto)
            try socket.setReceiveBuffer(Self.receiveBuffer)
            try socket.bind(to: address, port: port)
            return BoundSocket(port: try SocketAddress(of: socket).port, socket)
        }.get()
    }

    /// Returns the source address for a destination in the calling thread's namespace.
    private static func source(for destination: SocketAddress, _ family: Int32) throws(LabError) -> LabAddress {
        let probe = try TrafficSocket(family, SOCK_DGRAM)
        let number = probe.number
        _ = try LabError.check("find the way to \(LabAddress(destination))") {
            destination.withPointer { connect(number, $0, $1) }
        }
        return LabAddress(try SocketAddress(of: probe))
    }
}

/// Passes a server's socket out of the thread that opened it.
private final class BoundSocket {
    let port: UInt16
    private var socket: TrafficSocket?

    init(port: UInt16, _ socket: consuming TrafficSocket) {
        self.port = port
        self.socket = consume socket
    }

    /// Returns the socket once; nil after that.
    func take() -> TrafficSocket? {
        socket.take()
    }
}
