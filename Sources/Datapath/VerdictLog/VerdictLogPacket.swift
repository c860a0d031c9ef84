import FlowModel
import Glibc

/// The headers of a logged IP packet: its addresses and its length.
struct VerdictLogPacket: Equatable {
    /// Addresses, protocol and ports; of ICMP identifier, type and code as ``FlowKey`` has them.
    ///
    /// A query and its reply both have the query's; the identifier of a message that is neither is 0.
    var tuple: TrackedConnection.Tuple
    /// Bytes of the IP packet, headers included, whether all of them were logged or not.
    var bytes: UInt64
    /// Whether it is an ICMP message that is neither query nor reply: it may be about another connection.
    var isReport = false

    /// Reads the headers.
    ///
    /// Nothing outside of the range is read. As in the programs (bpf/packet.h) a packet that does not have its ports, or
    /// whose headers break off or are too many, has the ports 0, and the protocol at which the headers ended.
    ///
    /// - Parameters:
    ///   - bytes: the datagram that the packet is in.
    ///   - range: the place of its beginning.
    ///   - isIPv4: whether it is IPv4; else it is IPv6.
    ///   - fragments: the ports of first fragments, for the later ones.
    /// - Returns: nil if it has no IP header, or was logged only up to before its ports.
    static func read(
        _ bytes: NetlinkBytes,
        _ range: Range<Int>,
        isIPv4: Bool,
        fragments: inout FragmentMemory
    ) -> VerdictLogPacket? {
        guard var headers = isIPv4 ? Headers(ipv4: bytes, range) : Headers(ipv6: bytes, range) else { return nil }
        switch headers.fragment {
        case nil:
            guard headers.readTransport() else { return nil }
        case let fragment? where fragment.offset == 0:
            guard headers.readTransport() else { return nil }
            fragments.remember(headers.identity(fragment), headers.transport, size: fragment.size)
        case let fragment?:
            // One whose first fragment was not seen has no ports.
            if let first = fragments.transport(headers.identity(fragment), fragment) { headers.transport = first }
        }
        return headers.packet
    }
}

/// Reads the headers of a packet one after the other.
private struct Headers {
    private let bytes: NetlinkBytes
    private let source: IPAddress
    private let destination: IPAddress
    /// Bytes of the IP packet.
    private let length: Int
    /// The start of the next header.
    private var position: Int
    /// The end of the logged bytes.
    private let end: Int
    /// The end of the packet, according to its length field.
    private let packetEnd: Int
    private var isReport = false

    var transport = FragmentMemory.Transport()
    private(set) var fragment: FragmentMemory.Place?

    var packet: VerdictLogPacket {
        let tuple = TrackedConnection.Tuple(
            source: source,
            destination: destination,
            sourcePort: transport.sourcePort,
            destinationPort: transport.destinationPort,
            proto: transport.proto
        )
        return VerdictLogPacket(tuple: tuple, bytes: UInt64(length), isReport: isReport)
    }

    /// Returns the fields that the fragments of one packet share: RFC 791 section 3.2 includes the protocol, RFC 8200 section
    /// 4.5 does not.
    func identity(_ fragment: FragmentMemory.Place) -> FragmentMemory.Identity {
        FragmentMemory.Identity(
            source: source,
            destination: destination,
            id: fragment.id,
            proto: source.isIPv4 ? transport.proto : IPProtocol(rawValue: 0)
        )
    }

    private init?(
        _ bytes: NetlinkBytes,
        _ range: Range<Int>,
        source: IPAddress?,
        destination: IPAddress?,
        length: Int,
        header: Int,
        proto: UInt8
    ) {
        guard let source, let destination else { return nil }
        self.bytes = bytes
        self.source = source
        self.destination = destination
        self.length = length
        position = range.lowerBound + header
        packetEnd = range.lowerBound + length
        end = min(range.upperBound, packetEnd)
        transport.proto = IPProtocol(rawValue: proto)
    }

    private static func network<Value: FixedWidthInteger>(
        _ type: Value.Type,
        _ bytes: NetlinkBytes,
        _ offset: Int
    ) -> Value? {
        bytes.load(type, at: offset).map { Value(bigEndian: $0) }
    }

    // MARK: Network

    /// RFC 791.
    init?(ipv4 bytes: NetlinkBytes, _ range: Range<Int>) {
        let start = range.lowerBound
        guard range.count >= 20, let first = bytes.load(UInt8.self, at: start), first >> 4 == 4,
            let total = Self.network(UInt16.self, bytes, start + 2),
            let id = Self.network(UInt16.self, bytes, start + 4),
            let word = Self.network(UInt16.self, bytes, start + 6),
            let proto = bytes.load(UInt8.self, at: start + 9)
        else { return nil }
        let header = Int(first & 15) * 4
        // A super-packet beyond 64 KiB (BIG TCP) has no length: only its logged part is known.
        let length = total < 20 ? range.count : Int(total)
        let isSound = header >= 20 && header <= length
        self.init(
            bytes,
            range,
            source: bytes.address(start + 12..<start + 16),
            destination: bytes.address(start + 16..<start + 20),
            length: length,
            // Bytes behind a header that contradicts itself are ignored.
            header: isSound ? header : length,
            proto: proto
        )
        guard word & 0x3fff != 0 else { return }
        // More fragments (0x2000), and the offset in units of 8 bytes.
        fragment = FragmentMemory.Place(
            id: UInt32(id),
            offset: Int(word & 0x1fff) * 8,
            size: packetEnd - position,
            hasMore: word & 0x2000 != 0
        )
    }

