import CWeir
import Glibc
import Lab
import Synchronization
import Testing

/// A TCP connection, or datagrams of one socket, that sends a message every few milliseconds until it is ended.
///
/// A message that cannot be sent at once is dropped: a blocked connection sends only the kernel's retries.
final class SteadyTraffic: Sendable {
    private final class Flag: Sendable {
        let isSet = Atomic<Bool>(false)
    }

    private let ended = Flag()
    private let closed = Flag()
    private let sockets: Set<Int32>
    private let work: BackgroundWork<Void>

    /// Opens both ends and begins to send.
    ///
    /// - Parameters:
    ///   - isStream: TCP, else UDP.
    ///   - client: where the client is.
    ///   - server: where the server is.
    ///   - address: the server's IPv4 address.
    ///   - port: the server's port.
    ///   - pause: milliseconds between two messages.
    /// - Throws: if the ends cannot connect.
    init(
        isStream: Bool,
        from client: NetworkNamespace,
        to server: NetworkNamespace,
        at address: LabAddress,
        port: UInt16,
        pause: UInt32
    ) throws {
        let type = isStream ? SOCK_STREAM : SOCK_DGRAM
        let listening = try server.run { try Self.socket(type, at: address, port, bind) }
        if isStream { try #require(listen(listening, 1) == 0) }
        let calling = try client.run { try Self.socket(type, at: address, port, connect) }
        let answering = isStream ? accept(listening, nil, nil) : listening
        try #require(answering >= 0)
        sockets = [calling, answering, listening]
        let ended = ended
        work = try BackgroundWork {
            while !ended.isSet.load(ordering: .relaxed) {
                Self.talk(calling, answering)
                usleep(pause * 1000)
            }
        }
    }

    deinit {
        try? end()
    }

    /// Sends nothing more; both ends stay open.
    func pause() throws {
        ended.isSet.store(true, ordering: .relaxed)
        try work.value()
    }

    /// Sends nothing more, and closes both ends.
    func end() throws {
        try pause()
        guard !closed.isSet.exchange(true, ordering: .relaxed) else { return }
        for socket in sockets { close(socket) }
    }

    private static func talk(_ calling: Int32, _ answering: Int32) {
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        var bytes = [UInt8](repeating: 0x57, count: 4096)
        _ = send(calling, bytes, 100, flags)
        while recv(answering, &bytes, bytes.count, flags) > 0 {}
    }

    private static func socket(
        _ type: __socket_type,
        at address: LabAddress,
        _ port: UInt16,
        _ use: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws -> Int32 {
        let descriptor = Glibc.socket(AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
        try #require(descriptor >= 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &name.sin_addr) { $0.copyBytes(from: address.bytes) }
        let result = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                use(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0, "\(address) port \(port): \(String(cString: strerror(errno)))")
        return descriptor
    }
}
