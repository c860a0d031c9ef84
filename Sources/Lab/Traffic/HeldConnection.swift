import CWeir
import Glibc

/// A TCP connection, or a UDP datagram between two sockets, that stays open until ``close()``.
///
/// The client calls one address and the server answers at another where a rule on the way translates addresses.
package final class HeldConnection {
    /// The protocol.
    package enum Kind: Sendable {
        /// A connection that both ends have agreed on.
        case tcp
        /// A datagram, which has arrived.
        case udp

        fileprivate var type: __socket_type { self == .tcp ? SOCK_STREAM : SOCK_DGRAM }
    }

    /// An address and port, as one of the two ends sees it.
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
    /// The place that the client calls.
    package let called: Place
    /// The client's port, as the client sees it.
    package let clientPort: UInt16

    private var client: SocketHolder?
    private var server: SocketHolder?

    /// Opens both ends.
    ///
    /// - Parameters:
    ///   - kind: the protocol.
    ///   - client: where the client is.
    ///   - called: what the client calls.
    ///   - server: where the server is.
    ///   - answering: what the server answers at.
    ///   - timeout: how long each step may take.
    /// - Throws: ``LabError/timeout(operation:progress:)`` if the client's packets do not reach the server, and the error
    ///   if the connection is refused.
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
    /// - Parameter count: how many.
    /// - Throws: if the socket does not take them all at once.
    package func send(_ count: Int) throws(LabError) {
        guard let client else { return }
        let number = client.socket.number
        let sent = try LabError.check("send") { Glibc.send(number, [UInt8](repeating: 0x57, count: count), count, 0) }
        guard sent == count else { throw .timeout(operation: "send \(count) bytes", progress: "\(sent) are sent") }
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

/// Carries a socket out of the thread that opened it.
private final class SocketHolder {
    let socket: TrafficSocket

    init(_ socket: consuming TrafficSocket) {
        self.socket = socket
    }
}
