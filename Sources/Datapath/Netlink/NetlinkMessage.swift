import CWeir
public import FlowModel
import Glibc

/// A network interface as the kernel describes it (RTM_NEWLINK).
public struct Link: Sendable, Hashable {
    /// The kernel's index.
    public var index: UInt32
    /// The name.
    public var name: String
    /// The kind of link layer (`ARPHRD_*`, linux/if_arp.h).
    public var type: UInt16
    /// Flags (`IFF_*`, linux/if.h).
    public var flags: UInt32
    /// The bridge, bond or team that this interface is a port of.
    public var master: UInt32?
    /// The device that this one is stacked on, for VLAN, macvlan and similar ones.
    public var lower: UInt32?
    /// The kind of device (IFLA_INFO_KIND), such as `veth`; empty where the driver has none.
    public var kind: String
    /// The kernel's number, in this namespace, of the namespace that the other end or the lower device is in
    /// (IFLA_LINK_NETNSID); nil if that is this one.
    public var peerNamespace: UInt32?

    /// Takes all members.
    public init(
        index: UInt32,
        name: String,
        type: UInt16,
        flags: UInt32,
        master: UInt32? = nil,
        lower: UInt32? = nil,
        kind: String = "",
        peerNamespace: UInt32? = nil
    ) {
        self.kind = kind
        self.peerNamespace = peerNamespace
        self.index = index
        self.name = name
        self.type = type
        self.flags = flags
        self.master = master
        self.lower = lower
    }

    /// Whether it is the loopback interface.
    public var isLoopback: Bool { flags & UInt32(IFF_LOOPBACK.rawValue) != 0 }

    /// Whether it is one end of a pair, whose other end may be in a workload.
    public var isPair: Bool { kind == "veth" || kind == "netkit" }

    /// Whether frames start with an Ethernet header; otherwise with the IP header.
    public var hasEthernetHeader: Bool { type == UInt16(ARPHRD_ETHER) || type == UInt16(ARPHRD_LOOPBACK) }
}

/// A route to one address, /32 or /128 (RTM_NEWROUTE).
public struct HostRoute: Sendable, Hashable {
    /// The destination of the route.
    public var destination: IPAddress
    /// The outgoing interface; nil if the route does not forward, or through several.
    public var output: UInt32?

    /// Takes all members.
    public init(destination: IPAddress, output: UInt32?) {
        self.destination = destination
        self.output = output
    }
}

/// An event of rtnetlink(7) about an interface, an address or a route.
public enum NetlinkEvent: Sendable, Hashable {
    /// An interface exists, with these properties.
    case link(Link)
    /// An interface is gone.
    case linkGone(index: UInt32)
    /// An address belongs to an interface of this host.
    case address(IPAddress, index: UInt32)
    /// An address was removed from an interface.
    case addressGone(IPAddress, index: UInt32)
    /// There is a route to one address, maybe beside others.
    case route(HostRoute)
    /// A route to one address is gone.
    case routeGone(HostRoute)
    /// The answer to a request is complete (NLMSG_DONE); changed: it was interrupted by a change and must be repeated.
    case done(changed: Bool)
    /// A request failed with an errno.
    case failed(errno: Int32)
}

/// Reads messages of rtnetlink (linux/netlink.h, linux/rtnetlink.h) out of a datagram.
///
/// Parsing any bytes terminates and reads nothing outside of them; a message that is cut off or invalid is skipped.
public struct NetlinkParser {
    private let bytes: NetlinkBytes

    /// Takes a datagram as received.
    public init(_ bytes: [UInt8]) {
        self.init(NetlinkBytes(bytes))
    }

    /// Takes a datagram as received.
    init(_ bytes: NetlinkBytes) {
        self.bytes = bytes
    }

    /// The events of all messages, in order.
    public func events() -> [NetlinkEvent] {
        bytes.messages.compactMap(event)
    }

    /// Sizes of the fixed parts, in bytes.
    private enum Size {
        static let link = MemoryLayout<ifinfomsg>.size
        static let address = MemoryLayout<ifaddrmsg>.size
        static let route = MemoryLayout<rtmsg>.size
    }

