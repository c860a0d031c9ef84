import CWeir
import Glibc

/// A NETLINK_ROUTE socket: asks for interfaces, addresses and filters, and hears of changes.
struct NetlinkSocket: ~Copyable {
    /// Readable when something changed.
    let descriptor: FileDescriptor

    /// What a request asks for.
    enum Request: Int32 {
        /// All interfaces.
        case links = 18  // RTM_GETLINK
        /// All addresses.
        case addresses = 22  // RTM_GETADDR
    }

    /// Opens a socket that hears of interfaces and addresses as they change.
    init() throws(DatapathError) {
        let number = try systemCall("open a netlink socket") {
            socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
        }
        let descriptor = FileDescriptor(owning: number)
        // Room for a burst of changes; if it is not enough the kernel says so (ENOBUFS) and we ask for everything.
        var bytes: Int32 = 4 << 20
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        address.nl_groups = UInt32(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
        _ = try systemCall("listen to network changes") {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
                }
            }
        }
        self.descriptor = descriptor
    }

    /// Asks for all objects of a kind; the answer is received like changes, and ends with ``NetlinkEvent/done(changed:)``.
    func send(_ request: Request) throws(DatapathError) {
        struct Message {
            var header = nlmsghdr()
            var body = rtgenmsg()
            var pad: (UInt8, UInt8, UInt8) = (0, 0, 0)
        }
        var message = Message()
        message.header.nlmsg_len = UInt32(MemoryLayout<Message>.size)
        message.header.nlmsg_type = UInt16(request.rawValue)
        message.header.nlmsg_flags = UInt16(NLM_F_REQUEST | NLM_F_DUMP)
        let number = descriptor.number
        _ = try systemCall("ask the kernel for its interfaces") {
            Int32(unsafe Glibc.send(number, &message, MemoryLayout<Message>.size, 0))
        }
    }

    /// What a receive brought.
    enum Reception {
        /// Messages.
        case events([NetlinkEvent])
        /// Nothing waits.
        case nothing
        /// The kernel had more to say than fits: what we know may be stale.
        case overrun
    }

    /// Receives one datagram, and waits for it if `wait` says so.
    func receive(wait: Bool) throws(DatapathError) -> Reception {
        let number = descriptor.number
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe recv(number, &bytes, bytes.count, wait ? 0 : Int32(MSG_DONTWAIT))
            if count >= 0 {
                return .events(NetlinkParser(Array(bytes.prefix(count))).events())
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothing
            case ENOBUFS: return .overrun
            default: throw .system(operation: "hear of network changes", errno: errno, advice: "")
            }
        }
    }
}
