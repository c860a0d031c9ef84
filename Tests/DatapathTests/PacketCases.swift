import FlowModel
import Testing

/// A frame and its expected sighting.
struct PacketCase: Sendable, CustomTestStringConvertible {
    var name: String
    var frame: [UInt8]
    var direction = Direction.ingress
    var gso: (size: UInt32, segments: UInt32) = (0, 0)
    var expected: Sighting

    var testDescription: String { name }

    static let ipv4Ends = (near: IPAddress(10, 0, 0, 1), far: IPAddress(10, 0, 0, 2))
    static let ipv6Ends = (
        near: IPAddress(ipv6High: 0x2001_0db8_0000_0000, low: 1),
        far: IPAddress(ipv6High: 0x2001_0db8_0000_0000, low: 2)
    )

    /// A packet that enters, in a flow.
    static func flow(
        _ name: String,
        _ frame: [UInt8],
        _ proto: UInt8,
        _ nearPort: UInt16 = 0,
        _ farPort: UInt16 = 0,
        bytes: UInt64,
        packets: UInt64 = 1,
        marks: UInt32 = 0,
        isIPv6: Bool = false,
        gso: (size: UInt32, segments: UInt32) = (0, 0)
    ) -> PacketCase {
        let ends = isIPv6 ? ipv6Ends : ipv4Ends
        let key = FlowKey(
            interfaceIndex: TestRunCounter.loopback,
            near: ends.near,
            far: ends.far,
            nearPort: nearPort,
            farPort: farPort,
            proto: IPProtocol(rawValue: proto)
        )
        let counters = TrafficCounters(packets: packets, bytes: bytes)
        return PacketCase(
            name: name,
            frame: frame,
            gso: gso,
            expected: .flow(key, counters, FlowMarks(rawValue: marks))
        )
    }

    /// A frame that could not be parsed; its bytes are the frame's.
    static func unparsed(_ name: String, _ frame: [UInt8], _ reason: Sighting.Reason) -> PacketCase {
        let counters = TrafficCounters(packets: 1, bytes: UInt64(frame.count))
        return PacketCase(name: name, frame: frame, expected: .unparsed(reason, counters))
    }

    /// A frame that is not IP; its bytes are the frame's.
    static func notIP(_ name: String, _ frame: [UInt8]) -> PacketCase {
        let counters = TrafficCounters(packets: 1, bytes: UInt64(frame.count))
        return PacketCase(name: name, frame: frame, expected: .notIP(counters))
    }
}

// MARK: - IPv4

extension PacketCase {
    /// Marks: the TCP flags of an ingress packet are the low byte; bit 16: opened, bit 18: accepted.
    fileprivate static let opened: UInt32 = 1 << 16
    fileprivate static let accepted: UInt32 = 1 << 18

