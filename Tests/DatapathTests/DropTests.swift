import CWeir
import FlowModel
import ForeignPrograms
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Packets that the kernel drops by decision, beside the counters of the rule or program that dropped them.
    @Suite("Drops by decision")
    struct DropTests {
        /// A rule that drops: its place, and its action.
        struct Rule: Sendable, CustomTestStringConvertible {
            var hook: String
            var verdict: String
            var testDescription: String { "\(hook) \(verdict)" }
        }

        private static let rules = ["input", "forward", "output"].flatMap { hook in
            ["drop", "reject"].map { Rule(hook: hook, verdict: $0) }
        }

        /// Each protocol in each family: the drop is in the flow of the packets, and the counts equal the firewall's.
        @Test(arguments: rules)
        func firewallDropsAreDenied(_ rule: Rule) throws {
            let lab = try DropLab()
            for isIPv6 in [false, true] {
                for proto in TestProtocol.allCases {
                    try check(rule, proto, isIPv6: isIPv6, in: lab)
                }
            }
            try lab.finish()
            // Each is one flow: a refused packet's answer is another, and none of them is denied.
            #expect(lab.deniedFlows.count == 6)
        }

        private func check(_ rule: Rule, _ proto: TestProtocol, isIPv6: Bool, in lab: DropLab) throws {
            let protocols = ["udp": "udp", "tcp": "tcp", "icmp": isIPv6 ? "icmpv6" : "icmp"]
            let name = try #require(protocols[proto.rawValue])
            let isReply = proto == .icmp ? (isIPv6 ? "icmpv6 type echo-request" : "icmp type echo-request") : ""
            try lab.node.nft(
                """
                flush ruleset
                table inet weirtest {
                    chain \(rule.hook) {
                        type filter hook \(rule.hook) priority 0;
                        meta nfproto \(isIPv6 ? "ipv6" : "ipv4") meta l4proto \(name) th dport != 0 \(isReply) \
                        counter \(rule.verdict);
                    }
                }
                """
                .replacing("th dport != 0", with: proto == .icmp ? "" : "th dport 2000")
            )
            let before = lab.denied
            let (podA, podB) = (lab.address(of: lab.a, isIPv6: isIPv6), lab.address(of: lab.b, isIPv6: isIPv6))
            let nodeAddress = lab.nodeAddress(isIPv6: isIPv6)
            let (near, far): (LabAddress, LabAddress)
            switch rule.hook {
            case "input":
                try lab.attempt(proto, from: lab.a.namespace, to: lab.node, at: nodeAddress)
                (near, far) = (podA, nodeAddress)
            case "forward":
                try lab.attempt(proto, from: lab.a.namespace, to: lab.b.namespace, at: podB)
                (near, far) = (podA, podB)
            default:
                try lab.attempt(proto, from: lab.node, to: lab.a.namespace, at: podA)
                (near, far) = (podA, nodeAddress)
            }
            let counted = try lab.firewallCount()
            #expect(counted.packets > 0)
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.denied.since(before).packets >= counted.packets
            }
            #expect(isSettled, "\(proto) \(isIPv6 ? 6 : 4)")
            let (nearAddress, farAddress) = (try IPAddress(near), try IPAddress(far))
            let numbers: [TestProtocol: UInt8] = [.udp: 17, .tcp: 6, .icmp: isIPv6 ? 58 : 1]
            let (key, dropped) = try #require(
                lab.deniedFlows.first {
                    $0.key.near == nearAddress && $0.key.far == farAddress
                        && $0.key.proto.rawValue == numbers[proto]
                }
            )
            var expected = Dropped(decisions: ["NETFILTER_DROP"])
            if rule.hook == "output" { expected.egress = counted } else { expected.ingress = counted }
            expected.failures = dropped.failures
            expected.failureReasons = dropped.failureReasons
            #expect(dropped == expected, "\(rule) \(proto) \(key)")
            let interface = try lab.node.index(of: lab.a.interface)
            #expect(key.interfaceIndex == interface)
            try checkSlot(rule, proto, key, dropped, in: lab)
        }

        private func checkSlot(
            _ rule: Rule,
            _ proto: TestProtocol,
            _ key: FlowKey,
            _ dropped: Dropped,
            in lab: DropLab
        ) throws {
            let traffic = lab.monitor.flows[key] ?? Monitor.Traffic()
            let marks = try #require(lab.monitor.marks[key])
            if rule.hook == "output" {
                // It never reached the interface; the flow exists because something was dropped.
                #expect(traffic.egress == .zero)
                #expect(marks.contains(.firstEgress))
                #expect(proto == .udp || marks.contains(.openedEgress))
                let port: UInt16 = proto == .icmp ? 77 : 2000
                #expect(key.nearPort == port)
            } else {
                // It was counted before it was dropped, in the same flow.
                #expect(traffic.ingress == dropped.ingress)
                #expect(!marks.contains(.firstEgress))
                #expect(proto == .udp || marks.contains(.openedIngress))
                #expect(proto == .icmp || key.farPort == 2000)
            }
        }

        // MARK: Other sources of drops

        @Test func trafficControlDropsAreDenied() throws {
            let lab = try DropLab(DatapathConfiguration(tableSlots: 1024, attachMode: .clsact))
            // Before Weir's program on egress: forwarded, and made here.
            try DroppingProgram.clsact(isEgress: true).attach(to: "calib", in: lab.node)
            try lab.attempt(.udp, from: lab.a.namespace, to: lab.b.namespace, at: lab.b.ipv6)
            try lab.attempt(.udp, from: lab.node, to: lab.b.namespace, at: lab.b.ipv6)
            // Behind Weir's program on ingress.
            try DroppingProgram.clsact(isEgress: false).attach(to: "calia", in: lab.node)
            try lab.attempt(.udp, from: lab.a.namespace, to: lab.b.namespace, at: lab.b.ipv4)
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.denied.packets >= 90
            }
            #expect(isSettled)
            try lab.finish()
            #expect(lab.deniedFlows.count == 3)
            let (nodeAddress, podA, podB) = (
                try IPAddress(lab.network.nodeIPv6), try IPAddress(lab.a.ipv6), try IPAddress(lab.b.ipv6)
            )
            for (key, dropped) in lab.deniedFlows {
                let traffic = lab.monitor.flows[key] ?? Monitor.Traffic()
                switch (key.near, key.far) {
                case (podA, podB):
                    #expect(dropped.ingress == TrafficCounters(packets: 30, bytes: 30 * 148))
                    #expect(dropped.ingress == traffic.ingress)
                    #expect(dropped.decisions == ["TC_EGRESS"])
                case (podB, nodeAddress):
                    #expect(dropped.egress == TrafficCounters(packets: 30, bytes: 30 * 148))
                    #expect(traffic.egress == .zero)
                    #expect(dropped.decisions == ["TC_EGRESS"])
                default:
                    #expect(dropped.ingress == TrafficCounters(packets: 30, bytes: 30 * 128))
                    #expect(dropped.ingress == traffic.ingress)
                    #expect(dropped.decisions == ["TC_INGRESS"])
                }
            }
        }

        /// XDP drops before anything is counted.
        @Test(arguments: [false, true])
        func xdpDropsAreDeniedAndUncounted(isGeneric: Bool) throws {
            let lab = try DropLab()
            try DroppingProgram.xdp(isGeneric: isGeneric).attach(to: "calia", in: lab.node)
            for address in [lab.b.ipv4, lab.b.ipv6] {
                try lab.attempt(.udp, from: lab.a.namespace, to: lab.b.namespace, at: address)
            }
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.denied.packets >= 60
            }
            #expect(isSettled)
            try lab.finish()
            #expect(lab.deniedFlows.count == 2)
            #expect(lab.deniedFlows.values.allSatisfy { $0.decisions == ["XDP"] && $0.ingress == .zero })
            let bytes = lab.deniedFlows.values.map { $0.uncounted.bytes }.sorted()
            #expect(bytes == [30 * 128, 30 * 148])
            let account = try lab.monitor.account(of: "calia").ingress
            #expect(account.seen == .zero)
            #expect(account.denied.seen == TrafficCounters(packets: 60, bytes: 30 * 128 + 30 * 148))
        }

        @Test func reversePathFilterDropsAreDenied() throws {
            let lab = try DropLab()
            try lab.node.setSysctl("net.ipv4.conf.calia.rp_filter", "1")
            // A packet of b's that comes from a.
            let spoofed = Packet.udp(from: lab.b.ipv4, port: 1, to: lab.network.nodeIPv4, port: 2, payload: [1, 2, 3])
            let frame = Packet.ethernet(
                destination: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee],
                source: [2, 0x77, 0, 0, 0, 2],
                payload: spoofed
            )
            try FrameSender("eth0", in: lab.a.namespace).send(frame, times: 25)
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.denied.packets >= 25
            }
            #expect(isSettled)
            try lab.finish()
            let (key, dropped) = try #require(lab.deniedFlows.first)
            #expect(dropped.ingress == TrafficCounters(packets: 25, bytes: 25 * 31))
            #expect(dropped.decisions == ["IP_RPFILTER"])
            let podB = try IPAddress(lab.b.ipv4)
            #expect(key.near == podB)
            let interface = try lab.node.index(of: "calia")
            #expect(key.interfaceIndex == interface)
            #expect(lab.monitor.droppedPackets == ["calia": ["IP_RPFILTER": 25]])
        }

        /// A socket's filter decides on the socket's packets; a raw socket drops only a copy, which is not denied.
        @Test func socketFilterDropsAreDenied() throws {
            let lab = try DropLab()
            let sockets = try lab.node.run {
                [
                    try RefusingSocket.open(port: 2000),
                    try RefusingSocket.open(SOCK_RAW, Int32(IPPROTO_ICMP), port: 0),
                ]
            }
            defer { for socket in sockets { close(socket) } }
            try FrameSender("eth0", in: lab.a.namespace).send(
                Packet.ethernet(
                    destination: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee],
                    source: [2, 0x77, 0, 0, 0, 2],
                    payload: Packet.udp(from: lab.a.ipv4, port: 1, to: lab.network.nodeIPv4, port: 2000)
                ),
                times: 10
            )
            let path = TrafficPath(from: lab.a.namespace, to: lab.node, at: lab.network.nodeIPv4)
            #expect(try path.ping(count: 10).clientReceived.messages == 10)
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.denied.packets >= 10
            }
            #expect(isSettled)
            try lab.finish()
            #expect(lab.deniedFlows.values.map { $0.ingress } == [TrafficCounters(packets: 10, bytes: 280)])
            #expect(lab.deniedFlows.values.allSatisfy { $0.decisions == ["SOCKET_FILTER"] })
        }
    }
}
