import CWeir
import FlowModel
import Testing

@testable import Datapath

/// Messages of nfnetlink_log, recorded from Linux 6.18.
enum VerdictLogBytes {
    /// struct nlmsghdr with NFULNL_MSG_PACKET (0x0400), struct nfgenmsg; then attributes.
    static func packet(family: UInt8 = 2, group: UInt16 = 5, _ attributes: [UInt8]) -> [UInt8] {
        Message.message(0x0400, sequence: 0, [family, 0, UInt8(group >> 8), UInt8(group & 0xff)] + attributes)
    }

    /// NFULA_PACKET_HDR (1): EtherType, hook, padding.
    static func header(_ type: UInt16 = 0x0800, hook: UInt8 = 3) -> [UInt8] {
        Message.attribute(1, [UInt8(type >> 8), UInt8(type & 0xff), hook, 0])
    }

    /// NFULA_PREFIX (10), with its zero.
    static func prefix(_ text: String) -> [UInt8] { Message.attribute(10, Array(text.utf8) + [0]) }

    /// NFULA_PAYLOAD (9).
    static func payload(_ bytes: [UInt8]) -> [UInt8] { Message.attribute(9, bytes) }

    /// NFULA_SEQ (12), in network order.
    static func sequence(_ number: UInt32) -> [UInt8] { Message.attribute(12, Message.little(number.byteSwapped)) }

    /// NFULA_CT (18), nested: a connection as ctnetlink encodes it, without its header and struct nfgenmsg.
    static func connection(_ answer: [UInt8]) -> [UInt8] { Message.attribute(18 | 0x8000, Array(answer.dropFirst(20))) }

    /// The message that ends a datagram of several messages: NLMSG_DONE.
    static let done: [UInt8] = Message.message(3, sequence: 0, [0, 0, 0, 5])

    /// Three messages (struct nlmsghdr), of these packets: UDP from port 40000 to port 5353, the answer that the port is
    /// closed, and an echo request.
    static let recorded: [UInt8] = [
        0x7c, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x00, 0x00, 0x05,  // struct nfgenmsg: AF_INET, version, group 5
        0x08, 0x00, 0x01, 0x00, 0x08, 0x00, 0x03, 0x00,  // NFULA_PACKET_HDR: IPv4, NF_INET_LOCAL_OUT
        0x17, 0x00, 0x0a, 0x00,  // NFULA_PREFIX: APE0|gnp/default.x
        0x41, 0x50, 0x45, 0x30, 0x7c, 0x67, 0x6e, 0x70, 0x2f, 0x64, 0x65, 0x66, 0x61, 0x75, 0x6c, 0x74, 0x2e, 0x78,
        0x00,
        0x00,
        0x08, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x01,  // NFULA_IFINDEX_OUTDEV
        0x08, 0x00, 0x0b, 0x00, 0x00, 0x00, 0x00, 0x00,  // NFULA_UID
        0x08, 0x00, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x00,  // NFULA_GID
        0x08, 0x00, 0x0c, 0x00, 0x00, 0x00, 0x00, 0x00,  // NFULA_SEQ: 0
        0x25, 0x00, 0x09, 0x00,  // NFULA_PAYLOAD: IPv4, UDP, 33 bytes
        0x45, 0x00, 0x00, 0x21, 0xa2, 0x0e, 0x40, 0x00, 0x40, 0x11, 0x9a, 0xbb, 0x7f, 0x00, 0x00, 0x01, 0x7f, 0x00,
        0x00,
        0x01, 0x9c, 0x40, 0x14, 0xe9, 0x00, 0x0d, 0xfe, 0x20, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x00, 0x00, 0x00,
        0x80, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x00, 0x00, 0x05,
        0x08, 0x00, 0x01, 0x00, 0x08, 0x00, 0x03, 0x00,
        0x0e, 0x00, 0x0a, 0x00, 0x64, 0x65, 0x6e, 0x79, 0x2d, 0x69, 0x63, 0x6d, 0x70, 0x00, 0x00, 0x00,  // deny-icmp
        0x08, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x01,
        0x08, 0x00, 0x0c, 0x00, 0x00, 0x00, 0x00, 0x01,  // NFULA_SEQ: 1
        0x41, 0x00, 0x09, 0x00,  // NFULA_PAYLOAD: IPv4, ICMP port unreachable, 61 bytes
        0x45, 0xc0, 0x00, 0x3d, 0x36, 0x1a, 0x00, 0x00, 0x40, 0x01, 0x45, 0xe4, 0x7f, 0x00, 0x00, 0x01, 0x7f, 0x00,
        0x00,
        0x01, 0x03, 0x03, 0x09, 0xd3, 0x00, 0x00, 0x00, 0x00, 0x45, 0x00, 0x00, 0x21, 0xa2, 0x0e, 0x40, 0x00, 0x40,
        0x11,
        0x9a, 0xbb, 0x7f, 0x00, 0x00, 0x01, 0x7f, 0x00, 0x00, 0x01, 0x9c, 0x40, 0x14, 0xe9, 0x00, 0x0d, 0xfe, 0x20,
        0x68,
        0x65, 0x6c, 0x6c, 0x6f, 0x00, 0x00, 0x00,
        0x60, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x00, 0x00, 0x05,
        0x08, 0x00, 0x01, 0x00, 0x08, 0x00, 0x03, 0x00,
        0x0e, 0x00, 0x0a, 0x00, 0x64, 0x65, 0x6e, 0x79, 0x2d, 0x69, 0x63, 0x6d, 0x70, 0x00, 0x00, 0x00,
        0x08, 0x00, 0x0c, 0x00, 0x00, 0x00, 0x00, 0x02,  // NFULA_SEQ: 2
        0x2c, 0x00, 0x09, 0x00,  // NFULA_PAYLOAD, cut by the test: IPv4, echo request, 40 of 84 bytes
        0x45, 0x00, 0x00, 0x54, 0x36, 0x1b, 0x40, 0x00, 0x40, 0x01, 0x06, 0x8c, 0x7f, 0x00, 0x00, 0x01, 0x7f, 0x00,
        0x00,
        0x01, 0x08, 0x00, 0x61, 0xb7, 0x64, 0x02, 0x00, 0x01, 0x9d, 0xf5, 0x01, 0x6b, 0x00, 0x00, 0x00, 0x00, 0xd3,
        0x11,
        0x01, 0x00,
        0x14, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,  // NLMSG_DONE
        0x00, 0x00, 0x00, 0x05,
    ]

