import CWeir
import FlowModel

/// The kernel's own counters of interfaces (RTM_GETSTATS, Linux 4.7), as `ip -s link` shows them.
struct LinkCounters: ~Copyable {
    /// Both directions of an interface, in frames and bytes of frames.
    struct Reading: Hashable {
        /// The received traffic.
        var ingress = TrafficCounters.zero
        /// The sent traffic.
        var egress = TrafficCounters.zero
    }

    private var channel: NetlinkChannel
    private var lister: NetlinkLister
    private var request = NetlinkWriter()

    /// Opens the channel.
    init() throws(DatapathError) {
        let lister = try NetlinkLister()
        channel = try NetlinkChannel(family: NETLINK_ROUTE)
        self.lister = lister
    }

    /// Size of struct if_stats_msg.
    private static let header = MemoryLayout<if_stats_msg>.size

    /// Reads one interface; nil if it is gone or the kernel does not answer.
    mutating func read(_ index: UInt32) -> Reading? {
        begin(index, flags: NLM_F_REQUEST)
        guard case .message(let type, let datagram, let body) = channel.ask(&request),
            type == UInt16(RTM_NEWSTATS)
        else { return nil }
        return Self.reading(datagram, body)?.reading
    }

    /// Reads all interfaces.
    mutating func readAll() -> [UInt32: Reading] {
        begin(0, flags: NLM_F_REQUEST | NLM_F_DUMP)
        var readings: [UInt32: Reading] = [:]
        _ = lister.list(&request) { datagram in
            for message in datagram.messages where message.type == UInt16(RTM_NEWSTATS) {
                guard let (index, reading) = Self.reading(datagram, message.body) else { continue }
                readings[index] = reading
            }
            return true
        }
        return readings
    }

    private mutating func begin(_ index: UInt32, flags: Int32) {
        request.begin(type: UInt16(RTM_GETSTATS), flags: flags)
        // struct if_stats_msg: family, padding; interface; which statistics.
        request.append(UInt32(0))
        request.append(index)
        request.append(UInt32(1) << UInt32(IFLA_STATS_LINK_64 - 1))
    }

    private static func reading(_ datagram: NetlinkBytes, _ body: Range<Int>) -> (index: UInt32, reading: Reading)? {
        guard body.count >= header, let index = datagram.load(UInt32.self, at: body.lowerBound + 4) else { return nil }
        for attribute in datagram.attributes(body.dropFirst(header)) where attribute.type == Int(IFLA_STATS_LINK_64) {
            // struct rtnl_link_stats64: packets received and sent, bytes received and sent.
            let words = (0..<4).compactMap { datagram.load(UInt64.self, at: attribute.value.lowerBound + 8 * $0) }
            guard attribute.value.count >= 32, words.count == 4 else { return nil }
            return (
                index,
                Reading(
                    ingress: TrafficCounters(packets: words[0], bytes: words[2]),
                    egress: TrafficCounters(packets: words[1], bytes: words[3])
                )
            )
        }
        return nil
    }
}
