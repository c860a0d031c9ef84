import CWeir
import Glibc

/// The kernel's own counters of an interface: frames with their Ethernet headers, one per skb.
///
/// Source: `IFLA_STATS_LINK_64` of RTM_GETSTATS (linux/if_link.h), the numbers of `ip -s link`.
package struct InterfaceCounters: Hashable, Sendable {
    /// Frames that entered the namespace through the interface.
    package var receivedPackets: UInt64
    /// The bytes of the received frames.
    package var receivedBytes: UInt64
    /// Frames that left the namespace through the interface.
    package var sentPackets: UInt64
    /// The bytes of the sent frames.
    package var sentBytes: UInt64
    /// Frames that were not accepted on arrival, or could not be sent.
    package var dropped: UInt64

    /// Takes all members.
    package init(
        receivedPackets: UInt64 = 0,
        receivedBytes: UInt64 = 0,
        sentPackets: UInt64 = 0,
        sentBytes: UInt64 = 0,
        dropped: UInt64 = 0
    ) {
        self.receivedPackets = receivedPackets
        self.receivedBytes = receivedBytes
        self.sentPackets = sentPackets
        self.sentBytes = sentBytes
        self.dropped = dropped
    }

    /// Returns the counts since an earlier reading of the same interface.
    package func since(_ earlier: InterfaceCounters) -> InterfaceCounters {
        InterfaceCounters(
            receivedPackets: receivedPackets - earlier.receivedPackets,
            receivedBytes: receivedBytes - earlier.receivedBytes,
            sentPackets: sentPackets - earlier.sentPackets,
            sentBytes: sentBytes - earlier.sentBytes,
            dropped: dropped - earlier.dropped
        )
    }
}

extension NetworkNamespace {
    /// The kernel's index of an interface.
    package func index(of interface: String) throws(LabError) -> UInt32 {
        let index = try perform { if_nametoindex(interface) }.get()
        guard index != 0 else { throw .invalid("no interface named \(interface) in the namespace") }
        return index
    }

    /// Returns the kernel's counters of an interface.
    package func counters(of interface: String) throws(LabError) -> InterfaceCounters {
        let index = try self.index(of: interface)
        let operation = "ask for the counters of \(interface)"
        let reply = try perform { () throws(LabError) in
            let number = try LabError.check(operation) {
                socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), NETLINK_ROUTE)
            }
            let netlink = Descriptor(owning: number)
            var request = StatisticsRequest(index: index)
            let size = MemoryLayout<StatisticsRequest>.size
            _ = try LabError.check(operation) { send(netlink.number, &request, size, 0) }
            var reply = StatisticsReply()
            let room = MemoryLayout<StatisticsReply>.size
            _ = try LabError.check(operation) { recv(netlink.number, &reply, room, 0) }
            return reply
        }.get()
        guard reply.header.nlmsg_type == UInt16(RTM_NEWSTATS) else {
            throw .system(operation: operation, code: 0 &- Int32(truncatingIfNeeded: reply.body.errorCode))
        }
        let counted = reply.statistics
        return InterfaceCounters(
            receivedPackets: counted.rx_packets,
            receivedBytes: counted.rx_bytes,
            sentPackets: counted.tx_packets,
            sentBytes: counted.tx_bytes,
            dropped: counted.rx_dropped + counted.tx_dropped
        )
    }
}

/// RTM_GETSTATS for the 64-bit counters of one interface.
private struct StatisticsRequest {
    var header = nlmsghdr()
    var body = if_stats_msg()

    init(index: UInt32) {
        header.nlmsg_len = UInt32(MemoryLayout<Self>.size)
        header.nlmsg_type = UInt16(RTM_GETSTATS)
        header.nlmsg_flags = UInt16(NLM_F_REQUEST)
        body.ifindex = index
        body.filter_mask = 1 << UInt32(IFLA_STATS_LINK_64 - 1)
    }
}

/// The reply: one bit in the filter requests one attribute after the fixed part.
private struct StatisticsReply {
    var header = nlmsghdr()
    var body = if_stats_msg()
    var attribute = rtattr()
    var statistics = rtnl_link_stats64()
}

extension if_stats_msg {
    /// The first word; if the message is an NLMSG_ERROR, it is the negative error number.
    fileprivate var errorCode: UInt32 {
        withUnsafeBytes(of: self) { $0.load(as: UInt32.self) }
    }
}
