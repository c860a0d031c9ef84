import CWeir
import Glibc

extension TrafficPath {
    /// Room for messages that wait, for each socket: some 100,000 small ones.
    private static let receiveBuffer: Int32 = 128 << 20

    /// Sends UDP datagrams; those larger than the MTU travel in fragments.
    ///
    /// - Parameters:
    ///   - count: how many.
    ///   - size: payload bytes of each, 0 to 65,507 (IPv6: 65,527).
    ///   - reply: payload bytes with which the server answers each, or nil for no answers.
    ///   - port: the server's port; 0 for any.
    ///   - sourcePort: the client's port; 0 for any.
    ///   - perSecond: how many a second, or nil for full speed.
    /// - Returns: what the sockets carried; what got lost on the way is missing in what was received.
    /// - Throws: ``LabError`` if a socket cannot be opened or refuses to send.
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

    /// Sends packets of any protocol above IP; those larger than the MTU travel in fragments.
    ///
    /// - Parameters:
    ///   - proto: the protocol's number, such as 253 (RFC 3692, for experiments) or 132 (SCTP).
    ///   - payload: what follows the IP header.
    ///   - count: how many.
    /// - Returns: what the sockets carried, without IP headers.
    /// - Throws: ``LabError`` if a socket cannot be opened or refuses to send.
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
    ///   - count: how many; their sequence numbers are 1, 2, 3 and so on.
    ///   - size: bytes after the header of 8.
    ///   - identifier: the identifier of the requests; 0 for one that the kernel chooses.
    ///   - perSecond: how many a second, or nil for full speed.
    /// - Returns: requests as ``TrafficResult/clientSent``, replies as ``TrafficResult/clientReceived``.
    /// - Throws: ``LabError`` if a socket cannot be opened or refuses to send.
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
            // Type and code; the kernel fills checksum and identifier in.
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

    /// Opens the server's socket in the server's namespace, before the client starts.
    private func boundSocket(_ type: __socket_type, _ proto: Int32, port: UInt16) throws(LabError) -> BoundSocket {
        let address = address
        return try server.perform { () throws(LabError) in
            let socket = try TrafficSocket(address.family, type, proto)
            try socket.setReceiveBuffer(Self.receiveBuffer)
            try socket.bind(to: address, port: port)
            return BoundSocket(port: try SocketAddress(of: socket).port, socket)
        }.get()
    }

    /// The address that the calling thread's namespace sends from on the way to a destination.
    private static func source(for destination: SocketAddress, _ family: Int32) throws(LabError) -> LabAddress {
        let probe = try TrafficSocket(family, SOCK_DGRAM)
        let number = probe.number
        _ = try LabError.check("find the way to \(LabAddress(destination))") {
            destination.withPointer { connect(number, $0, $1) }
        }
        return LabAddress(try SocketAddress(of: probe))
    }
}

/// Carries a server's socket out of the thread that opened it.
private final class BoundSocket {
    let port: UInt16
    private var socket: TrafficSocket?

    init(port: UInt16, _ socket: consuming TrafficSocket) {
        self.port = port
        self.socket = consume socket
    }

    /// Gives the socket up.
    func take() -> TrafficSocket? {
        socket.take()
    }
}