    static let ipv4 = [
        flow("TCP", Frame.inIPv4(Frame.ipv4(6, Frame.tcp(payload: 100))), 6, 40000, 443, bytes: 140, marks: 0x10),
        flow("TCP SYN", Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 2))), 6, 40000, 443, bytes: 40, marks: 2 | opened),
        flow(
            "TCP SYN ACK",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 0x12))),
            6,
            40000,
            443,
            bytes: 40,
            marks: 0x12 | accepted
        ),
        flow(
            "TCP, every flag",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 0xfd))),
            6,
            40000,
            443,
            bytes: 40,
            marks: 0xfd
        ),
        flow("UDP", Frame.inIPv4(Frame.ipv4(17, Frame.udp(payload: 5))), 17, 40000, 53, bytes: 33),
        flow("UDP without payload", Frame.inIPv4(Frame.ipv4(17, Frame.udp())), 17, 40000, 53, bytes: 28),
        flow("SCTP", Frame.inIPv4(Frame.ipv4(132, Frame.sctp())), 132, 40000, 3868, bytes: 36),
        flow("ICMP echo", Frame.inIPv4(Frame.ipv4(1, Frame.icmp(8))), 1, 0xbeef, 0x0800, bytes: 36, marks: opened),
        flow(
            "ICMP echo reply",
            Frame.inIPv4(Frame.ipv4(1, Frame.icmp(0))),
            1,
            0xbeef,
            0x0800,
            bytes: 36,
            marks: accepted
        ),
        flow(
            "ICMP timestamp",
            Frame.inIPv4(Frame.ipv4(1, Frame.icmp(13))),
            1,
            0xbeef,
            0x0d00,
            bytes: 36,
            marks: opened
        ),
        flow(
            "ICMP timestamp reply",
            Frame.inIPv4(Frame.ipv4(1, Frame.icmp(14))),
            1,
            0xbeef,
            0x0d00,
            bytes: 36,
            marks: accepted
        ),
        // The bytes where a query has its identifier are something else in an error.
        flow("ICMP port unreachable", Frame.inIPv4(Frame.ipv4(1, Frame.icmp(3, code: 3))), 1, 0, 0x0303, bytes: 36),
        flow("IP in IP", Frame.inIPv4(Frame.ipv4(4, Frame.ipv4(17, Frame.udp()))), 4, bytes: 48),
        flow("GRE", Frame.inIPv4(Frame.ipv4(47, [0, 0, 0x08, 0] + Frame.ipv4(17, Frame.udp()))), 47, bytes: 52),
        flow("ESP", Frame.inIPv4(Frame.ipv4(50, [UInt8](repeating: 9, count: 24))), 50, bytes: 44),
        flow("protocol 253, empty", Frame.inIPv4(Frame.ipv4(253, [])), 253, bytes: 20),
        // In IPv4 these are numbers like others, not headers to be skipped.
        flow("protocol 44 in IPv4", Frame.inIPv4(Frame.ipv4(44, [17, 0, 0, 1, 0, 0, 0, 0])), 44, bytes: 28),
        flow(
            "options: no operation, end",
            Frame.inIPv4(Frame.ipv4(17, Frame.udp(), options: [1, 1, 1, 0])),
            17,
            40000,
            53,
            bytes: 32
        ),
        flow(
            "the longest options",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(), options: [UInt8](repeating: 1, count: 40))),
            6,
            40000,
            443,
            bytes: 80,
            marks: 0x10
        ),
        flow(
            "TCP with the longest options",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(headerWords: 15))),
            6,
            40000,
            443,
            bytes: 80,
            marks: 0x10
        ),
        // 6 bytes of padding make the shortest Ethernet frame; they are not IP.
        flow(
            "padding behind 40 bytes",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp())) + [UInt8](repeating: 0, count: 6),
            6,
            40000,
            443,
            bytes: 40,
            marks: 0x10
        ),
        flow("802.1Q", Frame.inIPv4(Frame.ipv4(17, Frame.udp()), tags: [0x8100]), 17, 40000, 53, bytes: 28),
        flow("QinQ", Frame.inIPv4(Frame.ipv4(17, Frame.udp()), tags: [0x88a8, 0x8100]), 17, 40000, 53, bytes: 28),
        flow(
            "a fragment whose first was not seen",
            Frame.inIPv4(Frame.ipv4(17, [UInt8](repeating: 7, count: 24), id: 0x4001, flagsAndOffset: 0x2001)),
            17,
            bytes: 44
        ),
    ]
}

// MARK: - IPv6

extension PacketCase {
    fileprivate static func extensions(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { Frame.extensionHeader(next: $0 == count - 1 ? 17 : 60) } + Frame.udp()
    }

