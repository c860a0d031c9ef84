package import Glibc

/// The address of a socket in the kernel's binary form.
package struct SocketAddress: Sendable, Equatable {
    /// `AF_UNIX`, `AF_INET` or `AF_INET6`.
    package let family: Int32
    private let bytes: [UInt8]

    /// Copies an address that the C library made.
    package init(copying address: UnsafePointer<sockaddr>, length: Int) {
        family = Int32(address.pointee.sa_family)
        bytes = Array(UnsafeRawBufferPointer(start: address, count: length))
    }

    /// The longest path of a Unix socket in bytes (`sun_path` without the final zero).
    package static let maximumPath = 107

    /// The address of a Unix socket; the path has at most ``maximumPath`` bytes.
    package init(unix path: String) {
        family = AF_UNIX
        let name = Array(path.utf8.prefix(Self.maximumPath))
        let head = withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) }
        let padding = MemoryLayout<sockaddr_un>.size - head.count - name.count
        bytes = head + name + [UInt8](repeating: 0, count: padding)
    }

    /// Calls a body with a pointer to the address, for a system call.
    package func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: sockaddr_storage.self, capacity: 1) { storage in
            let raw = UnsafeMutableRawBufferPointer(storage)
            bytes.withUnsafeBytes { raw.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(raw.count))) }
            let pointer = UnsafeRawPointer(storage.baseAddress.unsafelyUnwrapped).assumingMemoryBound(to: sockaddr.self)
            return body(pointer, socklen_t(bytes.count))
        }
    }
}
