package import CWeir
import Glibc
import Lab

/// A socket that refuses every packet by a filter of its own.
package enum RefusingSocket {
    /// Opens it in the caller's network namespace; the caller closes it.
    package static func open(_ type: __socket_type = SOCK_DGRAM, _ proto: Int32 = 0, port: UInt16) throws -> Int32 {
        let descriptor = try LabError.check("open a socket") {
            socket(AF_INET, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), proto)
        }
        // BPF_RET | BPF_K: take 0 bytes.
        var instruction = sock_filter(code: 0x06, jt: 0, jf: 0, k: 0)
        _ = try LabError.check("attach a socket filter") {
            withUnsafeMutablePointer(to: &instruction) { filter in
                var program = sock_fprog(len: 1, filter: filter)
                let size = socklen_t(MemoryLayout<sock_fprog>.size)
                return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, size)
            }
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        _ = try LabError.check("bind a socket") {
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        return descriptor
    }
}
