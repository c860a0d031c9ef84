import Glibc
import Posix

/// Connects a socket: resolves the host, then tries its addresses one after the other.
struct SocketConnector: ~Copyable {
    /// The destination.
    enum Target {
        /// A Unix stream socket at a path.
        case unix(path: String)
        /// A port of a host.
        case port(host: String, port: UInt16, type: __socket_type)
    }

    private let target: Target
    private var lookup: AddressLookup?
    private var candidates: [SocketAddress]?
    private var descriptor: FileDescriptor?
    private var isConnected = false

    /// Creates a connector without a socket.
    init(_ target: Target) {
        self.target = target
    }

    /// The entry to poll until ``advance()`` can continue; after that, the connected socket.
    func pollEntry(_ events: Int32) -> PollEntry? {
        guard descriptor == nil else { return descriptor?.pollEntry(events) }
        return lookup?.pollEntry
    }

    /// Continues to connect as far as possible without waiting.
    mutating func advance() throws(SinkFailure) -> SinkProgress {
        var failure = SinkFailure("connect: no address", .reopen)
        if descriptor != nil {
            do {
                return try completeConnection()
            } catch {
                failure = SinkFailure(error, .reopen)
                descriptor = nil
            }
        } else if candidates == nil {
            candidates = try addresses()
        }
        guard candidates != nil else { return .pending }
        while let address = candidates?.first {
            candidates?.removeFirst()
            do {
                return try connect(to: address)
            } catch {
                failure = SinkFailure(error, .reopen)
                descriptor = nil
            }
        }
        throw failure
    }

    /// Sends on the connected socket; returns nil if no bytes can be sent now.
    func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int? {
        do throws(SystemError) {
            return try descriptor?.send(bytes)
        } catch {
            guard error.code == EAGAIN else { throw error }
            return nil
        }
    }

    /// Removes and returns the oldest error that was received for a datagram; nil for none.
    func takeError() -> DatagramError? { descriptor?.takeError() }

    /// Removes and returns a pending error of the socket that does not quote a datagram; nil for none.
    func takePendingError() -> Int32? {
        guard let code = try? descriptor?.pendingError(), code != 0 else { return nil }
        return code
    }

    /// Closes the socket and discards the addresses, so that the next attempt resolves the host again.
    mutating func reset() {
        if isConnected {
            descriptor?.endSending()
            // With unread input, the kernel would reset the connection and discard unsent bytes.
            descriptor?.discardInput()
        }
        descriptor = nil
        isConnected = false
        lookup = nil
        candidates = nil
    }

    private mutating func addresses() throws(SinkFailure) -> [SocketAddress]? {
        switch target {
        case .unix(let path): return [SocketAddress(unix: path)]
        case .port(let host, let port, let type):
            do {
                let question = try lookup ?? AddressLookup(host: host, port: port, type: type)
                lookup = question
                return try question.result()
            } catch let error as AddressLookup.Failure {
                throw SinkFailure(error.reason, .reopen)
            } catch let error as SystemError {
                throw SinkFailure(error, .reopen)
            } catch {
                throw SinkFailure("look up \(host): \(error)", .reopen)
            }
        }
    }

    private var type: __socket_type {
        switch target {
        case .unix: SOCK_STREAM
        case .port(_, _, let type): type
        }
    }

    private mutating func connect(to address: SocketAddress) throws(SystemError) -> SinkProgress {
        let socket = try FileDescriptor.socket(family: address.family, type: type)
        if type == SOCK_DGRAM { socket.keepErrors(family: address.family) }
        do throws(SystemError) {
            try socket.connect(to: address)
        } catch {
            guard error.code == EINPROGRESS else { throw error }
            descriptor = consume socket
            return .pending
        }
        descriptor = consume socket
        isConnected = true
        return .ready
    }

    private mutating func completeConnection() throws(SystemError) -> SinkProgress {
        guard let outcome = descriptor?.pollEntry(Int32(POLLOUT)).now(), outcome.isReady || outcome.isHungUp else {
            return .pending
        }
        let code = try descriptor?.pendingError() ?? 0
        guard code == 0 else { throw SystemError("connect", code: code) }
        isConnected = true
        return .ready
    }
}
