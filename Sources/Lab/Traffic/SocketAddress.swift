import CWeir
import Glibc

/// An IP address with a port, in the kernel's form.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length: socklen_t

    /// Takes an address, and a port in host order.
    init(_ address: LabAddress, port: UInt16) {
        // sockaddr_in: family, port, address. sockaddr_in6: family, port, flow label, address, scope.
        let addressOffset = address.isIPv6 ? 8 : 4
        length = socklen_t(address.isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.storeBytes(of: sa_family_t(address.family), as: sa_family_t.self)
            bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
            for (index, byte) in address.bytes.enumerated() {
                bytes[addressOffset + index] = byte
            }
        }
    }

    /// The local address of a socket.
    init(of socket: borrowing TrafficSocket) throws(LabError) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let number = socket.number
        _ = try LabError.check("ask for a socket's address") {
            withUnsafeMutablePointer(to: &storage) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(number, $0, &length) }
            }
        }
        self.storage = storage
        self.length = length
    }

    /// The port, in host order.
    var port: UInt16 {
        withUnsafeBytes(of: storage) { UInt16(bigEndian: $0.load(fromByteOffset: 2, as: UInt16.self)) }
    }

    /// The bytes of the address: 4 or 16.
    var addressBytes: [UInt8] {
        withUnsafeBytes(of: storage) { bytes in
            Int32(storage.ss_family) == AF_INET6 ? Array(bytes[8..<24]) : Array(bytes[4..<8])
        }
    }

    /// Passes the address to a system call.
    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
