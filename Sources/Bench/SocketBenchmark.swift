import CWeir
import Datapath
import Glibc
import Lab

/// Measures the cost of a report of all TCP sockets of a node, compared with sock_diag(7) with `tcp_info`.
///
/// The sockets are those of connections over the loopback interface of the benchmark's own namespace.
package enum SocketBenchmark {
    private static let rounds = 25

    /// Measures 100 and 10,000 sockets: all of them, or none, have sent or received since the last report.
    ///
    /// - Throws: a `DatapathError` if programs cannot be loaded, a `LabError` if namespaces cannot be created.
    package static func run(report: (Measurement) -> Void) throws {
        for sockets in [100, 10_000] {
            try NetworkNamespace().run { try measure(sockets, report) }
        }
    }

    private static func measure(_ count: Int, _ report: (Measurement) -> Void) throws {
        let reader = try SocketReader()
        let connections = try LoopbackConnections(count / 2)
        let dump = try SocketDump()
        var best = (active: Double.infinity, quiet: Double.infinity, dump: Double.infinity)
        for _ in 0..<rounds {
            try connections.exchange()
            best.active = min(best.active, time { reader.read { _ in } })
            best.quiet = min(best.quiet, time { reader.read { _ in } })
            best.dump = min(best.dump, try time { try dump.read(atLeast: count) })
        }
        for (what, value) in [("active", best.active), ("quiet", best.quiet)] {
            report(
                Measurement(
                    "sockets/\(count)-\(what)",
                    unit: "ms",
                    value: value / 1e6,
                    baseline: best.dump / 1e6,
                    against: "sock_diag with tcp_info of the same sockets"
                )
            )
        }
    }

    private static func time(_ work: () throws -> Void) rethrows -> Double { try fastest(of: 1, work) }
}

/// TCP connections over loopback, in the namespace of the thread that creates them.
private struct LoopbackConnections: ~Copyable {
    private var clients: [Int32] = []
    private var servers: [Int32] = []

    init(_ count: Int) throws {
        try Self.raiseLimit(to: rlim_t(2 * count + 256))
        let listener = try Self.open()
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        try Self.check("listen", Self.call(&address) { bind(listener, $0, $1) })
        try Self.check("listen", listen(listener, 128))
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        try Self.check("listen", Self.call(&address) { name, _ in getsockname(listener, name, &size) })
        for _ in 0..<count {
            clients.append(try Self.open())
            let client = clients[clients.count - 1]
            try Self.check("connect", Self.call(&address) { connect(client, $0, $1) })
            servers.append(try Self.check("accept", accept(listener, nil, nil)))
        }
    }

    deinit { for socket in clients + servers { close(socket) } }

    /// Sends a byte on each connection.
    func exchange() throws {
        var byte: UInt8 = 0x57
        for (client, server) in zip(clients, servers) {
            try Self.check("send", Int32(send(client, &byte, 1, 0)))
            try Self.check("receive", Int32(recv(server, &byte, 1, 0)))
        }
    }

    private static func open() throws -> Int32 {
        try check("open a socket", socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
    }

    private static func raiseLimit(to files: rlim_t) throws {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        try check("read the limit of open files", getrlimit(resource, &limit))
        guard limit.rlim_cur < files else { return }
        limit.rlim_cur = files
        limit.rlim_max = max(limit.rlim_max, files)
        try check("raise the limit of open files", setrlimit(resource, &limit))
    }

    private static func call(
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
    private static func check(_ operation: String, _ result: Int32) throws -> Int32 {
        guard result < 0 else { return result }
        throw DatapathError.system(operation: operation, errno: errno, advice: "")
    }
}

/// The usual way to get statistics of TCP sockets: one request of sock_diag(7) for all sockets of a namespace.
private struct SocketDump: ~Copyable {
    private let channel: Int32
    /// A header of netlink(7), and inet_diag_req_v2: IPv4, TCP, INET_DIAG_INFO, established, any addresses and ports.
    private let request: [UInt8] =
        [72, 0, 0, 0, 20, 0, 0x01, 0x03] + [UInt8](repeating: 0, count: 8) + [2, 6, 2, 0, 2, 0, 0, 0]
        + [UInt8](repeating: 0, count: 48)
    private static let netlink: Int32 = 16
    private static let sockDiag: Int32 = 4
    private static let done: UInt16 = 3
    private static let answer: UInt16 = 20

    init() throws {
        channel = socket(Self.netlink, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), Self.sockDiag)
        guard channel >= 0 else { throw DatapathError.system(operation: "open sock_diag", errno: errno, advice: "") }
    }

    deinit { close(channel) }

    /// Reads all sockets.
    func read(atLeast expected: Int) throws {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var sockets = 0
        var result = send(channel, request, request.count, 0)
        while result >= 0 {
            result = recv(channel, &buffer, buffer.count, 0)
            var place = 0
            while result > 0, place + 16 <= result {
                let (length, type) = buffer.withUnsafeBytes {
                    (
                        Int($0.loadUnaligned(fromByteOffset: place, as: UInt32.self)),
                        $0.loadUnaligned(fromByteOffset: place + 4, as: UInt16.self)
                    )
                }
                if type == Self.answer { sockets += 1 }
                guard type == Self.answer, length >= 16 else {
                    if type == Self.done, sockets >= expected { return }
                    throw DatapathError.system(operation: "read sock_diag", errno: EIO, advice: "\(sockets) sockets")
                }
                place += (length + 3) & ~3
            }
        }
        throw DatapathError.system(operation: "read sock_diag", errno: errno, advice: "")
    }
}