    static let ipv6 = [
        flow(
            "TCP",
            Frame.inIPv6(Frame.ipv6(6, Frame.tcp(payload: 7))),
            6,
            40000,
            443,
            bytes: 67,
            marks: 0x10,
            isIPv6: true
        ),
        flow("UDP", Frame.inIPv6(Frame.ipv6(17, Frame.udp())), 17, 40000, 53, bytes: 48, isIPv6: true),
        flow(
            "ICMPv6 echo",
            Frame.inIPv6(Frame.ipv6(58, Frame.icmp(128))),
            58,
            0xbeef,
            0x8000,
            bytes: 56,
            marks: opened,
            isIPv6: true
        ),
        flow(
            "ICMPv6 echo reply",
            Frame.inIPv6(Frame.ipv6(58, Frame.icmp(129))),
            58,
            0xbeef,
            0x8000,
            bytes: 56,
            marks: accepted,
            isIPv6: true
        ),
        flow(
            "neighbour solicitation",
            Frame.inIPv6(Frame.ipv6(58, Frame.icmp(135))),
            58,
            0,
            0x8700,
            bytes: 56,
            isIPv6: true
        ),
        flow(
            "padding",
            Frame.inIPv6(Frame.ipv6(17, Frame.udp())) + [0, 0, 0, 0],
            17,
            40000,
            53,
            bytes: 48,
            isIPv6: true
        ),
        flow(
            "802.1Q",
            Frame.inIPv6(Frame.ipv6(17, Frame.udp()), tags: [0x8100]),
            17,
            40000,
            53,
            bytes: 48,
            isIPv6: true
        ),
        flow(
            "hop-by-hop options of 24 bytes",
            Frame.inIPv6(Frame.ipv6(0, Frame.extensionHeader(next: 17, units: 2) + Frame.udp())),
            17,
            40000,
            53,
            bytes: 72,
            isIPv6: true
        ),
        flow(
            "routing",
            Frame.inIPv6(Frame.ipv6(43, Frame.routing(next: 17) + Frame.udp())),
            17,
            40000,
            53,
            bytes: 72,
            isIPv6: true
        ),
        flow(
            "destination options",
            Frame.inIPv6(Frame.ipv6(60, Frame.extensionHeader(next: 6) + Frame.tcp(flags: 2))),
            6,
            40000,
            443,
            bytes: 68,
            marks: 2 | opened,
            isIPv6: true
        ),
        flow(
            "authentication of 24 bytes",
            Frame.inIPv6(Frame.ipv6(51, Frame.authentication(next: 17) + Frame.udp())),
            17,
            40000,
            53,
            bytes: 72,
            isIPv6: true
        ),
        flow(
            "every kind of extension header",
            Frame.inIPv6(
                Frame.ipv6(
                    0,
                    Frame.extensionHeader(next: 60) + Frame.extensionHeader(next: 43) + Frame.routing(next: 44)
                        + Frame.fragment(next: 51, offset: 0, more: false) + Frame.authentication(next: 17)
                        + Frame.udp()
                )
            ),
            17,
            40000,
            53,
            bytes: 40 + 8 + 8 + 24 + 8 + 24 + 8,
            isIPv6: true
        ),
        flow(
            "eight extension headers",
            Frame.inIPv6(Frame.ipv6(60, extensions(8))),
            17,
            40000,
            53,
            bytes: 112,
            isIPv6: true
        ),
        // RFC 6946: offset 0 and no more fragments.
        flow(
            "atomic fragment",
            Frame.inIPv6(Frame.ipv6(44, Frame.fragment(next: 17, offset: 0, more: false) + Frame.udp())),
            17,
            40000,
            53,
            bytes: 56,
            isIPv6: true
        ),
        flow(
            "a fragment whose first was not seen",
            Frame.inIPv6(Frame.ipv6(44, Frame.fragment(next: 17, offset: 64, more: false, id: 9) + [1, 2, 3, 4])),
            17,
            bytes: 52,
            isIPv6: true
        ),
        flow("ESP", Frame.inIPv6(Frame.ipv6(50, [UInt8](repeating: 9, count: 24))), 50, bytes: 64, isIPv6: true),
        flow("no next header", Frame.inIPv6(Frame.ipv6(59, [])), 59, bytes: 40, isIPv6: true),
        flow(
            "mobility header: next header, length, binding update",
            Frame.inIPv6(Frame.ipv6(135, [59, 0, 5, 0, 0, 0, 0, 0])),
            135,
            bytes: 48,
            isIPv6: true
        ),
        flow("IPv4 in IPv6", Frame.inIPv6(Frame.ipv6(4, Frame.ipv4(17, Frame.udp()))), 4, bytes: 68, isIPv6: true),
    ]
}

// MARK: - Headers that are broken, cut off or too many

/// Every frame with an IP header is in a flow, at least in one of its two addresses.
extension PacketCase {
    private static func ipv4(_ name: String, _ packet: [UInt8], _ proto: UInt8, bytes: UInt64) -> PacketCase {
        flow("IPv4: \(name)", Frame.inIPv4(packet), proto, bytes: bytes)
    }

    private static func ipv6(_ name: String, _ packet: [UInt8], _ proto: UInt8, bytes: UInt64) -> PacketCase {
        flow("IPv6: \(name)", Frame.inIPv6(packet), proto, bytes: bytes, isIPv6: true)
    }

