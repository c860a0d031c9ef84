import Export
import Glibc

/// A reader of records for tests: listens on a socket, accepts, reads at its own pace.
final class Listener {
    /// The kinds of sockets that tests run against.
    enum Kind: String, CaseIterable, Sendable {
        case unix
        case tcp
        case udp
    }

    let kind: Kind
    let port: UInt16
    private let path: String
    private var descriptor: Int32 = -1

    /// Listens on the given port, or on a free one.
    init(_ kind: Kind, path: String = "", port: UInt16 = 0, backlog: Int32 = 8) {
        self.kind = kind
        self.path = path
        let type = kind == .udp ? SOCK_DGRAM : SOCK_STREAM
        descriptor = socket(kind == .unix ? AF_UNIX : AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if kind == .unix {
            unlink(path)
            self.port = 0
            Self.withUnixAddress(path) { _ = bind(descriptor, $0, $1) }
        } else {
            self.port = Self.bindLoopback(descriptor, port: port)
        }
        if kind != .udp { listen(descriptor, backlog) }
    }

    deinit {
        stop()
    }

    var specification: OutputSpecification {
        switch kind {
        case .unix: .unix(path: path)
        case .tcp: .tcp(host: "127.0.0.1", port: port)
        case .udp: .udp(host: "127.0.0.1", port: port)
        }
    }

    /// Stops listening.
    func stop() {
        guard descriptor >= 0 else { return }
        close(descriptor)
        descriptor = -1
        if kind == .unix { unlink(path) }
    }

    /// The next connection; -1 if none comes within the time.
    ///
    /// Programs that other tests start meanwhile must not inherit it: it would stay open as long as they run.
    func accept(within milliseconds: Int32 = 60_000) -> Int32 {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) == 1 else { return -1 }
        let connection = Glibc.accept(descriptor, nil, nil)
        if connection >= 0 { _ = fcntl(connection, F_SETFD, FD_CLOEXEC) }
        return connection
    }

    /// The next datagram; nil if none comes within the time.
    func receive(milliseconds: Int32) -> [UInt8]? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, milliseconds) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count >= 0 ? Array(buffer[..<count]) : nil
    }

    private static func bindLoopback(_ descriptor: Int32, port: UInt16) -> UInt16 {
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, size)
                getsockname(descriptor, $0, &size)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Void) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}

/// Reads exactly so many bytes, or fewer at the end of the stream.
func readBytes(_ count: Int, from descriptor: Int32) -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while all.count < count {
        let got = read(descriptor, &chunk, min(chunk.count, count - all.count))
        guard got > 0 else { break }
        all += chunk[..<got]
    }
    return all
}
