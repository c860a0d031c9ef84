import CWeir
import Glibc

/// Owns a non-blocking socket.
struct TrafficSocket: ~Copyable {
    private let descriptor: Descriptor

    /// The number, for system calls; it must not be closed or stored.
    var number: Int32 { descriptor.number }

    /// Opens a socket in the namespace of the calling thread.
    init(_ family: Int32, _ type: __socket_type, _ proto: Int32 = 0) throws(LabError) {
        let kind = Int32(type.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = try LabError.check("open a socket (family \(family), protocol \(proto))") {
            socket(family, kind, proto)
        }
        descriptor = Descriptor(owning: number)
    }

    /// Accepts the next connection of a listening socket; nil if there is none.
    init?(acceptedBy listener: borrowing TrafficSocket) throws(LabError) {
        let result = weir_netns_accept(listener.number)
        if result == 0 - EAGAIN { return nil }
        descriptor = Descriptor(owning: try LabError.unwrap("accept a connection", result))
    }

    /// Sets the size of the receive buffer in bytes, beyond the machine's limit.
    func setReceiveBuffer(_ bytes: Int32) throws(LabError) {
        try set(SOL_SOCKET, SO_RCVBUFFORCE, bytes)
    }

    /// Sets an integer option.
    func set(_ level: Int32, _ option: Int32, _ value: Int32) throws(LabError) {
        var value = value
        let number = number
        _ = try LabError.check("set option \(option) of a socket") {
            setsockopt(number, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    /// Binds to an address; port 0 means any port.
    ///
    /// A child that this process starts without ``SpawnLock`` has copies of all sockets until it executes its program, so the
    /// address of a socket that was just closed may still be in use.
    func bind(to address: LabAddress, port: UInt16) throws(LabError) {
        try set(SOL_SOCKET, SO_REUSEADDR, 1)
        let number = number
        _ = try LabError.check("bind to \(address) port \(port)") {
            SocketAddress(address, port: port).withPointer { Glibc.bind(number, $0, $1) }
        }
    }

    /// Starts to connect; the socket becomes writable when that has ended.
    func connect(to address: LabAddress, port: UInt16) throws(LabError) {
        let result = SocketAddress(address, port: port).withPointer { Glibc.connect(number, $0, $1) }
        let code = errno
        if result < 0, code != EINPROGRESS {
            throw .system(operation: "connect to \(address) port \(port)", code: code)
        }
    }

    /// Returns the error on the socket since the last call, or 0 (`SO_ERROR`).
    func pendingError() throws(LabError) -> Int32 {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let number = number
        _ = try LabError.check("ask a socket for its error") {
            getsockopt(number, SOL_SOCKET, SO_ERROR, &code, &size)
        }
        return code
    }

    /// Sends from a buffer; returns 0 if there is no room.
    func send(_ bytes: UnsafeRawBufferPointer) throws(LabError) -> Int {
        let result = Glibc.send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        let code = errno
        if result < 0, code != EAGAIN { throw .system(operation: "send", code: code) }
        return max(0, result)
    }

    /// Receives into a buffer; returns nil if there is nothing to receive, 0 at the end of the stream.
    func receive(into bytes: UnsafeMutableRawBufferPointer) throws(LabError) -> Int? {
        let result = recv(number, bytes.baseAddress, bytes.count, 0)
        let code = errno
        if result >= 0 { return result }
        if code == EAGAIN { return nil }
        throw .system(operation: "receive", code: code)
    }

    /// Receives all available messages and adds them to a count; `header` bytes of each message are not counted.
    func drain(into count: inout TrafficCount, header: Int = 0) throws(LabError) {
        while true {
            var bytes: UInt64 = 0
            let result = weir_netns_receive(number, &bytes)
            if result == 0 - EAGAIN { return }
            let messages = Int(try LabError.unwrap("receive", result))
            count += TrafficCount(messages: messages, bytes: Int(bytes) - messages * header)
            if messages < WEIR_NETNS_BATCH { return }
        }
    }

    /// Shuts down the sending direction.
    func finish() throws(LabError) {
        let number = number
        _ = try LabError.check("shut a connection down") { shutdown(number, Int32(SHUT_WR)) }
    }

    /// Returns the entry for poll(2) of this socket.
    func interest(_ events: Int32) -> pollfd {
        pollfd(fd: number, events: Int16(events), revents: 0)
    }
}

/// Waits until one of the sockets is ready; returns false after a timeout.
func waitUntilReady(_ interests: [pollfd], _ timeout: Duration) throws(LabError) -> Bool {
    var interests = interests
    let ready = try LabError.check("wait for a socket") {
        poll(&interests, nfds_t(interests.count), timeout.pollTime)
    }
    return ready > 0
}