    private static let brokenIPv4 = [
        ipv4("header of 4 words", Frame.ipv4(17, Frame.udp(), headerWords: 4), 17, bytes: 28),
        ipv4("header of 0 words", Frame.ipv4(6, Frame.tcp(), headerWords: 0), 6, bytes: 40),
        ipv4("options beyond the length", Frame.ipv4(17, Frame.udp(), headerWords: 8), 17, bytes: 28),
        // With an invalid length, all bytes behind the link header count.
        flow(
            "IPv4: length below the header",
            Frame.inIPv4(Frame.ipv4(17, Frame.udp(), totalLength: 19)),
            17,
            40000,
            53,
            bytes: 28
        ),
        flow("IPv4: length 0", Frame.inIPv4(Frame.ipv4(17, Frame.udp(), totalLength: 0)), 17, 40000, 53, bytes: 28),
        flow(
            "IPv4: length beyond the frame",
            Frame.inIPv4(Frame.ipv4(17, Frame.udp(), totalLength: 29)),
            17,
            40000,
            53,
            bytes: 28
        ),
        // Bytes behind the packet are padding, whatever they are.
        ipv4("3 bytes of TCP, the rest is padding", Frame.ipv4(6, Frame.tcp(), totalLength: 23), 6, bytes: 23),
        ipv4("nothing of UDP, the rest is padding", Frame.ipv4(17, Frame.udp(), totalLength: 20), 17, bytes: 20),
        ipv4(
            "the ports of TCP behind options that are padding",
            Frame.ipv4(6, Frame.tcp(), totalLength: 24, options: [1, 1, 1, 1]),
            6,
            bytes: 24
        ),
        flow("IPv4: 4 bytes of TCP", Frame.inIPv4(Frame.ipv4(6, [0x9c, 0x40, 1, 0xbb])), 6, 40000, 443, bytes: 24),
        flow(
            "IPv4: 13 bytes of TCP with SYN",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 2), totalLength: 33)),
            6,
            40000,
            443,
            bytes: 33
        ),
        flow(
            "IPv4: 14 bytes of TCP with SYN",
            Frame.inIPv4(Frame.ipv4(6, Array(Frame.tcp(flags: 2).prefix(14)))),
            6,
            40000,
            443,
            bytes: 34,
            marks: 2 | opened
        ),
        flow(
            "IPv4: TCP header without its last byte",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(), totalLength: 39)),
            6,
            40000,
            443,
            bytes: 39,
            marks: 0x10
        ),
        flow(
            "IPv4: 4 bytes of SCTP",
            Frame.inIPv4(Frame.ipv4(132, Frame.sctp(), totalLength: 24)),
            132,
            40000,
            3868,
            bytes: 24
        ),
        ipv4("a byte of ICMP", Frame.ipv4(1, [8]), 1, bytes: 21),
        flow(
            "IPv4: ICMP echo without identifier",
            Frame.inIPv4(Frame.ipv4(1, Frame.icmp(8), totalLength: 25)),
            1,
            0,
            0x0800,
            bytes: 25,
            marks: opened
        ),
        flow(
            "IPv4: ICMP echo up to its identifier",
            Frame.inIPv4(Frame.ipv4(1, Frame.icmp(8), totalLength: 26)),
            1,
            0xbeef,
            0x0800,
            bytes: 26,
            marks: opened
        ),
        flow(
            "IPv4: first fragment of 8 bytes",
            Frame.inIPv4(Frame.ipv4(6, Array(Frame.tcp(flags: 2).prefix(8)), flagsAndOffset: 0x2000)),
            6,
            40000,
            443,
            bytes: 28
        ),
        ipv4("first fragment of nothing", Frame.ipv4(6, [], flagsAndOffset: 0x2000), 6, bytes: 20),
        ipv4(
            "a fragment in a header of 4 words",
            Frame.ipv4(17, Frame.udp(), headerWords: 4, flagsAndOffset: 0x2000),
            17,
            bytes: 28
        ),
        flow("IPv4: eight tags", Frame.inIPv4(Frame.ipv4(17, Frame.udp()), tags: tags(8)), 17, 40000, 53, bytes: 28),
        flow(
            "IPv4: three tags",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 2)), tags: tags(3)),
            6,
            40000,
            443,
            bytes: 40,
            marks: 2 | opened
        ),
    ]

    private static let brokenIPv6 = [
        flow(
            "IPv6: length beyond the frame",
            Frame.inIPv6(Frame.ipv6(17, Frame.udp(), payloadLength: 9)),
            17,
            40000,
            53,
            bytes: 48,
            isIPv6: true
        ),
        ipv6("length 0, the rest is padding", Frame.ipv6(17, Frame.udp(), payloadLength: 0), 17, bytes: 40),
        flow(
            "IPv6: 7 bytes of UDP, the rest is padding",
            Frame.inIPv6(Frame.ipv6(17, Frame.udp(), payloadLength: 7)),
            17,
            40000,
            53,
            bytes: 47,
            isIPv6: true
        ),
        // The kernel takes length 0 before hop-by-hop options for a jumbogram, whatever the options are.
        flow(
            "IPv6: length 0 before hop-by-hop options that say nothing of it",
            Frame.inIPv6(Frame.ipv6(0, Frame.extensionHeader(next: 6) + Frame.tcp(flags: 2), payloadLength: 0)),
            6,
            40000,
            443,
            bytes: 68,
            marks: 2 | opened,
            isIPv6: true
        ),
        ipv6("nine extension headers", Frame.ipv6(60, extensions(9)), 60, bytes: 120),
        ipv6("an extension header that is cut off", Frame.ipv6(60, [17, 0, 1, 4]), 60, bytes: 44),
        ipv6("nothing of an extension header", Frame.ipv6(43, []), 43, bytes: 40),
        ipv6(
            "an extension header that ends behind the packet, TCP",
            Frame.ipv6(60, [6, 1] + [UInt8](repeating: 0, count: 6)),
            60,
            bytes: 48
        ),
        ipv6(
            "a second extension header that ends behind the packet",
            Frame.ipv6(0, Frame.extensionHeader(next: 51) + [253, 4, 0, 0, 0, 0, 0, 1]),
            51,
            bytes: 56
        ),
        ipv6(
            "authentication that ends behind the packet",
            Frame.ipv6(51, [UInt8](Frame.authentication(next: 17).prefix(16))),
            51,
            bytes: 56
        ),
        ipv6(
            "a packet that ends with its extension header",
            Frame.ipv6(60, Frame.extensionHeader(next: 6)),
            6,
            bytes: 48
        ),
        ipv6("half a fragment header", Frame.ipv6(44, [17, 0, 0, 1]), 44, bytes: 44),
        flow(
            "IPv6: first fragment of 8 bytes",
            Frame.inIPv6(
                Frame.ipv6(44, Frame.fragment(next: 6, offset: 0, more: true) + Frame.tcp(flags: 2).prefix(8))
            ),
            6,
            40000,
            443,
            bytes: 56,
            isIPv6: true
        ),
        ipv6(
            "first fragment that ends in its extension headers",
            Frame.ipv6(
                44,
                Frame.fragment(next: 60, offset: 0, more: true) + Frame.extensionHeader(next: 6, units: 1).prefix(8)
            ),
            60,
            bytes: 56
        ),
    ]

    static let broken = brokenIPv4 + brokenIPv6
}

