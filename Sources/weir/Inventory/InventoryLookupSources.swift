import Agent
import ClusterModel
import ClusterSource
import Dispatch
import FlowModel
import Foundation
import Glibc
import Inventory
import Synchronization

/// An inventory for look-ups, and the origin of its objects.
final class LookupSources: ClusterObserver {
    private let inventory: Mutex<Inventory>
    private let loader: InventoryLoader

    /// Takes the options; reads nothing yet.
    init(_ options: InventoryQueryOptions, hostName: String?) throws {
        loader = try InventoryLoader(options.sources, limit: options.timeout.duration, purpose: "inventory lookup")
        var inventory = Inventory(hostName: hostName ?? AgentConfiguration.systemHostName)
        inventory.expectsWorkloads = true
        if hostName == nil { inventory.replaceOwnAddresses(with: Self.ownAddresses) }
        self.inventory = Mutex(inventory)
    }

    func observe(_ changes: [ClusterChange], from source: SourceID) {
        let now = Int64(DispatchTime.now().uptimeNanoseconds)
        inventory.withLock { $0.apply(changes, from: source, at: now) }
    }

    /// A snapshot of the inventory.
    var snapshot: InventorySnapshot {
        inventory.withLock { $0.snapshot() }
    }

    /// The location of an object from the given source.
    func place(of object: ObjectReference?, from source: SourceID?) -> String? {
        loader.place(of: object, from: source)
    }

    /// Reads all files, and waits until the API server has sent all objects.
    ///
    /// - Throws: `CommandFailure` if a file is invalid, or the API server sends no objects.
    func load() throws {
        try loader.load(into: self)
    }

    /// The addresses of this machine's interfaces.
    private static var ownAddresses: Set<IPAddress> {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var addresses: Set<IPAddress> = []
        for entry in sequence(first: list, next: { $0?.pointee.ifa_next }) {
            if let address = entry?.pointee.ifa_addr.flatMap(IPAddress.init(of:)) { addresses.insert(address) }
        }
        return addresses
    }
}

extension IPAddress {
    /// The address of a socket address; nil if it is of another family.
    fileprivate init?(of address: UnsafeMutablePointer<sockaddr>) {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let isIPv6 = Int32(address.pointee.sa_family) == AF_INET6
        guard isIPv6 || Int32(address.pointee.sa_family) == AF_INET else { return nil }
        let size = isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        guard getnameinfo(address, socklen_t(size), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        // A link-local address is followed by a percent sign and its interface.
        let digits = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }.prefix { $0 != UInt8(ascii: "%") }
        self.init(String(decoding: digits, as: UTF8.self))
    }
}
