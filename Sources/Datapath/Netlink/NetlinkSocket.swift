import CWeir
import Glibc

/// A NETLINK_ROUTE socket: dumps interfaces and addresses, and receives changes of these and of host routes.
struct NetlinkSocket: ~Copyable {
    /// Readable when something changed.
    let descriptor: FileDescriptor
    /// Room for the largest datagram: the kernel fills up to 32 KiB.
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    /// The objects that a request lists.
    enum Request: Int32 {
        /// All interfaces.
        case links = 18  // RTM_GETLINK
        /// All addresses.
        case addresses = 22  // RTM_GETADDR
    }

    /// Opens a socket that receives changes of interfaces, addresses and routes to single addresses.
    init() throws(DatapathError) {
        let number = try systemCall("open a netlink socket") {
            socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
        }
        let descriptor = FileDescriptor(owning: number)
        // Room for a burst of changes; if it overflows, the kernel reports that (ENOBUFS) and everything is requested again.
        var bytes: Int32 = 4 << 20
        _ = unsafe setsockopt(number, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        let routes = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE
        address.nl_groups = UInt32(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | routes)
        try Self.refuseNetworkRoutes(number)
        _ = try systemCall("listen to network changes") {
            unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(number, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
                }
            }
        }
        self.descriptor = descriptor
    }

    /// Requests all objects of a kind; the answer is received like changes, and ends with ``NetlinkEvent/done(changed:)``.
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
        _ = try systemCall("request the kernel's interfaces") {
            Int32(unsafe Glibc.send(number, &message, MemoryLayout<Message>.size, 0))
        }
    }

    /// The result of a receive.
    enum Reception {
        /// Messages.
        case events([NetlinkEvent])
        /// No message waits.
        case nothing
        /// Events were lost because the buffer was full: the known state may be stale.
        case overrun
    }

    /// Receives one datagram; waits for it if `wait` is true.
    mutating func receive(wait: Bool) throws(DatapathError) -> Reception {
        while true {
            let count = unsafe recv(descriptor.number, &buffer, buffer.count, wait ? 0 : Int32(MSG_DONTWAIT))
            if count >= 0 {
                return .events(NetlinkParser(NetlinkBytes(buffer, count: count)).events())
            }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothing
            case ENOBUFS: return .overrun
            default: throw .system(operation: "subscribe to network changes", errno: errno, advice: "")
            }
        }
    }

    // MARK: Filter

    /// Makes the kernel discard changes of routes to networks; a node with BGP may have a million of them.
    private static func refuseNetworkRoutes(_ number: Int32) throws(DatapathError) {
        // Words of a datagram are loaded in network order: the type of the first message (offset 4, machine's order),
        // and of struct rtmsg (offset 16) family and length of the destination. A change comes as a datagram of its own.
        let half = BPF_LD | BPF_H | BPF_ABS
        let byte = BPF_LD | BPF_B | BPF_ABS
        let isEqual = BPF_JMP | BPF_JEQ | BPF_K
        let program: [(code: Int32, yes: UInt8, no: UInt8, operand: UInt32)] = [
            (half, 0, 0, 4),
            (isEqual, 1, 0, UInt32(UInt16(RTM_NEWROUTE).bigEndian)),
            (isEqual, 0, 6, UInt32(UInt16(RTM_DELROUTE).bigEndian)),
            (byte, 0, 0, 16),
            (isEqual, 0, 2, UInt32(AF_INET)),
            (byte, 0, 0, 17),
            (isEqual, 2, 3, 32),
            (byte, 0, 0, 17),
            (isEqual, 0, 1, 128),
            (BPF_RET | BPF_K, 0, 0, .max),
            (BPF_RET | BPF_K, 0, 0, 0),
        ]
        var instructions = program.map { sock_filter(code: UInt16($0.code), jt: $0.yes, jf: $0.no, k: $0.operand) }
        _ = try systemCall("filter route notifications") {
            unsafe instructions.withUnsafeMutableBufferPointer { buffer in
                var filter = unsafe sock_fprog(len: UInt16(buffer.count), filter: buffer.baseAddress)
                let size = unsafe socklen_t(MemoryLayout<sock_fprog>.size)
                return unsafe setsockopt(number, SOL_SOCKET, SO_ATTACH_FILTER, &filter, size)
            }
        }
    }
}
