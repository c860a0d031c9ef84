import CWeir
import FlowModel
import Testing

@testable import Datapath

/// Messages of rtnetlink(7), in the byte order of the machine (this one is little-endian).
private enum Message {
    static func little(_ number: UInt16) -> [UInt8] { [UInt8(number & 0xff), UInt8(number >> 8)] }

    static func little(_ number: UInt32) -> [UInt8] {
        little(UInt16(truncatingIfNeeded: number)) + little(UInt16(truncatingIfNeeded: number >> 16))
    }

    /// struct nlmsghdr: length with the header, type, flags, sequence number, port; then the body, padded to 4 bytes.
    static func message(_ type: UInt16, flags: UInt16 = 0, length: UInt32? = nil, _ body: [UInt8]) -> [UInt8] {
        let header = little(length ?? UInt32(16 + body.count)) + little(type) + little(flags)
        return header + little(UInt32(7)) + little(UInt32(0)) + padded(body)
    }

    /// struct rtattr: length with the header, type; then the value, padded to 4 bytes.
    static func attribute(_ type: UInt16, length: UInt16? = nil, _ value: [UInt8]) -> [UInt8] {
        little(length ?? UInt16(4 + value.count)) + little(type) + padded(value)
    }

    static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    }

    /// struct ifinfomsg: family, padding, ARPHRD type, index, flags, change mask; then attributes.
    static func link(
        type: UInt16 = 16,
        family: UInt8 = 0,
        hardware: UInt16 = 1,
        index: UInt32 = 5,
        flags: UInt32 = 0x1043,
        _ attributes: [UInt8]
    ) -> [UInt8] {
        message(type, [family, 0] + little(hardware) + little(index) + little(flags) + little(UInt32.max) + attributes)
    }

    /// struct ifaddrmsg: family, prefix length, flags, scope, index; then attributes.
    static func address(_ type: UInt16, family: UInt8, prefix: UInt8, index: UInt32, _ attributes: [UInt8]) -> [UInt8] {
        message(type, [family, prefix, 0x80, 0] + little(index) + attributes)
    }

    /// IFLA_IFNAME (3): the name with a zero.
    static func name(_ name: String) -> [UInt8] { attribute(3, Array(name.utf8) + [0]) }

    /// IFLA_LINKINFO (18), nested: IFLA_INFO_KIND (1), the kind's name with a zero.
    static func kind(_ kind: String) -> [UInt8] { attribute(18, attribute(1, Array(kind.utf8) + [0])) }

    /// IFLA_LINK (5): the index of the lower device, or of a veth's peer.
    static func lower(_ index: UInt32) -> [UInt8] { attribute(5, little(index)) }

    /// IFLA_MASTER (10): the index of the bridge or bond.
    static func master(_ index: UInt32) -> [UInt8] { attribute(10, little(index)) }
}