// MARK: - Frames in no flow

extension PacketCase {
    fileprivate static func tags(_ count: Int) -> [UInt16] { [0x88a8] + [UInt16](repeating: 0x8100, count: count - 1) }

    static let others = [
        // Hardware type Ethernet, protocol IPv4, sizes, request, two pairs of addresses.
        notIP("ARP", Frame.ethernet(0x0806, [0, 1, 8, 0, 6, 4, 0, 1] + [UInt8](repeating: 0, count: 20))),
        // End of the LLDP unit: type 0, length 0.
        notIP("LLDP", Frame.ethernet(0x88cc, [0, 0])),
        notIP("ARP in a VLAN", Frame.ethernet(0x0806, tags: [0x8100], [0, 1, 8, 0])),
        // IEEE 802.3 length in place of a type: spanning tree.
        notIP("802.2", Frame.ethernet(0x0026, [0x42, 0x42, 3] + [UInt8](repeating: 0, count: 35))),
        unparsed("nine tags", Frame.inIPv4(Frame.ipv4(17, Frame.udp()), tags: tags(9)), .link),
        unparsed("a tag that is cut off", Frame.ethernet(0x8100, [0, 5]), .link),
        unparsed("the ninth tag cut off", Frame.ethernet(0x8100, tags: tags(8), [0, 5]), .link),
        unparsed("IPv4 in an IPv6 frame", Frame.inIPv6(Frame.ipv4(17, Frame.udp(payload: 40))), .network),
        unparsed("IPv6 in an IPv4 frame", Frame.inIPv4(Frame.ipv6(17, Frame.udp())), .network),
    ]
}

