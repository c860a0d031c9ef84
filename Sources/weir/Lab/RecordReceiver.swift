import Dispatch
import Foundation
import Glibc

/// Receives records on a TCP port of the loopback interface, for the lab's screen.
final class RecordReceiver: Sendable {
    /// The port, chosen by the system.
    let port: UInt16
    private let ended = DispatchSemaphore(value: 0)
    private let listener: Int32

    /// Listens in the network namespace of the calling thread, and passes every line to `show`.
    init(show: @escaping @Sendable (Data) -> Void) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (number, size) = (listener, length)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(number, generic, size) | listen(number, 1) | getsockname(number, generic, &length)
            }
        }
        guard listener >= 0, result == 0 else {
            throw CommandFailure(description: "listen for records: \(String(cString: strerror(errno)))")
        }
        port = UInt16(bigEndian: address.sin_port)
        let ended = ended
        Thread.detachNewThread {
            Self.receive(number, show)
            ended.signal()
        }
    }

    /// Waits until the sender has closed its connection.
    func finish() {
        ended.wait()
        close(listener)
    }

    private static func receive(_ listener: Int32, _ show: (Data) -> Void) {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        defer { close(connection) }
        var pending = Data()
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(connection, &buffer, buffer.count)
            guard count > 0 else { return }
            pending.append(contentsOf: buffer[..<count])
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                show(pending[..<end])
                pending = Data(pending[(end + 1)...])
            }
        }
    }
}
