import CWeir
import FlowModel
import Testing

@testable import Datapath

/// A message and its events.
private struct NetlinkCase: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var events: [NetlinkEvent]

    var testDescription: String { name }

    private static func link(
        _ name: String,
        _ index: UInt32 = 5,
        master: UInt32? = nil,
        lower: UInt32? = nil,
        kind: String = "",
        peerNamespace: UInt32? = nil
    ) -> NetlinkEvent {
        .link(
            Link(
                index: index,
                name: name,
                type: 1,
                flags: 0x1043,
                master: master,
                lower: lower,
                kind: kind,
                peerNamespace: peerNamespace
            )
        )
    }

    private static let podAddress = IPAddress(10, 0, 0, 5)
    private static let pod = Message.destination([10, 0, 0, 5])

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
            events: [link("eth0.5", lower: 2, kind: "vlan")]
        ),
        NetlinkCase(
            name: "the kind before the lower device, nested flag set (NLA_F_NESTED)",
            bytes: Message.link(
                Message.attribute(18 | 0x8000, Message.attribute(1, Array("macvlan".utf8) + [0])) + Message.lower(3)
                    + Message.name("mac0")
            ),
            events: [link("mac0", lower: 3, kind: "macvlan")]
        ),
        NetlinkCase(
            name: "a veth, whose link is its peer",
            bytes: Message.link(Message.name("veth0") + Message.lower(9) + Message.kind("veth")),
            events: [link("veth0", kind: "veth")]
        ),
        NetlinkCase(
            name: "a VLAN whose lower device is in another namespace: IFLA_LINK_NETNSID (37)",
            bytes: Message.link(
                Message.name("eth0.5") + Message.lower(2) + Message.kind("vlan")
                    + Message.attribute(37, Message.little(UInt32(0)))
            ),
            events: [link("eth0.5", kind: "vlan", peerNamespace: 0)]
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
            bytes: Message.error(1),
            events: [.failed(errno: 1)]
        ),
        NetlinkCase(
            name: "an acknowledgement",
            bytes: Message.message(2, [UInt8](repeating: 0, count: 20)),
            events: []
        ),
        NetlinkCase(
            name: "a host route, after attributes that mean nothing to us: table (15), preferred source (7)",
            bytes: Message.route(
                Message.attribute(15, Message.little(UInt32(254))) + pod + Message.attribute(7, [10, 0, 0, 1])
                    + Message.output(5)
            ),
            events: [.route(HostRoute(destination: podAddress, output: 5))]
        ),
        NetlinkCase(
            name: "a host route that goes",
            bytes: Message.route(message: 25, pod + Message.output(5)),
            events: [.routeGone(HostRoute(destination: podAddress, output: 5))]
        ),
        NetlinkCase(
            name: "an IPv6 host route",
            bytes: Message.route(family: 10, length: 128, Message.destination(Frame.client6) + Message.output(6)),
            events: [.route(HostRoute(destination: PacketCase.ipv6Ends.near, output: 6))]
        ),
        NetlinkCase(
            name: "a route to a network",
            bytes: Message.route(length: 24, pod + Message.output(5)),
            events: []
        ),
        NetlinkCase(
            name: "an IPv6 route to a network of the length of an IPv4 address",
            bytes: Message.route(family: 10, length: 32, Message.destination(Frame.client6) + Message.output(5)),
            events: []
        ),
        // RTN_LOCAL (2), RTN_BLACKHOLE (6).
        NetlinkCase(
            name: "an address of this host",
            bytes: Message.route(kind: 2, pod + Message.output(1)),
            events: [.route(HostRoute(destination: podAddress, output: nil))]
        ),
        NetlinkCase(
            name: "a host route into nowhere",
            bytes: Message.route(kind: 6, pod),
            events: [.route(HostRoute(destination: podAddress, output: nil))]
        ),
        // RTA_MULTIPATH (9): struct rtnexthop.
        NetlinkCase(
            name: "a host route through two interfaces",
            bytes: Message.route(
                pod + Message.attribute(9, [8, 0, 0, 0, 5, 0, 0, 0, 8, 0, 0, 0, 6, 0, 0, 0])
            ),
            events: [.route(HostRoute(destination: podAddress, output: nil))]
        ),
        // RTM_F_CLONED (0x200).
        NetlinkCase(
            name: "what the kernel made of a route for a packet",
            bytes: Message.route(flags: 0x200, pod + Message.output(5)),
            events: [.route(HostRoute(destination: podAddress, output: nil))]
        ),
        NetlinkCase(name: "a host route to no address", bytes: Message.route(Message.output(5)), events: []),
        NetlinkCase(name: "a rule (32)", bytes: Message.message(32, [UInt8](repeating: 1, count: 28)), events: []),
        NetlinkCase(name: "nothing", bytes: [], events: []),
    ]

    /// Followed by another message, so that reading on would find something.
    static let damaged = [
        NetlinkCase(name: "shorter than a header", bytes: Message.message(16, length: 15, []), events: []),
        NetlinkCase(name: "length 0", bytes: Message.message(16, length: 0, []), events: []),
        NetlinkCase(name: "longer than the datagram", bytes: Message.message(16, length: 4096, []), events: []),
        NetlinkCase(name: "length 2^32 - 1", bytes: Message.message(16, length: .max, []), events: []),
    ]

    /// The same as `damaged`, but the message that follows is read.
    static let senseless = [
        NetlinkCase(name: "an error without a number", bytes: Message.message(2, []), events: []),
        NetlinkCase(name: "a link without its fixed part", bytes: Message.message(16, []), events: []),
        NetlinkCase(name: "an address without its fixed part", bytes: Message.message(20, []), events: []),
        NetlinkCase(name: "a route without its fixed part", bytes: Message.message(24, [2, 32, 0, 0]), events: []),
        NetlinkCase(
            name: "a host route to three bytes",
            bytes: Message.route(Message.destination([10, 0, 0]) + Message.output(5)),
            events: []
        ),
        NetlinkCase(
            name: "an interface of two bytes",
            bytes: Message.route(pod + Message.attribute(4, [5, 0])),
            events: [.route(HostRoute(destination: podAddress, output: nil))]
        ),
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
            events: [link("eth0.5", kind: "vlan")]
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
    private func parsesEventsOfMessages(_ example: NetlinkCase) {
        #expect(NetlinkParser(example.bytes).events() == example.events)
        // The following message is neither consumed nor skipped.
        #expect(NetlinkParser(example.bytes + Self.next).events() == example.events + [Self.nextEvent])
    }

    @Test(arguments: NetlinkCase.damaged)
    private func invalidLengthEndsDatagram(_ example: NetlinkCase) {
        #expect(NetlinkParser(example.bytes + Self.next).events() == example.events)
    }

    /// The datagram ends anywhere: the parser returns the complete messages, and nothing else.
    @Test func truncatedDatagramYieldsWholeMessages() {
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

    /// The result of a message depends on its own bytes only, whatever they are.
    @Test func damagedMessageDoesNotAffectNext() {
        let seed: UInt64 = 42
        var numbers = RepeatableNumbers(seed: seed)
        let corpus = (NetlinkCase.whole + NetlinkCase.senseless).map(\.bytes).filter { !$0.isEmpty }
        var said = 0
        for round in 0..<100_000 {
            var message = corpus[Int.random(in: 0..<corpus.count, using: &numbers)]
            for _ in 0..<Int.random(in: 1...4, using: &numbers) { Message.damage(&message, &numbers) }
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
}
