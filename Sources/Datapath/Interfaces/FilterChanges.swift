import CWeir
import Glibc

/// Receives changes of qdiscs and filters made by any process (RTNLGRP_TC).
struct FilterChanges: ~Copyable {
    private let descriptor: FileDescriptor
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// Begins to listen in the network namespace of this thread.
    init() throws(DatapathError) {
        let number = try systemCall("open a netlink socket") {
            socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
        }
        let descriptor = FileDescriptor(owning: number)
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = 1 << UInt32(RTNLGRP_TC.rawValue - 1)
        _ = try systemCall("listen to changes of filters") {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
                }
            }
        }
        self.descriptor = descriptor
    }

    /// Returns the interfaces with changes since the last call; nil if it may be any, because there were too many changes.
    mutating func take() -> Set<UInt32>? {
        var changed: Set<UInt32> = []
        var isComplete = true
        while true {
            let count = unsafe recv(descriptor.number, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count >= 0 {
                let datagram = NetlinkBytes(buffer, count: count)
                for message in datagram.messages {
                    // struct tcmsg: family, padding; interface.
                    guard message.body.count >= MemoryLayout<tcmsg>.size,
                        let index = datagram.load(UInt32.self, at: message.body.lowerBound + 4)
                    else { continue }
                    changed.insert(index)
                }
            } else if errno == ENOBUFS {
                isComplete = false
            } else if errno != EINTR {
                return isComplete ? changed : nil
            }
        }
    }
}