    /// RFC 8200.
    init?(ipv6 bytes: NetlinkBytes, _ range: Range<Int>) {
        let start = range.lowerBound
        guard range.count >= 40, let first = bytes.load(UInt8.self, at: start), first >> 4 == 6,
            let payload = Self.network(UInt16.self, bytes, start + 4),
            let proto = bytes.load(UInt8.self, at: start + 6)
        else { return nil }
        let isJumbo = payload == 0 && proto == UInt8(IPPROTO_HOPOPTS)
        self.init(
            bytes,
            range,
            source: bytes.address(start + 8..<start + 24),
            destination: bytes.address(start + 24..<start + 40),
            length: isJumbo ? range.count : 40 + Int(payload),
            header: 40,
            proto: proto
        )
        guard skipExtensions() else { return nil }
    }

    private static let maximumExtensions = 8

    /// Skips hop-by-hop, routing, fragment, authentication and destination options headers, up to one that leads out of the
    /// packet or exceeds the limit; false if one was not logged.
    private mutating func skipExtensions() -> Bool {
        for _ in 0..<Self.maximumExtensions {
            let kind = Int(transport.proto.rawValue)
            switch kind {
            case IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH, IPPROTO_DSTOPTS: break
            default: return true
            }
            guard position + 8 <= packetEnd else { return true }
            guard position + 8 <= end, let next = bytes.load(UInt8.self, at: position),
                let units = bytes.load(UInt8.self, at: position + 1)
            else { return false }
            var size = (Int(units) + 1) * 8
            switch kind {
            case IPPROTO_FRAGMENT: size = 8
            // RFC 4302 section 2.2: in units of 4 bytes, minus 2.
            case IPPROTO_AH: size = (Int(units) + 2) * 4
            default: break
            }
            guard position + size <= packetEnd else { return true }
            if kind == Int(IPPROTO_FRAGMENT), !readFragment() { return false }
            transport.proto = IPProtocol(rawValue: next)
            position += size
            // Behind the header of a later fragment lies payload.
            if let fragment, fragment.offset != 0 { return true }
        }
        return true
    }

    private mutating func readFragment() -> Bool {
        guard let word = Self.network(UInt16.self, bytes, position + 2),
            let id = Self.network(UInt32.self, bytes, position + 4)
        else { return false }
        // The offset in bytes, and more fragments (1); with neither it is the whole packet (RFC 6946).
        let place = FragmentMemory.Place(
            id: id,
            offset: Int(word & 0xfff8),
            size: packetEnd - position - 8,
            hasMore: word & 1 != 0
        )
        fragment = word & 0xfff9 != 0 ? place : nil
        return true
    }

    // MARK: Transport

    /// Reads the ports, if the packet has them; false if they were not logged.
    mutating func readTransport() -> Bool {
        guard transport.proto.hasPorts else {
            return transport.proto == .icmp || transport.proto == .icmp6 ? readICMP() : true
        }
        guard position + 4 <= packetEnd else { return true }
        guard position + 4 <= end, let source = Self.network(UInt16.self, bytes, position),
            let destination = Self.network(UInt16.self, bytes, position + 2)
        else { return false }
        transport.sourcePort = source
        transport.destinationPort = destination
        return true
    }

    /// Queries and their replies belong to one flow, under the query's type and the identifier (RFC 792, RFC 950,
    /// RFC 4443).
    private mutating func readICMP() -> Bool {
        let size = position + 6 <= packetEnd ? 6 : 2
        guard position + size <= packetEnd else { return true }
        guard position + size <= end, let type = bytes.load(UInt8.self, at: position),
            let code = bytes.load(UInt8.self, at: position + 1)
        else { return false }
        let id = size == 6 ? Self.network(UInt16.self, bytes, position + 4) ?? 0 : 0
        let query: UInt8? =
            switch (transport.proto, type) {
            case (.icmp, 0), (.icmp, 8): 8
            case (.icmp, 13), (.icmp, 14): 13
            case (.icmp, 15), (.icmp, 16): 15
            case (.icmp, 17), (.icmp, 18): 17
            case (.icmp6, 128), (.icmp6, 129): 128
            default: nil
            }
        isReport = query == nil
        transport.sourcePort = query == nil ? 0 : id
        transport.destinationPort = UInt16(query ?? type) << 8 | UInt16(code)
        return true
    }
}
