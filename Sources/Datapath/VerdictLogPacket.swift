import FlowModel
import Glibc

/// What the headers of a logged IP packet say: whose it is, and how long.
struct VerdictLogPacket: Equatable {
    /// Addresses, protocol and ports; of ICMP identifier, type and code as ``FlowKey`` has them: that of a query in both
    /// directions, a reply under the type of its query, and 0 as identifier of what is neither.
    var tuple: TrackedConnection.Tuple
    /// Bytes of the IP packet, headers included, whether all of them were logged or not.
    var bytes: UInt64
    /// Whether it is an ICMP message that is neither query nor reply: it may tell of another connection.
    var isReport = false

    /// Reads the headers.
    ///
    /// Nothing outside of the range is read. IPv6 may have up to eight extension headers before the transport header.
    ///
    /// - Parameters:
    ///   - bytes: the datagram that the packet is in.
    ///   - range: where its beginning is.
    ///   - isIPv4: whether it is IPv4; else it is IPv6.
    ///   - fragments: the ports of first fragments, for the later ones.
    /// - Returns: nil if it is malformed, or cut off before its ports.
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
            fragments.remember(headers.identity(fragment), headers.transport)
        case let fragment?:
            // One whose first fragment was not seen has no ports.
            if let first = fragments.transport(headers.identity(fragment)) { headers.transport = first }
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
    /// Where the next header begins.
    private var position: Int
    /// Where what was logged ends.
    private let end: Int
    /// Where the packet ends, as its length says.
    private let packetEnd: Int
    private var isReport = false

    var transport = FragmentMemory.Transport()
    private(set) var fragment: (id: UInt32, offset: Int)?

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

    /// What the fragments of one packet have in common: RFC 791 section 3.2 has the protocol in it, RFC 8200 section 4.5
    /// has not.
    func identity(_ fragment: (id: UInt32, offset: Int)) -> FragmentMemory.Identity {
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
        // A super-packet beyond 64 KiB (BIG TCP) has no length: what was logged of it is what is known.
        let length = total == 0 ? range.count : Int(total)
        guard header >= 20, length >= header else { return nil }
        self.init(
            bytes,
            range,
            source: bytes.address(start + 12..<start + 16),
            destination: bytes.address(start + 16..<start + 20),
            length: length,
            header: header,
            proto: proto
        )
        // More fragments (0x2000), and the offset in units of 8 bytes.
        if word & 0x3fff != 0 { fragment = (UInt32(id), Int(word & 0x1fff) * 8) }
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

    /// Passes over hop-by-hop, routing, fragment, authentication and destination options headers; false if they are
    /// broken, or too many.
    private mutating func skipExtensions() -> Bool {
        for number in 0...Self.maximumExtensions {
            let kind = Int(transport.proto.rawValue)
            switch kind {
            case IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT, IPPROTO_AH, IPPROTO_DSTOPTS: break
            default: return true
            }
            guard number < Self.maximumExtensions, position + 8 <= end, let next = bytes.load(UInt8.self, at: position),
                let units = bytes.load(UInt8.self, at: position + 1)
            else { return false }
            var size = (Int(units) + 1) * 8
            switch kind {
            case IPPROTO_FRAGMENT:
                guard readFragment() else { return false }
                size = 8
            // RFC 4302 section 2.2: in units of 4 bytes, minus 2.
            case IPPROTO_AH: size = (Int(units) + 2) * 4
            default: break
            }
            transport.proto = IPProtocol(rawValue: next)
            position += size
            guard position <= packetEnd else { return false }
            // Behind the header of a later fragment lies payload.
            if let fragment, fragment.offset != 0 { return true }
        }
        return false
    }

    private mutating func readFragment() -> Bool {
        guard let word = Self.network(UInt16.self, bytes, position + 2),
            let id = Self.network(UInt32.self, bytes, position + 4)
        else { return false }
        // The offset in bytes, and more fragments (1); with neither it is the whole packet (RFC 6946).
        fragment = word & 0xfff9 != 0 ? (id, Int(word & 0xfff8)) : nil
        return true
    }

    // MARK: Transport

    /// Reads ports; false if the header does not fit into the packet, or what is needed of it was not logged.
    mutating func readTransport() -> Bool {
        let size =
            switch transport.proto {
            case .tcp: 20
            // RFC 9260 section 3.1: the common header.
            case .sctp: 12
            case .udp, .icmp, .icmp6: 8
            default: 0
            }
        guard size > 0 else { return true }
        guard position + size <= packetEnd else { return false }
        guard transport.proto.hasPorts else { return readICMP() }
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
        guard position + 6 <= end, let type = bytes.load(UInt8.self, at: position),
            let code = bytes.load(UInt8.self, at: position + 1),
            let id = Self.network(UInt16.self, bytes, position + 4)
        else { return false }
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
