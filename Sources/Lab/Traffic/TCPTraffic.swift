import CWeir
import Glibc

/// The result of an attempt to connect.
package enum ConnectionOutcome: Hashable, Sendable {
    /// The connection was established, and closed again.
    case connected
    /// The other end, or a rule on the way, refused the connection.
    case refused
    /// There was no answer in time.
    case timedOut
    /// Another error, with its `errno`.
    case failed(Int32)
}

extension TrafficPath {
    /// Runs TCP connections one after the other: a request, the answer after the complete request, the end.
    ///
    /// The server closes first. When this returns, both ends have received the other's end of stream.
    ///
    /// - Parameters:
    ///   - connections: the number of connections.
    ///   - request: the number of bytes from client to server on each connection.
    ///   - response: the number of bytes from server to client on each connection.
    ///   - port: the server's port; 0 for any.
    /// - Returns: the traffic of the sockets; `messages` are connections.
    /// - Throws: ``LabError/timeout(operation:progress:)`` if there is no progress for ``timeout``, and the error if a
    ///   connection is refused or reset.
    package func tcp(
        connections: Int = 1,
        request: Int = 1000,
        response: Int = 1000,
        port: UInt16 = 0
    ) throws(LabError) -> TrafficResult {
        let address = address
        let listener = try server.perform { () throws(LabError) -> TCPListener in
            try TCPListener(address, port: port)
        }.get()
        return try client.perform { () throws(LabError) in
            let buffer = TransferBuffer()
            var result = TrafficResult()
            for _ in 0..<connections {
                var exchange = try TCPExchange(with: listener, buffer, request: request, response: response, timeout)
                result += try exchange.run(timeout)
            }
            return result
        }.get()
    }

    /// Tries to connect to a port; a listener is not required.
    package func tcpAttempt(port: UInt16) throws(LabError) -> ConnectionOutcome {
        try ConnectionAttempt.begin(from: client, to: address, port: port).outcome(within: timeout)
    }
}

/// A listening server, to which clients can connect later.
private final class TCPListener {
    let socket: TrafficSocket
    let address: LabAddress
    let port: UInt16

    init(_ address: LabAddress, port: UInt16) throws(LabError) {
        socket = try TrafficSocket(address.family, SOCK_STREAM)
        try socket.bind(to: address, port: port)
        self.address = address
        self.port = try SocketAddress(of: socket).port
        let number = socket.number
        _ = try LabError.check("listen on \(address)") { listen(number, 16) }
    }
}

/// The bytes to send, and the buffer for received bytes.
private final class TransferBuffer {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)

    init() {
        bytes.initializeMemory(as: UInt8.self, repeating: 0x77)
    }

    deinit {
        bytes.deallocate()
    }
}

/// A connection; the calling thread handles both ends.
private struct TCPExchange: ~Copyable {
    private let client: TrafficSocket
    private let server: TrafficSocket
    private let request: Int
    private let response: Int
    private let name: String
    private var clientSent = 0
    private var clientReceived = 0
    private var serverSent = 0
    private var serverReceived = 0
    private var clientFinished = false
    private var serverFinished = false
    private let buffer: TransferBuffer

    /// Connects in the namespace of the calling thread.
    init(
        with listener: TCPListener,
        _ buffer: TransferBuffer,
        request: Int,
        response: Int,
        _ timeout: Duration
    ) throws(LabError) {
        let client = try TrafficSocket(listener.address.family, SOCK_STREAM)
        try client.connect(to: listener.address, port: listener.port)
        let name = "TCP to \(listener.address) port \(listener.port)"
        self.server = try Self.accept(from: client, listener, name, timeout)
        self.client = client
        self.name = name
        self.request = request
        self.response = response
        self.buffer = buffer
    }

    private static func accept(
        from client: borrowing TrafficSocket,
        _ listener: TCPListener,
        _ name: String,
        _ timeout: Duration
    ) throws(LabError) -> TrafficSocket {
        let deadline = ContinuousClock.now + timeout
        while true {
            if let server = try TrafficSocket(acceptedBy: listener.socket) { return server }
            let code = try client.pendingError()
            if code != 0 { throw .system(operation: name, code: code) }
            // The listener becomes ready when the connection is established, the client when it has failed.
            let rest = ContinuousClock.now.duration(to: deadline)
            guard rest > .zero,
                try waitUntilReady([listener.socket.interest(POLLIN), client.interest(0)], rest)
            else { throw .timeout(operation: name, progress: "no connection") }
        }
    }

    /// Handles both ends until both have received the other's end of stream.
    mutating func run(_ timeout: Duration) throws(LabError) -> TrafficResult {
        var clientDone = false
        var serverDone = false
        while !(clientDone && serverDone) {
            let before = clientSent + clientReceived + serverSent + serverReceived
            try sendRequest()
            if !serverDone {
                let count = try server.receive(into: buffer.bytes)
                serverReceived += count ?? 0
                serverDone = count == 0
            }
            try sendResponse()
            if !clientDone {
                let count = try client.receive(into: buffer.bytes)
                clientReceived += count ?? 0
                clientDone = count == 0
            }
            if clientDone, !clientFinished {
                try client.finish()
                clientFinished = true
            } else if before == clientSent + clientReceived + serverSent + serverReceived, !(clientDone && serverDone) {
                try wait(clientDone, serverDone, timeout)
            }
        }
        var result = TrafficResult()
        result.clientSent = TrafficCount(messages: 1, bytes: clientSent)
        result.serverReceived = TrafficCount(messages: 1, bytes: serverReceived)
        result.serverSent = TrafficCount(messages: 1, bytes: serverSent)
        result.clientReceived = TrafficCount(messages: 1, bytes: clientReceived)
        return result
    }

    private mutating func sendRequest() throws(LabError) {
        guard clientSent < request else { return }
        clientSent += try client.send(part(request - clientSent))
    }

    private mutating func sendResponse() throws(LabError) {
        guard serverReceived >= request, !serverFinished else { return }
        if serverSent < response { serverSent += try server.send(part(response - serverSent)) }
        guard serverSent == response else { return }
        try server.finish()
        serverFinished = true
    }

    private func part(_ rest: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: buffer.bytes.prefix(rest))
    }

    private func wait(_ clientDone: Bool, _ serverDone: Bool, _ timeout: Duration) throws(LabError) {
        let clientEvents = (clientDone ? 0 : POLLIN) | (clientSent < request ? POLLOUT : 0)
        let isAnswering = serverReceived >= request && !serverFinished
        let serverEvents = (serverDone ? 0 : POLLIN) | (isAnswering ? POLLOUT : 0)
        guard try waitUntilReady([client.interest(clientEvents), server.interest(serverEvents)], timeout) else {
            throw .timeout(
                operation: name,
                progress: "client sent \(clientSent) of \(request) and received \(clientReceived) of \(response) bytes"
            )
        }
    }
}
