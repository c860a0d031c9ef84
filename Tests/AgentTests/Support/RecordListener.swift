import CWeir
import Foundation
import Lab
import Testing

/// A listener for records on a Unix socket.
final class RecordListener: Sendable {
    /// The socket's path.
    let path: String
    private let descriptor: Int32

    /// Listens on a path.
    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        try #require(path.utf8.count < MemoryLayout.size(ofValue: address.sun_path))
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let number = descriptor
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) | listen(number, 4)
            }
        }
        try #require(result == 0, "listen on \(path): \(String(cString: strerror(errno)))")
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// Waits for a connection.
    func accept() throws -> RecordReader {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        try #require(poll(&entry, 1, 60_000) == 1, "nobody connects to \(path)")
        let connection = Glibc.accept(descriptor, nil, nil)
        try #require(connection >= 0)
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        return RecordReader(connection)
    }

    /// Reads one connection to its end on a thread of its own.
    func readOne() throws -> BackgroundWork<String> {
        try BackgroundWork { try self.accept().readToEnd() }
    }
}

/// The reading end of a connection; closed with this object.
final class RecordReader {
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 18)

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// Reads so many bytes, or fewer at the end.
    func read(_ count: Int) throws -> String {
        var bytes: [UInt8] = []
        while bytes.count < count, let more = try next(count - bytes.count) { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads until the other end closes.
    func readToEnd() throws -> String {
        try read(.max)
    }

    /// Reads until the other end closes, and keeps the number of lines only.
    func tallyToEnd() throws -> (lines: Int, beginning: String, endsWithLine: Bool) {
        var tally = (lines: 0, beginning: "", endsWithLine: true)
        while let bytes = try next(.max) {
            if tally.beginning.isEmpty { tally.beginning = String(decoding: bytes.prefix(64), as: UTF8.self) }
            tally.lines += bytes.withUnsafeBytes { Self.newlines($0) }
            tally.endsWithLine = bytes.last == UInt8(ascii: "\n")
        }
        return tally
    }

    /// memchr(3), because a loop in Swift is slow where tests are not optimized.
    private static func newlines(_ bytes: UnsafeRawBufferPointer) -> Int {
        var count = 0
        var offset = 0
        while let start = bytes.baseAddress, offset < bytes.count,
            let found = memchr(start + offset, 0x0a, bytes.count - offset)
        {
            count += 1
            offset = UnsafeRawPointer(found) - start + 1
        }
        return count
    }

    private func next(_ most: Int) throws -> ArraySlice<UInt8>? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        try #require(poll(&entry, 1, 60_000) == 1, "nothing comes")
        let count = Glibc.read(descriptor, &buffer, min(most, buffer.count))
        return count > 0 ? buffer[..<count] : nil
    }
}
