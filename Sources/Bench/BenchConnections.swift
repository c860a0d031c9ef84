import Datapath
import Glibc
import Lab

/// TCP connections to a server of the benchmark; the calling thread serves both ends.
final class BenchConnections {
    /// The places of the two ends.
    struct Ends {
        /// The address of the server, in host order.
        let address: UInt32
        /// The namespaces of the clients and of the server; nil for that of the calling thread.
        var clients: NetworkNamespace?
        var server: NetworkNamespace?

        /// Over the loopback interface of the calling thread's namespace.
        static var loopback: Ends { Ends(address: 0x7f00_0001) }
    }

    private let ends: Ends
    private let listener: Int32
    private let address: sockaddr_in
    private var held: [(client: Int32, server: Int32)] = []

    /// Opens a number of connections.
    ///
    /// - Throws: a `DatapathError` if the kernel refuses, a `LabError` if a namespace cannot be entered.
    init(_ count: Int, at ends: Ends) throws {
        self.ends = ends
        try BenchSocket.raiseLimit(to: rlim_t(2 * count + 256))
        let listener = try BenchSocket.open(SOCK_STREAM, in: ends.server)
        self.listener = listener
        var address = BenchSocket.address(ends.address, port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        try BenchSocket.check("bind", BenchSocket.call(&address) { bind(listener, $0, $1) })
        try BenchSocket.check("listen", listen(listener, 128))
        try BenchSocket.check(
            "find the port",
            BenchSocket.call(&address) { name, _ in getsockname(listener, name, &size) }
        )
        self.address = address
        try BenchSocket.inside(ends.clients) {
            for _ in 0..<count { held.append(try Self.connect(to: address, listener)) }
        }
    }

    deinit {
        close(listener)
        for (client, server) in held {
            close(client)
            close(server)
        }
    }

    /// A byte on each connection.
    func exchange() throws {
        for (client, server) in held { try Self.send(from: client, to: server) }
    }

    /// Opens more connections, one after the other, sends a byte on each, and closes them.
    func exchange(short count: Int) throws {
        let (address, listener) = (address, listener)
        try BenchSocket.inside(ends.clients) {
            for _ in 0..<count {
                let (client, server) = try Self.connect(to: address, listener)
                try Self.send(from: client, to: server)
                close(client)
                close(server)
            }
        }
    }

    private static func connect(to address: sockaddr_in, _ listener: Int32) throws -> (client: Int32, server: Int32) {
        var address = address
        let client = try BenchSocket.open(SOCK_STREAM)
        try BenchSocket.check("connect", BenchSocket.call(&address) { Glibc.connect(client, $0, $1) })
        return (client, try BenchSocket.check("accept", accept(listener, nil, nil)))
    }

    private static func send(from client: Int32, to server: Int32) throws {
        var byte: UInt8 = 0x57
        try BenchSocket.check("send", Int32(Glibc.send(client, &byte, 1, 0)))
        try BenchSocket.check("receive", Int32(recv(server, &byte, 1, 0)))
    }
}

/// DNS lookups of one name, which the calling thread answers with the server's address.
final class BenchLookups {
    private let client: NetworkNamespace
    private let server: Int32
    private let address: UInt32
    private var queries: UInt16 = 0

    /// Waits for questions at an address, in host order, in a namespace.
    init(from client: NetworkNamespace, to server: NetworkNamespace, at address: UInt32) throws {
        self.client = client
        self.address = address
        let socket = try BenchSocket.open(SOCK_DGRAM, in: server)
        self.server = socket
        var own = BenchSocket.address(address, port: 53)
        try BenchSocket.check("bind port 53", BenchSocket.call(&own) { bind(socket, $0, $1) })
    }

    deinit { close(server) }

    /// Sends a number of queries, each from another port.
    func ask(_ count: Int) throws {
        let (address, server, first) = (address, server, queries)
        queries &+= UInt16(count)
        try BenchSocket.inside(client) {
            for number in 0..<UInt16(count) { try Self.ask(first &+ number, server, address) }
        }
    }

    private static func ask(_ id: UInt16, _ server: Int32, _ address: UInt32) throws {
        let client = try BenchSocket.open(SOCK_DGRAM)
        defer { close(client) }
        let question: [UInt8] = Array("\u{3}api\u{7}example\u{3}com\u{0}".utf8) + [0, 1, 0, 1]
        let query = [UInt8(id >> 8), UInt8(id & 0xff), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0] + question
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: address >> (24 - 8 * $0)) }
        let answer =
            [UInt8(id >> 8), UInt8(id & 0xff), 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0] + question
            + [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4] + bytes
        var buffer = [UInt8](repeating: 0, count: 512)
        var (called, caller) = (BenchSocket.address(address, port: 53), sockaddr_in())
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        try BenchSocket.check("call", BenchSocket.call(&called) { connect(client, $0, $1) })
        try BenchSocket.check("ask", Int32(send(client, query, query.count, 0)))
        let asked = BenchSocket.call(&caller) { name, _ in
            Int32(recvfrom(server, &buffer, buffer.count, 0, name, &size))
        }
        try BenchSocket.check("be asked", asked)
        let sent = BenchSocket.call(&caller) { Int32(sendto(server, answer, answer.count, 0, $0, $1)) }
        try BenchSocket.check("answer", sent)
        try BenchSocket.check("be answered", Int32(recv(client, &buffer, buffer.count, 0)))
    }
}

/// Sockets of benchmarks.
private enum BenchSocket {
    /// Runs a closure inside a namespace; nil is that of the calling thread.
    static func inside<Value>(_ namespace: NetworkNamespace?, _ body: () throws -> Value) throws -> Value {
        try namespace?.run(body) ?? body()
    }

    static func open(_ type: __socket_type, in namespace: NetworkNamespace? = nil) throws -> Int32 {
        try inside(namespace) {
            let number = try check("open a socket", socket(AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0))
            var limit = timeval(tv_sec: 5, tv_usec: 0)
            setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            return number
        }
    }

    static func address(_ address: UInt32, port: UInt16) -> sockaddr_in {
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        place.sin_addr.s_addr = address.bigEndian
        return place
    }

    static func raiseLimit(to files: rlim_t) throws {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        try check("read the limit of open files", getrlimit(resource, &limit))
        guard limit.rlim_cur < files else { return }
        limit.rlim_cur = files
        limit.rlim_max = max(limit.rlim_max, files)
        try check("raise the limit of open files", setrlimit(resource, &limit))
    }

    static func call(
        _ address: inout sockaddr_in,
        _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    @discardableResult
    static func check(_ operation: String, _ result: Int32) throws -> Int32 {
        guard result < 0 else { return result }
        throw DatapathError.system(operation: operation, errno: errno, advice: "")
    }
}