    private func event(_ message: NetlinkBytes.Message) -> NetlinkEvent? {
        let body = message.body
        switch Int32(message.type) {
        case Int32(RTM_NEWLINK): return link(body).map(NetlinkEvent.link)
        case Int32(RTM_DELLINK): return link(body).map { .linkGone(index: $0.index) }
        case Int32(RTM_NEWADDR): return address(body).map { .address($0.0, index: $0.1) }
        case Int32(RTM_DELADDR): return address(body).map { .addressGone($0.0, index: $0.1) }
        case Int32(RTM_NEWROUTE): return route(body).map(NetlinkEvent.route)
        case Int32(RTM_DELROUTE): return route(body).map(NetlinkEvent.routeGone)
        case NLMSG_DONE: return .done(changed: Int32(message.flags) & NLM_F_DUMP_INTR != 0)
        case NLMSG_ERROR:
            guard let code = bytes.number(Int32.self, body), code != 0 else { return nil }
            return .failed(errno: 0 &- code)
        default: return nil
        }
    }

    private func link(_ range: Range<Int>) -> Link? {
        // Bridges and wireless devices send messages of their own (ifi_family) with a part of the attributes.
        guard range.count >= Size.link, bytes.load(UInt8.self, at: range.lowerBound) == UInt8(AF_UNSPEC),
            let type = bytes.load(UInt16.self, at: range.lowerBound + 2),
            let index = bytes.load(UInt32.self, at: range.lowerBound + 4),
            let flags = bytes.load(UInt32.self, at: range.lowerBound + 8)
        else { return nil }
        var link = Link(index: index, name: "", type: type, flags: flags)
        var peer: UInt32?
        for attribute in bytes.attributes(range.dropFirst(Size.link)) {
            switch attribute.type {
            case Int(IFLA_IFNAME): link.name = bytes.text(attribute.value)
            case Int(IFLA_MASTER): link.master = bytes.number(UInt32.self, attribute.value)
            case Int(IFLA_LINK): peer = bytes.number(UInt32.self, attribute.value)
            case Int(IFLA_LINK_NETNSID): link.peerNamespace = bytes.number(UInt32.self, attribute.value)
            case Int(IFLA_LINKINFO):
                for info in bytes.attributes(attribute.value) where info.type == Int(IFLA_INFO_KIND) {
                    link.kind = bytes.text(info.value)
                }
            default: break
            }
        }
        // For a veth the link is its peer, which is not a device below. In another namespace an index has no meaning here.
        if Self.stackedKinds.contains(link.kind), link.peerNamespace == nil { link.lower = peer }
        return link.name.isEmpty ? nil : link
    }

    /// Kinds of devices whose packets cross the device named by IFLA_LINK as well, in the same shape.
    private static let stackedKinds: Set<String> = ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"]

    private func address(_ range: Range<Int>) -> (IPAddress, UInt32)? {
        guard range.count >= Size.address, let index = bytes.load(UInt32.self, at: range.lowerBound + 4) else {
            return nil
        }
        var local: IPAddress?
        var address: IPAddress?
        for attribute in bytes.attributes(range.dropFirst(Size.address)) {
            switch attribute.type {
            // On a point-to-point link IFA_ADDRESS is the peer's, IFA_LOCAL ours.
            case IFA_LOCAL: local = bytes.address(attribute.value)
            case IFA_ADDRESS: address = bytes.address(attribute.value)
            default: break
            }
        }
        return (local ?? address).map { ($0, index) }
    }

    /// A route to a single address; nil for any other route.
    private func route(_ range: Range<Int>) -> HostRoute? {
        // struct rtmsg: family, length of the destination, of the source, TOS; table, protocol, scope, type; flags.
        guard range.count >= Size.route, let family = bytes.load(UInt8.self, at: range.lowerBound),
            let length = bytes.load(UInt8.self, at: range.lowerBound + 1),
            let type = bytes.load(UInt8.self, at: range.lowerBound + 7),
            let flags = bytes.load(Int32.self, at: range.lowerBound + 8),
            Self.isHost(family: family, length: length)
        else { return nil }
        var destination: IPAddress?
        var output: UInt32?
        for attribute in bytes.attributes(range.dropFirst(Size.route)) {
            switch attribute.type {
            case Int(RTA_DST.rawValue): destination = bytes.address(attribute.value)
            case Int(RTA_OIF.rawValue): output = bytes.number(UInt32.self, attribute.value)
            default: break
            }
        }
        // A cloned route is one that the kernel derived from another one for a packet.
        let forwards = type == UInt8(RTN_UNICAST) && flags & RTM_F_CLONED == 0
        return destination.map { HostRoute(destination: $0, output: forwards ? output : nil) }
    }

    private static func isHost(family: UInt8, length: UInt8) -> Bool {
        family == UInt8(AF_INET) && length == 32 || family == UInt8(AF_INET6) && length == 128
    }
}