/// A message and what it says.
private struct NetlinkCase: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var events: [NetlinkEvent]

    var testDescription: String { name }

    private static func link(
        _ name: String,
        _ index: UInt32 = 5,
        master: UInt32? = nil,
        lower: UInt32? = nil
    ) -> NetlinkEvent {
        .link(Link(index: index, name: name, type: 1, flags: 0x1043, master: master, lower: lower))
    }

    static let whole = [
        NetlinkCase(name: "a link", bytes: Message.link(Message.name("eth0")), events: [link("eth0")]),
        NetlinkCase(
            name: "attributes that mean nothing to us: MTU (4), address (1), statistics (7)",
            bytes: Message.link(
                Message.attribute(4, Message.little(UInt32(1500))) + Message.attribute(1, [2, 0, 0, 0, 0, 1])
                    + Message.name("eth0") + Message.attribute(7, [UInt8](repeating: 9, count: 96))
            ),
            events: [link("eth0")]
        ),
        NetlinkCase(
            name: "a VLAN on its lower device",
            bytes: Message.link(Message.name("eth0.5") + Message.lower(2) + Message.kind("vlan")),
            events: [link("eth0.5", lower: 2)]
        ),
        NetlinkCase(
            name: "the kind before the lower device, nested flag set (NLA_F_NESTED)",
            bytes: Message.link(
                Message.attribute(18 | 0x8000, Message.attribute(1, Array("macvlan".utf8) + [0])) + Message.lower(3)
                    + Message.name("mac0")
            ),
            events: [link("mac0", lower: 3)]
        ),
        NetlinkCase(
            name: "a veth, whose link is its peer",
            bytes: Message.link(Message.name("veth0") + Message.lower(9) + Message.kind("veth")),
            events: [link("veth0")]
        ),
        NetlinkCase(
            name: "a VLAN whose lower device is in another namespace: IFLA_LINK_NETNSID (37)",
            bytes: Message.link(
                Message.name("eth0.5") + Message.lower(2) + Message.kind("vlan")
                    + Message.attribute(37, Message.little(UInt32(0)))
            ),
            events: [link("eth0.5")]
        ),
        NetlinkCase(
            name: "a port of a bridge",
            bytes: Message.link(Message.name("veth0") + Message.master(6)),
            events: [link("veth0", master: 6)]
        ),
        // AF_BRIDGE (7): a bridge's view of its port, with a part of the attributes.
        NetlinkCase(
            name: "a message of the bridge family",
            bytes: Message.link(family: 7, Message.name("veth0") + Message.master(6)),
            events: []
        ),
        NetlinkCase(name: "a link without a name", bytes: Message.link(Message.master(6)), events: []),
        NetlinkCase(
            name: "a link that goes",
            bytes: Message.link(type: 17, Message.name("eth0")),
            events: [.linkGone(index: 5)]
        ),
        // IFA_ADDRESS (1), IFA_LOCAL (2), IFA_LABEL (3).
        NetlinkCase(
            name: "an IPv4 address on a point-to-point link: ours is IFA_LOCAL",
            bytes: Message.address(
                20,
                family: 2,
                prefix: 32,
                index: 5,
                Message.attribute(1, [10, 0, 0, 9]) + Message.attribute(2, [10, 0, 0, 1])
                    + Message.attribute(3, Array("eth0".utf8) + [0])
            ),
            events: [.address(IPAddress(10, 0, 0, 1), index: 5)]
        ),
        NetlinkCase(
            name: "an IPv6 address: IFA_ADDRESS only",
            bytes: Message.address(20, family: 10, prefix: 64, index: 6, Message.attribute(1, Frame.client6)),
            events: [.address(PacketCase.ipv6Ends.near, index: 6)]
        ),
        NetlinkCase(
            name: "an address that goes",
            bytes: Message.address(21, family: 2, prefix: 24, index: 5, Message.attribute(2, [10, 0, 0, 1])),
            events: [.addressGone(IPAddress(10, 0, 0, 1), index: 5)]
        ),
        NetlinkCase(
            name: "an address of neither size",
            bytes: Message.address(20, family: 2, prefix: 24, index: 5, Message.attribute(2, [10, 0, 0])),
            events: []
        ),
        // NLMSG_DONE (3): an error number that is 0.
        NetlinkCase(name: "done", bytes: Message.message(3, flags: 2, [0, 0, 0, 0]), events: [.done(changed: false)]),
        // Flags NLM_F_MULTI (2) and NLM_F_DUMP_INTR (16).
        NetlinkCase(
            name: "done, cut through by a change",
            bytes: Message.message(3, flags: 18, [0, 0, 0, 0]),
            events: [.done(changed: true)]
        ),
        // NLMSG_ERROR (2): -EPERM, and the header of the request.
        NetlinkCase(
            name: "an error",
            bytes: Message.message(2, Message.little(UInt32(bitPattern: -1)) + [UInt8](repeating: 0, count: 16)),
            events: [.failed(errno: 1)]
        ),
        NetlinkCase(
            name: "an acknowledgement",
            bytes: Message.message(2, [UInt8](repeating: 0, count: 20)),
            events: []
        ),
        NetlinkCase(name: "a route (24)", bytes: Message.message(24, [UInt8](repeating: 1, count: 28)), events: []),
        NetlinkCase(name: "nothing", bytes: [], events: []),
    ]

    /// Followed by another message, so that reading on would find something.
    static let damaged = [
        NetlinkCase(name: "shorter than a header", bytes: Message.message(16, length: 15, []), events: []),
        NetlinkCase(name: "length 0", bytes: Message.message(16, length: 0, []), events: []),
        NetlinkCase(name: "longer than the datagram", bytes: Message.message(16, length: 4096, []), events: []),
        NetlinkCase(name: "length 2^32 - 1", bytes: Message.message(16, length: .max, []), events: []),
    ]

    /// As `damaged`, but the message that follows is read.
    static let senseless = [
        NetlinkCase(name: "an error without a number", bytes: Message.message(2, []), events: []),
        NetlinkCase(name: "a link without its fixed part", bytes: Message.message(16, []), events: []),
        NetlinkCase(name: "an address without its fixed part", bytes: Message.message(20, []), events: []),
        NetlinkCase(
            name: "a master without a number, at the end",
            bytes: Message.link(Message.name("eth0") + Message.attribute(10, [])),
            events: [link("eth0")]
        ),
        NetlinkCase(
            name: "a master without a number, in the middle",
            bytes: Message.link(Message.attribute(10, []) + Message.name("eth0")),
            events: [link("eth0")]
        ),
        NetlinkCase(
            name: "a lower device of two bytes",
            bytes: Message.link(Message.attribute(5, [2, 0]) + Message.name("eth0.5") + Message.kind("vlan")),
            events: [link("eth0.5")]
        ),
        NetlinkCase(
            name: "an attribute of length 0 hides those behind it",
            bytes: Message.link(Message.name("eth0") + Message.attribute(4, length: 0, []) + Message.master(6)),
            events: [link("eth0")]
        ),
        NetlinkCase(
            name: "an attribute that is longer than the message",
            bytes: Message.link(Message.name("eth0") + Message.attribute(10, length: 400, Message.little(UInt32(6)))),
            events: [link("eth0")]
        ),
        NetlinkCase(
            name: "a name without a zero, and one that is not UTF-8",
            bytes: Message.link(Message.attribute(3, [0xff, 0x61, 0x62, 0x63])),
            events: [link("\u{fffd}abc")]
        ),
    ]
}