    private static let loopback = IPAddress(127, 0, 0, 1)

    private static func tuple(_ proto: IPProtocol, _ ports: (UInt16, UInt16)) -> TrackedConnection.Tuple {
        TrackedConnection.Tuple(
            source: loopback,
            destination: loopback,
            sourcePort: ports.0,
            destinationPort: ports.1,
            proto: proto
        )
    }

    /// The tuples of the recorded packets.
    static let recordedTuples = [
        tuple(.udp, (40_000, 5353)), tuple(.icmp, (0, 0x0303)), tuple(.icmp, (0x6402, 0x0800)),
    ]
}

@Suite("Log messages")
struct VerdictLogMessageTests {
    /// The content of a datagram: prefix, payload and connection of its packets, and the sequence numbers.
    struct Parsed: Equatable {
        var packets: [[String]] = []
        var unreadable = 0
        var sequences: [UInt32] = []
    }

    private func parse(_ bytes: [UInt8]) -> Parsed {
        let datagram = NetlinkBytes(bytes)
        var parsed = Parsed()
        for message in datagram.messages {
            let (reading, sequence) = VerdictLogMessage.read(message, datagram)
            if let sequence { parsed.sequences.append(sequence) }
            switch reading {
            case .other: break
            case .unreadable: parsed.unreadable += 1
            case .packet(let packet):
                let connection = packet.connection.flatMap { ConntrackMessage.connection(datagram, $0) }
                parsed.packets.append([
                    packet.isIPv4 ? "4" : "6", datagram.text(packet.prefix), "\(packet.payload.count)",
                    connection.map { "\($0)" } ?? "-",
                ])
            }
        }
        return parsed
    }

