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
    /// The device that this one stands on, for VLAN, macvlan and their like.
    public var lower: UInt32?

    /// Takes all members.
    public init(index: UInt32, name: String, type: UInt16, flags: UInt32, master: UInt32? = nil, lower: UInt32? = nil) {
        self.index = index
        self.name = name
        self.type = type
        self.flags = flags
        self.master = master
        self.lower = lower
    }

    /// Whether it is the loopback interface.
    public var isLoopback: Bool { flags & UInt32(IFF_LOOPBACK.rawValue) != 0 }

    /// Whether frames start with an Ethernet header; otherwise with the IP header.
    public var hasEthernetHeader: Bool { type == UInt16(ARPHRD_ETHER) || type == UInt16(ARPHRD_LOOPBACK) }
}

/// What rtnetlink(7) says of interfaces and addresses.
public enum NetlinkEvent: Sendable, Hashable {
    /// An interface exists, with these properties.
    case link(Link)
    /// An interface is gone.
    case linkGone(index: UInt32)
    /// An address belongs to an interface of this host.
    case address(IPAddress, index: UInt32)
    /// It does no longer.
    case addressGone(IPAddress, index: UInt32)
    /// The answer to a request is complete (NLMSG_DONE); changed: it was cut through by a change and must be repeated.
    case done(changed: Bool)
    /// A request failed with an errno.
    case failed(errno: Int32)
}

/// Reads netlink messages (linux/netlink.h, linux/rtnetlink.h) out of a datagram.
///
/// Whatever the bytes are, it terminates and reads nothing outside them; a message that is cut off or makes no sense
/// is passed over.
public struct NetlinkParser {
    private let bytes: [UInt8]

    /// Takes a datagram as received.
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The events of all messages, in order.
    public func events() -> [NetlinkEvent] {
        var events: [NetlinkEvent] = []
        var offset = 0
        while let length = load(UInt32.self, at: offset), length >= Size.header, offset + Int(length) <= bytes.count {
            if let event = event(at: offset, end: offset + Int(length)) { events.append(event) }
            offset += Self.aligned(Int(length))
        }
        return events
    }

    /// Sizes of the fixed parts, in bytes.
    private enum Size {
        static let header = MemoryLayout<nlmsghdr>.size
        static let link = MemoryLayout<ifinfomsg>.size
        static let address = MemoryLayout<ifaddrmsg>.size
        static let attribute = MemoryLayout<rtattr>.size
    }

    private func event(at offset: Int, end: Int) -> NetlinkEvent? {
        guard let type = load(UInt16.self, at: offset + 4), let flags = load(UInt16.self, at: offset + 6) else {
            return nil
        }
        let body = offset + Size.header
        switch Int32(type) {
        case Int32(RTM_NEWLINK): return link(body..<end).map(NetlinkEvent.link)
        case Int32(RTM_DELLINK): return link(body..<end).map { .linkGone(index: $0.index) }
        case Int32(RTM_NEWADDR): return address(body..<end).map { .address($0.0, index: $0.1) }
        case Int32(RTM_DELADDR): return address(body..<end).map { .addressGone($0.0, index: $0.1) }
        case NLMSG_DONE: return .done(changed: Int32(flags) & NLM_F_DUMP_INTR != 0)
        case NLMSG_ERROR:
            guard let code = number(body..<end).map(Int32.init(bitPattern:)), code != 0 else { return nil }
            return .failed(errno: 0 &- code)
        default: return nil
        }
    }

