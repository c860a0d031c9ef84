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
        let connections = try BenchConnections(count / 2, at: .loopback)
        let dump = try SocketDump()
        var best = (active: Double.infinity, sampled: Double.infinity, quiet: Double.infinity, dump: Double.infinity)
        for _ in 0..<rounds {
            try connections.exchange()
            best.active = min(best.active, time { reader.read { _ in } })
            best.quiet = min(best.quiet, time { reader.read { _ in } })
            try connections.exchange()
            best.sampled = min(best.sampled, time { reader.sample() })
            best.dump = min(best.dump, try time { try dump.read(atLeast: count) })
        }
        for (what, value) in [("active", best.active), ("sampled", best.sampled), ("quiet", best.quiet)] {
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
