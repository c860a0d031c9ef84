import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// The flow of a dropped packet, and packets that belong to none.
    @Suite("Drops and flows")
    struct DropFlowTests {
        // MARK: Translated packets

        /// A service address, translated to pod b, and a rule that drops what was translated.
        private func translate(_ lab: DropLab, _ hook: String, priority: Int, _ match: String) throws {
            try lab.network.node.ip("route replace 10.96.0.0/16 dev lo")
            try lab.a.namespace.ip("route replace 10.96.0.0/16 via 169.254.1.1 dev eth0")
            let rule = "meta l4proto { tcp, udp } th dport 53 dnat to \(lab.b.ipv4):5353"
            try lab.node.nft(
                """
                flush ruleset
                table ip weirnat {
                    chain prerouting { type nat hook prerouting priority -100; ip daddr 10.96.0.10 \(rule); }
                    chain output { type nat hook output priority -100; ip daddr 10.96.0.10 \(rule); }
                    chain drops { type filter hook \(hook) priority \(priority); \(match) counter drop; }
                }
                """
            )
        }

        private func key(_ interface: UInt32, _ near: (String, UInt16), _ far: (String, UInt16)) throws -> FlowKey {
            FlowKey(
                interfaceIndex: interface,
                near: try #require(IPAddress(near.0)),
                far: try #require(IPAddress(far.0)),
                nearPort: near.1,
                farPort: far.1,
                proto: .udp
            )
        }

        /// The flow of a's interface has the service's address, to which a sends.
        @Test func translatedPacketIsDeniedInItsFlow() throws {
            let lab = try DropLab()
            try translate(lab, "forward", priority: 0, "tcp dport 5353")
            try lab.attempt(
                .tcp,
                from: lab.a.namespace,
                to: lab.b.namespace,
                at: try LabAddress("10.96.0.10"),
                port: 53
            )
            let counted = try lab.settle()
            try lab.finish()
            #expect(counted.packets >= 1)
            #expect(lab.deniedFlows.count == 1)
            let (key, dropped) = try #require(lab.deniedFlows.first)
            let (podA, service) = (try IPAddress(lab.a.ipv4), try #require(IPAddress("10.96.0.10")))
            #expect((key.near, key.far, key.farPort) == (podA, service, 53))
            #expect(dropped.ingress == counted)
            #expect(dropped.destinations == [.init(address: try IPAddress(lab.b.ipv4), port: 5353)])
            #expect(lab.monitor.flows[key]?.ingress == counted)
        }

        /// Dropped after the translation back: the flow of b's interface has b's address.
        @Test func translatedAnswerIsDeniedInItsFlow() throws {
            let lab = try DropLab()
            try translate(lab, "postrouting", priority: 300, "ip protocol udp ct direction reply")
            let port: UInt16 = 5353
            let question = Packet.udp(from: lab.a.ipv4, port: 3000, to: try LabAddress("10.96.0.10"), port: 53)
            let answer = Packet.udp(from: lab.b.ipv4, port: port, to: lab.a.ipv4, port: 3000, payload: [1])
            let node: [UInt8] = [0xee, 0xee, 0xee, 0xee, 0xee, 0xee]
            try FrameSender("eth0", in: lab.a.namespace).send(Packet.ethernet(destination: node, payload: question))
            let isThrough = try eventually {
                try lab.monitor.scan()
                return try lab.monitor.account(of: "calib").egress.skb.packets >= 1
            }
            #expect(isThrough)
            try FrameSender("eth0", in: lab.b.namespace).send(
                Packet.ethernet(destination: node, payload: answer),
                times: 12
            )
            _ = try eventually { try lab.firewallCount().packets == 12 }
            let counted = try lab.settle()
            try lab.finish()
            #expect(counted == TrafficCounters(packets: 12, bytes: 12 * 29))
            let expected = try key(lab.node.index(of: "calib"), ("\(lab.b.ipv4)", port), ("\(lab.a.ipv4)", 3000))
            #expect(lab.deniedFlows.mapValues { $0.ingress } == [expected: counted])
        }

        /// A local packet is translated, then dropped: the flow of b's interface has b's address.
        @Test func localPacketIsDeniedUnderTranslatedAddress() throws {
            let lab = try DropLab()
            try translate(lab, "output", priority: 0, "tcp dport 5353")
            try lab.attempt(.tcp, from: lab.node, to: lab.b.namespace, at: try LabAddress("10.96.0.10"), port: 53)
            let counted = try lab.settle()
            try lab.finish()
            #expect(counted.packets >= 1)
            #expect(lab.deniedFlows.count == 1)
            let (key, dropped) = try #require(lab.deniedFlows.first)
            #expect(dropped.egress == counted)
            let podB = try IPAddress(lab.b.ipv4)
            #expect(key.near == podB)
            #expect(key.nearPort == 5353)
        }

        // MARK: Sizes and headers

        /// A dropped super-packet counts as the packets that it would have been on the wire.
        @Test func superPacketsCountAsTheirSegments() throws {
            let lab = try DropLab()
            try lab.node.nft(
                """
                table inet weirtest {
                    chain forward {
                        type filter hook forward priority 0;
                        tcp dport 2000 meta length > 4000 limit rate 1/day burst 3 packets counter drop;
                    }
                }
                """
            )
            let path = TrafficPath(from: lab.a.namespace, to: lab.b.namespace, at: lab.b.ipv4)
            _ = try path.tcp(request: 2_000_000, response: 10, port: 2000)
            let counted = try lab.firewallCount()
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.denied.bytes >= counted.bytes
            }
            #expect(isSettled)
            try lab.finish()
            #expect(counted.packets > 0)
            let (key, dropped) = try #require(lab.deniedFlows.first)
            let more = dropped.ingress.packets - counted.packets
            #expect(more > 0)
            // Each further segment has an IP and a TCP header of its own, with timestamps.
            #expect(dropped.ingress.bytes == counted.bytes + more * 52)
            let traffic = try #require(lab.monitor.flows[key])
            #expect(traffic.ingress.bytes > dropped.ingress.bytes)
        }

        /// The ports follow the extension headers.
        @Test func parsesExtensionHeadersOfDroppedPackets() throws {
            let lab = try DropLab()
            try lab.node.nft(
                "table inet t { chain c { type filter hook forward priority 0; ip6 saddr fd77::/64 counter drop; }; }"
            )
            let datagram = Packet.udp(from: lab.a.ipv6, port: 4000, to: lab.b.ipv6, port: 5000).dropFirst(40)
            // Hop-by-hop options, then destination options, 8 bytes each, with padding only.
            let extended: [UInt8] = [60, 0, 1, 4, 0, 0, 0, 0] + [17, 0, 1, 4, 0, 0, 0, 0] + datagram
            let packet = Packet.ip(from: lab.a.ipv6, to: lab.b.ipv6, proto: 0, payload: extended)
            try FrameSender("eth0", in: lab.a.namespace).send(
                Packet.ethernet(destination: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee], payload: packet),
                times: 3
            )
            _ = try eventually { try lab.firewallCount().packets == 3 }
            let counted = try lab.settle()
            try lab.finish()
            let (key, dropped) = try #require(lab.deniedFlows.first)
            #expect(dropped.ingress == counted)
            #expect(lab.monitor.flows[key]?.ingress == counted)
            #expect((key.nearPort, key.farPort, key.proto) == (4000, 5000, .udp))
        }

        // MARK: No decisions

        /// A drop at a closed port is a failure, not a decision.
        @Test func closedPortsCountAsFailures() throws {
            let lab = try DropLab()
            for address in [lab.network.nodeIPv4, lab.network.nodeIPv6] {
                let path = TrafficPath(from: lab.a.namespace, to: lab.node, at: address)
                #expect(try path.tcpAttempt(port: 9) == .refused)
            }
            let datagram = Packet.udp(from: lab.a.ipv4, port: 1, to: lab.network.nodeIPv4, port: 9)
            try FrameSender("eth0", in: lab.a.namespace).send(
                Packet.ethernet(destination: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee], payload: datagram),
                times: 7
            )
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.monitor.drops.values.reduce(0) { $0 + $1.failures[0] } >= 9
            }
            #expect(isSettled)
            try lab.finish()
            #expect(lab.deniedFlows.isEmpty)
            #expect(
                lab.monitor.drops.values.map { $0.failures }.sorted { $0[0] < $1[0] } == [[1, 0], [1, 0], [7, 0]]
            )
            #expect(lab.monitor.drops.values.allSatisfy { $0.failureReasons == ["NO_SOCKET"] && $0.decisions.isEmpty })
            #expect(lab.monitor.droppedPackets == ["calia": ["NO_SOCKET": 9]])
        }

        /// Successful connections have no drops.
        @Test func ordinaryTrafficHasNoDrops() throws {
            let lab = try DropLab()
            for address in [lab.b.ipv4, lab.b.ipv6] {
                let path = TrafficPath(from: lab.a.namespace, to: lab.b.namespace, at: address)
                _ = try path.tcp(connections: 5, request: 10_000, response: 10_000)
                #expect(try path.ping(count: 5).clientReceived.messages == 5)
                #expect(try path.udp(count: 50, reply: 10).clientReceived.messages == 50)
            }
            try lab.finish()
            #expect(lab.monitor.drops.isEmpty)
            #expect(
                lab.monitor.accounts.allSatisfy { $0.ingress.denied.seen == .zero && $0.egress.denied.seen == .zero }
            )
        }

        /// Drops of another namespace on an interface of the same number are not counted, and neither are drops for reasons
        /// that are ignored.
        @Test func ignoresDropsOfOtherNamespacesAndReasons() throws {
            let lab = try DropLab()
            // The pods' interfaces have the numbers of the node's.
            let numbers = try [lab.a, lab.b].map { try $0.namespace.index(of: "eth0") }
            let watched = try ["calia", "calib"].map { try lab.node.index(of: $0) }
            #expect(!Set(numbers).isDisjoint(with: watched))
            try lab.b.namespace.nft(
                "table inet t { chain c { type filter hook input priority 0; udp dport 2000 counter drop; }; }"
            )
            try lab.attempt(.udp, from: lab.a.namespace, to: lab.b.namespace, at: lab.b.ipv4)
            let other = Packet.ethernet(
                destination: [2, 9, 9, 9, 9, 9],
                payload: Packet.udp(from: lab.a.ipv4, port: 1, to: lab.b.ipv4, port: 9)
            )
            let sender = try FrameSender("eth0", in: lab.a.namespace)
            try sender.send(other, times: 100_000)
            // No protocol has this number.
            try sender.send(Packet.ethernet(type: 0x88b5, payload: [UInt8](repeating: 0, count: 50)), times: 100_000)
            let counters = try lab.a.namespace.counters(of: "eth0")
            try lab.monitor.settle("calia", ingress: counters.sentPackets)
            try lab.finish()
            #expect(lab.monitor.drops.isEmpty)
            #expect(lab.monitor.droppedPackets.isEmpty)
        }
    }

    /// Drops while slots are claimed and freed.
    @Suite("Drops under load")
    struct DropLoadTests {
        /// Every flow pauses and resumes all the time, so that drops meet retired slots; the sum equals the firewall's, to
        /// the byte, in both directions.
        @Test func noDropIsLostWhenFlowsEnd() throws {
            let cable = try Cable()
            try cable.right.nft(
                """
                table inet weirtest {
                    chain input { type filter hook input priority 0; udp dport 1-65535 counter drop; }
                    chain output { type filter hook output priority 0; icmp type != 100 counter drop; }
                }
                """
            )
            var timeouts = FlowTimeouts()
            timeouts.udp = 0
            timeouts.icmp = 0
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024, timeouts: timeouts))
            let sweep = try FlowSweep(flows: 200, from: LabAddress("10.1.0.3"), to: LabAddress("10.1.0.2"))
            let frames = 300_000
            let left = cable.left
            let load = try BackgroundWork {
                let sender = try FrameSender("eth0", in: left)
                let echo = Packet.ip(
                    from: try LabAddress("10.1.0.1"),
                    to: try LabAddress("10.1.0.2"),
                    proto: 1,
                    payload: [8, 0, 0xf7, 0xfd, 0, 1, 0, 1]
                )
                for round in 0..<30 {
                    try sender.send(sweep.template, times: frames / 30) { frame, number in
                        sweep.change(&frame, (round * frames / 30 + number) / 64)
                    }
                    // The answers are dropped on their way out.
                    try sender.send(Packet.ethernet(payload: echo), times: 100)
                }
                return frames + 3000
            }
            #expect(
                try eventually {
                    try monitor.scan()
                    let counters = try left.counters(of: "eth0")
                    return counters.sentPackets + counters.dropped >= frames + 3000
                }
            )
            #expect(try load.value() == frames + 3000)
            try monitor.settle("eth0", ingress: try cable.right.counters(of: "eth0").receivedPackets)
            let words = try cable.right.command(["nft", "list", "ruleset"]).split(whereSeparator: \.isWhitespace)
            let counted = try words.indices.filter { words[$0] == "packets" }.map { place in
                TrafficCounters(
                    packets: try #require(UInt64(words[place + 1])),
                    bytes: try #require(UInt64(words[place + 3]))
                )
            }
            let missed = try monitor.perform { $0.unexaminedDrops.missed }
            try monitor.stop()
            #expect(missed == 0)
            let account = try monitor.account(of: "eth0")
            #expect(account.isBalanced)
            #expect(monitor.contradictions.isEmpty)
            try #require(counted.count == 2)
            #expect(account.ingress.denied.seen == counted[0])
            #expect(account.egress.denied.seen == counted[1])
            #expect(counted[1].packets > 0)
            let denied = monitor.drops.values.reduce(into: (TrafficCounters.zero, TrafficCounters.zero)) { sums, drop in
                sums.0 += drop.ingress
                sums.1 += drop.egress
            }
            #expect(denied.0 == counted[0])
            #expect(denied.1 == counted[1])
            #expect(monitor.births > 400, "\(monitor.births) births: flows were not cut")
        }
    }
}