    private func link(_ range: Range<Int>) -> Link? {
        // Bridges and wireless devices send messages of their own (ifi_family) with a part of the attributes.
        guard range.count >= Size.link, bytes[range.lowerBound] == UInt8(AF_UNSPEC),
            let type = load(UInt16.self, at: range.lowerBound + 2),
            let index = load(UInt32.self, at: range.lowerBound + 4),
            let flags = load(UInt32.self, at: range.lowerBound + 8)
        else { return nil }
        var link = Link(index: index, name: "", type: type, flags: flags)
        var kind = ""
        var peer: UInt32?
        // The lower device may be in another namespace: then its index means nothing here.
        var isElsewhere = false
        for attribute in attributes(range.dropFirst(Size.link)) {
            switch attribute.type {
            case UInt16(IFLA_IFNAME): link.name = text(attribute.value)
            case UInt16(IFLA_MASTER): link.master = number(attribute.value)
            case UInt16(IFLA_LINK): peer = number(attribute.value)
            case UInt16(IFLA_LINK_NETNSID): isElsewhere = true
            case UInt16(IFLA_LINKINFO):
                for info in attributes(attribute.value) where info.type == UInt16(IFLA_INFO_KIND) {
                    kind = text(info.value)
                }
            default: break
            }
        }
        // For a veth the link is its peer, which is another road, not a device below.
        if Self.stackedKinds.contains(kind), !isElsewhere { link.lower = peer }
        return link.name.isEmpty ? nil : link
    }

    /// Kinds of devices whose packets cross the device named by IFLA_LINK as well, in the same shape.
    private static let stackedKinds: Set<String> = ["vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"]

    private func address(_ range: Range<Int>) -> (IPAddress, UInt32)? {
        guard range.count >= Size.address, let index = load(UInt32.self, at: range.lowerBound + 4) else { return nil }
        var local: IPAddress?
        var address: IPAddress?
        for attribute in attributes(range.dropFirst(Size.address)) {
            switch Int(attribute.type) {
            // On a point-to-point link IFA_ADDRESS is the peer's, IFA_LOCAL ours.
            case IFA_LOCAL: local = ipAddress(attribute.value)
            case IFA_ADDRESS: address = ipAddress(attribute.value)
            default: break
            }
        }
        return (local ?? address).map { ($0, index) }
    }

    // MARK: Attributes

    private struct Attribute {
        var type: UInt16
        var value: Range<Int>
    }

    private func attributes(_ range: Range<Int>) -> [Attribute] {
        var attributes: [Attribute] = []
        var offset = range.lowerBound
        while offset + Size.attribute <= range.upperBound, let length = load(UInt16.self, at: offset),
            let type = load(UInt16.self, at: offset + 2), Int(length) >= Size.attribute,
            offset + Int(length) <= range.upperBound
        {
            // The two high bits say "nested" and "network order" (NLA_TYPE_MASK).
            attributes.append(
                Attribute(type: type & 0x3fff, value: offset + Size.attribute..<offset + Int(length))
            )
            offset += Self.aligned(Int(length))
        }
        return attributes
    }

    /// Messages and attributes start at multiples of 4 (NLMSG_ALIGN, RTA_ALIGN).
    private static func aligned(_ length: Int) -> Int { (length + 3) & ~3 }

    /// A number in the machine's byte order, as netlink has it.
    private func load<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int) -> Value? {
        guard offset >= 0, offset + MemoryLayout<Value>.size <= bytes.count else { return nil }
        var value: Value = 0
        for byte in bytes[offset..<offset + MemoryLayout<Value>.size].reversed() {
            value = value << 8 | Value(truncatingIfNeeded: byte)
        }
        return value
    }

    /// A number of 32 bits that starts a range; nil if the range is too short for it.
    private func number(_ range: Range<Int>) -> UInt32? {
        range.count >= MemoryLayout<UInt32>.size ? load(UInt32.self, at: range.lowerBound) : nil
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range].prefix { $0 != 0 }, as: UTF8.self)
    }

    private func ipAddress(_ range: Range<Int>) -> IPAddress? {
        let value = bytes[range]
        func number(_ part: ArraySlice<UInt8>) -> UInt64 { part.reduce(0) { $0 << 8 | UInt64($1) } }
        switch value.count {
        case 4: return IPAddress(ipv4: UInt32(truncatingIfNeeded: number(value)))
        case 16: return IPAddress(ipv6High: number(value.prefix(8)), low: number(value.suffix(8)))
        default: return nil
        }
    }
}