    @Test func parsesRecordedMessages() {
        let parsed = parse(VerdictLogBytes.recorded)
        #expect(
            parsed.packets == [
                ["4", "APE0|gnp/default.x", "33", "-"], ["4", "deny-icmp", "61", "-"], ["4", "deny-icmp", "40", "-"],
            ]
        )
        #expect(parsed.sequences == [0, 1, 2])
        #expect(parsed.unreadable == 0)
    }

    @Test func parsesConnections() {
        let message = VerdictLogBytes.packet(
            VerdictLogBytes.header() + VerdictLogBytes.connection(ConntrackBytes.udp()) + VerdictLogBytes.payload([1])
        )
        #expect(parse(message).packets == [["4", "", "1", "\(ConntrackBytes.udpConnection)"]])
    }

    /// The family gives the IP version of a packet; on bridges and devices the EtherType does.
    @Test(
        arguments: [
            (2, 0x0800, "4"), (10, 0x86dd, "6"), (2, 0, "4"), (10, 0, "6"), (7, 0x0800, "4"), (7, 0x86dd, "6"),
            (5, 0x0800, "4"), (7, 0x0806, nil), (3, 0x0806, nil), (0, 0, nil),
        ] as [(UInt8, UInt16, String?)]
    )
    func detectsAddressFamily(_ family: UInt8, _ type: UInt16, _ expected: String?) {
        let bytes = VerdictLogBytes.header(type, hook: 0) + VerdictLogBytes.payload([1, 2])
        let parsed = parse(VerdictLogBytes.packet(family: family, bytes))
        #expect(parsed.packets.first?.first == expected)
        #expect(parsed.unreadable == (expected == nil ? 1 : 0))
    }

    @Test func incompletePacketIsUnreadable() {
        #expect(parse(VerdictLogBytes.packet(VerdictLogBytes.header())).unreadable == 1, "no payload")
        let egress = VerdictLogBytes.header(hook: 1) + VerdictLogBytes.payload([1])
        #expect(parse(VerdictLogBytes.packet(family: 5, egress)).unreadable == 1, "a link header comes first")
        #expect(parse(Message.message(0x0400, [2, 0])) == Parsed(), "no struct nfgenmsg")
        #expect(parse(Message.message(0x0401, [2, 0, 0, 5])) == Parsed(), "NFULNL_MSG_CONFIG")
        #expect(parse(VerdictLogBytes.done) == Parsed())
    }

    @Test func prefixEndsAtFirstZero() {
        func prefix(_ bytes: [UInt8]) -> String? {
            parse(VerdictLogBytes.packet(Message.attribute(10, bytes) + VerdictLogBytes.payload([1]))).packets.first?[1]
        }
        #expect(prefix([0x61, 0x62, 0, 0x63, 0]) == "ab")
        #expect(prefix([0x61, 0x62]) == "ab")
        #expect(prefix([0]) == "")
        #expect(prefix([]) == "")
        #expect(prefix([0x61, 0xff, 0]) == "a\u{fffd}")
    }

    /// For any bytes the parser terminates, and the bytes after a message do not change its result.
    @Test func damagedMessageDoesNotAffectNext() {
        var numbers = RepeatableNumbers(seed: 47)
        let corpus = [
            Array(VerdictLogBytes.recorded.prefix(0x7c)),
            VerdictLogBytes.packet(
                VerdictLogBytes.header() + VerdictLogBytes.sequence(9) + VerdictLogBytes.prefix("DPI|default")
                    + VerdictLogBytes.connection(ConntrackBytes.udp()) + VerdictLogBytes.payload([0x45, 0, 0, 20])
            ),
        ]
        var packets = 0
        for round in 0..<50_000 {
            var message = corpus[round & 1]
            for _ in 0..<Int.random(in: 1...4, using: &numbers) { Message.damage(&message, &numbers) }
            message.replaceSubrange(0..<4, with: Message.little(UInt32(message.count)))
            let alone = parse(message)
            let padding = [UInt8](repeating: 0xff, count: 3 - (message.count + 3) % 4)
            let both = parse(message + padding + corpus[0])
            packets += alone.packets.count
            guard both.packets == alone.packets + parse(corpus[0]).packets, both.unreadable == alone.unreadable else {
                Issue.record("round \(round): \(message)")
                return
            }
        }
        #expect(packets > 1000, "the damage left too little: \(packets)")
        #expect(packets < 49_000, "there was no damage")
    }

    @Test func ignoresTruncatedMessages() {
        let message = Array(VerdictLogBytes.recorded.prefix(0x7c))
        for length in 0..<message.count { #expect(parse(Array(message.prefix(length))) == Parsed()) }
    }
}
