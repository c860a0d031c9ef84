import Glibc

/// An IPv4 or IPv6 address.
package struct LabAddress: Hashable, Sendable, CustomStringConvertible {
    /// The 4 or 16 bytes of the address in network order.
    package let bytes: [UInt8]

    /// Parses an address such as `10.77.0.1` or `fd77::1`.
    ///
    /// - Throws: ``LabError/invalid(_:)`` for other text.
    package init(_ text: String) throws(LabError) {
        var bytes = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &bytes) == 1 {
            self.bytes = Array(bytes.prefix(4))
        } else if inet_pton(AF_INET6, text, &bytes) == 1 {
            self.bytes = bytes
        } else {
            throw .invalid("not an IP address: \(text)")
        }
    }

    /// Creates an IPv4 address from its number, such as `0x0a4d_0001` for 10.77.0.1.
    package init(ipv4 number: UInt32) {
        bytes = withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    /// Takes the address of a socket address.
    init(_ address: SocketAddress) {
        bytes = address.addressBytes
    }

    /// Whether it is an IPv6 address.
    package var isIPv6: Bool { bytes.count == 16 }

    /// `AF_INET` or `AF_INET6`.
    var family: Int32 { isIPv6 ? AF_INET6 : AF_INET }

    /// The length of the prefix that contains only this address: 32 or 128.
    var hostPrefix: Int { bytes.count * 8 }

    /// The address as `ip` writes it.
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(family, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