@Suite("Netlink parser")
struct NetlinkParserTests {
    private static let next = Message.link(index: 0x0101_0101, Message.name("next"))
    private static let nextEvent = NetlinkEvent.link(Link(index: 0x0101_0101, name: "next", type: 1, flags: 0x1043))

    @Test(arguments: NetlinkCase.whole + NetlinkCase.senseless)
    private func messagesSayWhatTheTableSays(_ example: NetlinkCase) {
        #expect(NetlinkParser(example.bytes).events() == example.events)
        // Nothing is taken from the message behind, and that one is not missed.
        #expect(NetlinkParser(example.bytes + Self.next).events() == example.events + [Self.nextEvent])
    }

    @Test(arguments: NetlinkCase.damaged)
    private func aLengthThatCannotBeEndsTheDatagram(_ example: NetlinkCase) {
        #expect(NetlinkParser(example.bytes + Self.next).events() == example.events)
    }

    /// The datagram ends anywhere: the messages that are all there are read, and nothing else.
    @Test func datagramsThatAreCutOff() {
        var datagram: [UInt8] = []
        var ends: [(end: Int, events: Int)] = [(0, 0)]
        var events: [NetlinkEvent] = []
        for example in NetlinkCase.whole {
            datagram += example.bytes
            events += example.events
            ends.append((datagram.count, events.count))
        }
        #expect(NetlinkParser(datagram).events() == events)
        for length in 0...datagram.count {
            let found = NetlinkParser(Array(datagram.prefix(length))).events()
            let whole = ends.last { $0.end <= length }?.events ?? 0
            // The last message's padding is not part of it.
            let withPadding = ends.last { $0.end <= length + 3 }?.events ?? 0
            guard found == Array(events.prefix(whole)) || found == Array(events.prefix(withPadding)) else {
                Issue.record("the first \(length) bytes say \(found)")
                return
            }
        }
    }

    /// What a message says depends on its own bytes only, whatever they are.
    @Test func damagedMessagesKeepToThemselves() {
        let seed: UInt64 = 42
        var numbers = RepeatableNumbers(seed: seed)
        let corpus = (NetlinkCase.whole + NetlinkCase.senseless).map(\.bytes).filter { !$0.isEmpty }
        var said = 0
        for round in 0..<100_000 {
            var message = corpus[Int.random(in: 0..<corpus.count, using: &numbers)]
            for _ in 0..<Int.random(in: 1...4, using: &numbers) { Self.damage(&message, &numbers) }
            let alone = NetlinkParser(message).events()
            said += alone.count
            // Now with a length that leads to the next message.
            message.replaceSubrange(0..<4, with: Message.little(UInt32(message.count)))
            let whole = NetlinkParser(message).events()
            let followed = NetlinkParser(message + Self.next).events()
            guard followed == whole + [Self.nextEvent] else {
                Issue.record("seed \(seed), round \(round): \(message) says \(whole), followed by another \(followed)")
                return
            }
        }
        #expect(said > 10_000, "the damage left too little: \(said) events")
    }

    private static func damage(_ message: inout [UInt8], _ numbers: inout RepeatableNumbers) {
        let place = Int.random(in: 0..<message.count, using: &numbers)
        switch Int.random(in: 0..<5, using: &numbers) {
        case 0: message[place] ^= 1 << UInt8.random(in: 0..<8, using: &numbers)
        case 1: message[place] = UInt8.random(in: 0...255, using: &numbers)
        case 2: message[place] = [0, 1, 3, 4, 5, 8, 0xff].randomElement(using: &numbers) ?? 0
        case 3 where message.count > 16: message.removeLast(min(message.count - 16, 4))
        default:
            message += [UInt8.random(in: 0...20, using: &numbers), 0, UInt8.random(in: 0...40, using: &numbers), 0]
        }
    }
}
