import FlowModel
import Glibc

/// The interfaces of this host's network namespace, by index, with their names and addresses.
///
/// Used on one thread, in that namespace.
final class HostInterfaces {
    /// The time for which an answer is valid, ns.
    private static let lifetime: Int64 = 5_000_000_000
    /// The shortest time between two readings for indices that are not known, ns: many flows may have such an index.
    private static let pause: Int64 = 1_000_000_000

    private let clock: () -> Int64
    private let read: () -> [UInt32: HostInterface]?
    private var interfaces: [UInt32: HostInterface] = [:]
    private var readAt: Int64?
    /// The time of the last reading for an index that was not known.
    private var soughtAt: Int64?

    /// Creates the interfaces of a node.
    convenience init(node: String) {
        self.init(clock: { Clock.monotonic }, read: { HostInterfaces.interfaces(of: node) })
    }

    /// Does the same with another clock and other interfaces.
    ///
    /// - Parameters:
    ///   - clock: returns CLOCK_MONOTONIC, ns.
    ///   - read: returns the interfaces by index; nil if they cannot be read.
    init(clock: @escaping () -> Int64, read: @escaping () -> [UInt32: HostInterface]?) {
        self.clock = clock
        self.read = read
    }

    /// The interface of an index; nil if there is none.
    ///
    /// An interface that came up after the last reading is found at once, unless an unknown index was sought within a second.
    func interface(_ index: UInt32) -> HostInterface? {
        let now = clock()
        if readAt.map({ now - $0 > Self.lifetime }) ?? true {
            update(now)
        } else if interfaces[index] == nil, soughtAt.map({ now - $0 >= Self.pause }) ?? true {
            soughtAt = now
            update(now)
        }
        return interfaces[index]
    }

    private func update(_ now: Int64) {
        if let found = read() { interfaces = found }
        readAt = now
    }

    private static func interfaces(of node: String) -> [UInt32: HostInterface]? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        var found: [UInt32: HostInterface] = [:]
        var next = first
        while let entry = next {
            next = entry.pointee.ifa_next
            let index = if_nametoindex(entry.pointee.ifa_name)
            guard index != 0 else { continue }
            let name = String(cString: entry.pointee.ifa_name)
            var interface = found[index] ?? HostInterface(node: node, name: name, addresses: [])
            if let address = address(entry.pointee.ifa_addr) { interface.addresses.append(address) }
            let hasBroadcast = entry.pointee.ifa_flags & UInt32(IFF_BROADCAST) != 0
            if hasBroadcast, let broadcast = address(entry.pointee.ifa_ifu.ifu_broadaddr) {
                interface.broadcasts.append(broadcast)
            }
            found[index] = interface
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
