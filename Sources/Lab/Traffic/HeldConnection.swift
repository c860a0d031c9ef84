import CWeir
import Glibc

/// A TCP connection, or a UDP datagram between two sockets; it stays open until ``close()``.
///
/// If a rule on the path translates addresses, the client calls one address, and the server answers at another.
package final class HeldConnection {
    /// The protocol.
    package enum Kind: Sendable {
        /// An established connection.
        case tcp
        /// A datagram that has arrived.
        case udp

        fileprivate var type: __socket_type { self == .tcp ? SOCK_STREAM : SOCK_DGRAM }
    }

    /// An address and port, as seen by one of the two ends.
    package struct Place: Sendable {
        /// The address.
        package var address: LabAddress
        /// The port, in host order.
        package var port: UInt16

        /// Takes all members.
        package init(_ address: LabAddress, _ port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    /// The protocol.
    package let kind: Kind
    /// The place to which the client connects.
    package let called: Place
    /// The client's port, as seen by the client.
    package let clientPort: UInt16

    private var client: SocketHolder?
    private var server: SocketHolder?

    /// Opens both ends.
    ///
    /// - Parameters:
    ///   - kind: the protocol.
    ///   - client: the client's namespace.
    ///   - called: the place to which the client connects.
    ///   - server: the server's namespace.
    ///   - answering: the place where the server listens.
    ///   - timeout: the time limit for each step.
    /// - Throws: ``LabError/timeout(operation:progress:)`` if the client's packets do not reach the server, and the error if
    ///   the connection is refused.
    package init(
        _ kind: Kind,
        from client: NetworkNamespace,
        to called: Place,
        answeredIn server: NetworkNamespace,
        at answering: Place,
        timeout: Duration = .seconds(5)
    ) throws(LabError) {
        let listening = try server.perform { () throws(LabError) in
            let socket = try TrafficSocket(answering.address.family, kind.type)
            try socket.bind(to: answering.address, port: answering.port)
            let number = socket.number
            if kind == .tcp { _ = try LabError.check("listen on \(answering.address)") { listen(number, 1) } }
            return SocketHolder(socket)
        }.get()
        let calling = try client.perform { () throws(LabError) in
            let socket = try TrafficSocket(called.address.family, kind.type)
            try socket.connect(to: called.address, port: called.port)
            return SocketHolder(socket)
        }.get()
        switch kind {
        case .tcp: self.server = try Self.finish(calling, listening, timeout)
        case .udp:
            let number = calling.socket.number
            _ = try LabError.check("send a datagram") { Glibc.send(number, [UInt8(0x57)], 1, 0) }
            try Self.wait(listening.socket, POLLIN, timeout)
            self.server = listening
        }
        self.client = calling
        self.kind = kind
        self.called = called
        clientPort = try SocketAddress(of: calling.socket).port
    }

    /// Sends bytes from the client's end.
    ///
    /// - Parameter count: the number of bytes.
    /// - Throws: an error if the socket does not accept all bytes at once.
    package func send(_ count: Int) throws(LabError) {
        guard let client else { return }
        let number = client.socket.number
        let sent = try LabError.check("send") { Glibc.send(number, [UInt8](repeating: 0x57, count: count), count, 0) }
        guard sent == count else { throw .timeout(operation: "send \(count) bytes", progress: "\(sent) are sent") }
    }

    /// Resets a TCP connection from the server's end; the client's socket stays open.
    package func reset() throws(LabError) {
        guard let server else { return }
        let (number, size) = (server.socket.number, socklen_t(MemoryLayout<linger>.size))
        // Closing sends RST then (SO_LINGER of socket(7)).
        var atOnce = linger(l_onoff: 1, l_linger: 0)
        _ = try LabError.check("set SO_LINGER") { setsockopt(number, SOL_SOCKET, SO_LINGER, &atOnce, size) }
        self.server = nil
    }

    /// Dissolves a TCP connection at the client's end, whose socket stays open (AF_UNSPEC of connect(2)).
    package func dissolve() throws(LabError) {
        guard let client else { return }
        let number = client.socket.number
        var nowhere = sockaddr(sa_family: sa_family_t(AF_UNSPEC), sa_data: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        let size = socklen_t(MemoryLayout<sockaddr>.size)
        _ = try LabError.check("dissolve a connection") { Glibc.connect(number, &nowhere, size) }
    }

    /// Closes the client's end, then the server's.
    package func close() {
        client = nil
        server = nil
    }

    private static func finish(
        _ calling: SocketHolder,
        _ listening: SocketHolder,
        _ timeout: Duration
    ) throws(LabError) -> SocketHolder? {
        try wait(calling.socket, POLLOUT, timeout)
        let code = try calling.socket.pendingError()
        guard code == 0 else { throw .system(operation: "connect", code: code) }
        try wait(listening.socket, POLLIN, timeout)
        guard let accepted = try TrafficSocket(acceptedBy: listening.socket) else { return nil }
        return SocketHolder(accepted)
    }

    private static func wait(
        _ socket: borrowing TrafficSocket,
        _ event: Int32,
        _ timeout: Duration
    ) throws(LabError) {
        guard try waitUntilReady([socket.interest(event)], timeout) else {
            throw .timeout(operation: "open a connection", progress: "nothing arrives")
        }
    }
}

/// Passes a socket out of the thread that opened it.
private final class SocketHolder {
    let socket: TrafficSocket

    init(_ socket: consuming TrafficSocket) {
        self.socket = socket
    }
}