// MARK: - Super-packets

extension PacketCase {
    static let superPackets = [
        // 2 segments of 1000 and 1 of 500, each with its 40 bytes of headers.
        flow(
            "TCP over IPv4, counted by the sender",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(payload: 2500))),
            6,
            40000,
            443,
            bytes: 2500 + 3 * 40,
            packets: 3,
            marks: 0x10,
            gso: (1000, 3)
        ),
        flow(
            "TCP over IPv4, not counted by the sender",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(payload: 2500))),
            6,
            40000,
            443,
            bytes: 2500 + 3 * 40,
            packets: 3,
            marks: 0x10,
            gso: (1000, 0)
        ),
        flow(
            "exact multiple, with options of 12 bytes",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(headerWords: 8, payload: 2000))),
            6,
            40000,
            443,
            bytes: 2000 + 2 * 52,
            packets: 2,
            marks: 0x10,
            gso: (1000, 0)
        ),
        flow(
            "TCP over IPv6",
            Frame.inIPv6(Frame.ipv6(6, Frame.tcp(payload: 2401))),
            6,
            40000,
            443,
            bytes: 2401 + 3 * 60,
            packets: 3,
            marks: 0x10,
            isIPv6: true,
            gso: (1200, 0)
        ),
        flow(
            "UDP over IPv4",
            Frame.inIPv4(Frame.ipv4(17, Frame.udp(payload: 3000))),
            17,
            40000,
            53,
            bytes: 3000 + 3 * 28,
            packets: 3,
            gso: (1000, 0)
        ),
        flow(
            "UDP over IPv6",
            Frame.inIPv6(Frame.ipv6(17, Frame.udp(payload: 1001))),
            17,
            40000,
            53,
            bytes: 1001 + 2 * 48,
            packets: 2,
            isIPv6: true,
            gso: (1000, 2)
        ),
        // The jumbo payload option (RFC 2675: type 0xc2, length 4) is for the device only; segments leave without it.
        flow(
            "BIG TCP: payload length 0, hop-by-hop option of 8 bytes",
            Frame.inIPv6(
                Frame.ipv6(0, [6, 0, 0xc2, 4, 0, 0, 0x0b, 0xd4] + Frame.tcp(payload: 3000), payloadLength: 0)
            ),
            6,
            40000,
            443,
            bytes: 3000 + 3 * 60,
            packets: 3,
            marks: 0x10,
            isIPv6: true,
            gso: (1000, 0)
        ),
        // The length field of IPv4 is 16 bits: BIG TCP leaves it 0, and the frame's length counts.
        flow(
            "BIG TCP over IPv4",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(payload: 3000), totalLength: 0)),
            6,
            40000,
            443,
            bytes: 3000 + 3 * 40,
            packets: 3,
            marks: 0x10,
            gso: (1000, 3)
        ),
        // A raw socket may set any size of segments; one for each 8 bytes is counted at most, beside 128.
        flow(
            "segments of one byte",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(payload: 3000))),
            6,
            40000,
            443,
            bytes: 3000 + (3040 / 8 + 128) * 40,
            packets: 3040 / 8 + 128,
            marks: 0x10,
            gso: (1, 0)
        ),
        flow(
            "a super-packet of one segment",
            Frame.inIPv4(Frame.ipv4(6, Frame.tcp(payload: 10))),
            6,
            40000,
            443,
            bytes: 50,
            marks: 0x10,
            gso: (1000, 0)
        ),
    ]

    /// Frames that are in flows.
    static let valid = ipv4 + ipv6
    static let all = valid + broken + others + superPackets
}
