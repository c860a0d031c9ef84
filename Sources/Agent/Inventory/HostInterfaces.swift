import FlowModel
import Glibc

/// The interfaces of this host's network namespace, by index, with their names and addresses.
///
/// Used on one thread, in that namespace.
final class HostInterfaces {
    /// The time for which an answer is valid, ns.
    private static let lifetime: Int64 = 5_000_000_000

    private let node: String
    private var interfaces: [UInt32: HostInterface] = [:]
    private var readAt: Int64?

    /// Creates the interfaces of a node.
    init(node: String) {
        self.node = node
    }

    /// The interface of an index; nil if there is none.
    func interface(_ index: UInt32) -> HostInterface? {
        let now = Clock.monotonic
        if readAt.map({ now - $0 > Self.lifetime }) ?? true {
            interfaces = read()
            readAt = now
        }
        return interfaces[index]
    }

    private func read() -> [UInt32: HostInterface] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return interfaces }
        defer { freeifaddrs(first) }
        var found: [UInt32: HostInterface] = [:]
        var next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            let index = if_nametoindex(entry.pointee.ifa_name)
            guard index != 0 else { continue }
            let name = String(cString: entry.pointee.ifa_name)
            found[index, default: HostInterface(node: node, name: name, addresses: [])].addresses +=
                Self.address(entry.pointee.ifa_addr).map { [$0] } ?? []
        }
        return found
    }

    private static func address(_ pointer: UnsafeMutablePointer<sockaddr>?) -> IPAddress? {
        guard let pointer, [AF_INET, AF_INET6].contains(Int32(pointer.pointee.sa_family)) else { return nil }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let size =
            Int32(pointer.pointee.sa_family) == AF_INET
            ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
        let count = socklen_t(text.count)
        guard getnameinfo(pointer, socklen_t(size), &text, count, nil, 0, NI_NUMERICHOST) == 0 else { return nil }
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        // A link-local address is followed by a percent sign and its interface.
        return IPAddress(String(decoding: bytes.prefix { $0 != UInt8(ascii: "%") }, as: UTF8.self))
    }
}
