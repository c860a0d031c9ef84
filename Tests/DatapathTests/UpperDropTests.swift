import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Packets that the kernel drops behind a bridge, a macvlan or a tunnel, beside the counters of the rule that dropped them.
    @Suite("Drops behind upper devices")
    struct UpperDropTests {
        /// A node with a device that stands on ports, and a peer behind each port.
        struct Place: Sendable, CustomTestStringConvertible {
            var testDescription: String
            /// The number of peers; the node's ports are p0, p1 and so on.
            var peers = 1
            /// The commands that make `upper` of the ports.
            var commands: [String]
        }

        private static let bridge = Place(
            testDescription: "bridge",
            peers: 2,
            commands: [
                "link add upper type bridge", "link set p0 master upper", "link set p1 master upper",
            ]
        )
        private static let macvlan = Place(
            testDescription: "macvlan",
            commands: ["link add link p0 name upper type macvlan mode bridge"]
        )

        /// A datapath on a node, and its peers.
        struct UpperLab {
            let node: NetworkNamespace
            let peers: [NetworkNamespace]
            let outside: NetworkNamespace
            let monitor: Monitor

            init(_ place: Place, _ configuration: DatapathConfiguration = DatapathConfiguration(tableSlots: 1024))
                throws
            {
                node = try NetworkNamespace()
                outside = try NetworkNamespace()
                var peers: [NetworkNamespace] = []
                for index in 0..<place.peers {
                    let peer = try NetworkNamespace()
                    peers.append(peer)
                    _ = try VethPair(
                        VethEnd(node, interface: "p\(index)", hardwareAddress: "02:00:00:00:01:0\(index)"),
                        VethEnd(
                            peer,
                            addresses: ["10.9.0.\(index + 2)/24", "fd09::\(index + 2)/64"],
                            hardwareAddress: "02:00:00:00:02:0\(index)"
                        )
                    )
                    try peer.ipBatch([
                        "link set eth0 arp on", "link set eth0 multicast on",
                        "route add default via 10.9.0.1", "route add default via fd09::1",
                    ])
                }
                self.peers = peers
                _ = try VethPair(
                    VethEnd(node, interface: "out0", addresses: ["10.8.0.1/24", "fd08::1/64"]),
                    VethEnd(outside, addresses: ["10.8.0.2/24", "fd08::2/64"])
                )
                try node.ipBatch(
                    place.commands + [
                        "link set upper up",
                        "address add 10.9.0.1/24 dev upper", "address add fd09::1/64 dev upper nodad",
                    ]
                )
                try node.setSysctl("net.ipv4.ip_forward", "1")
                try node.setSysctl("net.ipv6.conf.all.forwarding", "1")
                monitor = try Monitor(in: node, configuration)
            }

            /// Sends datagrams that a rule of the node drops, and waits until the rule has counted them all.
            func send(
                from client: NetworkNamespace,
                to server: NetworkNamespace,
                at address: String,
                count: Int = 30
            ) throws {
                let expected = try node.firewallCount().packets + UInt64(count)
                try attempt(
                    TrafficPath(from: client, to: server, at: try LabAddress(address), timeout: .milliseconds(20)),
                    count
                )
                let isThrough = try eventually { try node.firewallCount().packets >= expected }
                #expect(isThrough)
            }

            /// Where a packet is refused on its way out the sender gets an error; that is not a failure here.
            private func attempt(_ path: TrafficPath, _ count: Int) throws {
                do {
                    _ = try path.udp(count: count, port: 2000, sourcePort: 3000)
                } catch LabError.system(_, EPERM) {}
            }

            /// The Ethernet address of the upper device.
            func hardwareAddress() throws -> [UInt8] {
                let words = try node.command(["ip", "-br", "link", "show", "upper"]).split(separator: " ")
                let text = try #require(words.first { $0.count == 17 && $0.contains(":") })
                return text.split(separator: ":").compactMap { UInt8($0, radix: 16) }
            }

            /// Drops UDP port 2000 in a hook.
            func drop(_ hook: String) throws {
                try node.nft(
                    """
                    flush ruleset
                    table inet weirtest {
                        chain \(hook) { type filter hook \(hook) priority 0; udp dport 2000 counter drop; }
                    }
                    """
                )
            }

            /// Reads until the datapath has counted as many denied packets as the firewall.
            func settle() throws -> TrafficCounters {
                var counted = TrafficCounters.zero
                let isSettled = try eventually {
                    counted = try node.firewallCount()
                    try monitor.scan()
                    return denied.packets >= counted.packets
                }
                #expect(isSettled, "\(monitor.drops) of \(counted)")
                return counted
            }

            var denied: TrafficCounters {
                monitor.drops.values.reduce(.zero) { $0 + $1.ingress + $1.uncounted + $1.egress }
            }

            /// The flows that something was denied of.
            var deniedFlows: [FlowKey: Dropped] { monitor.drops.filter(\.value.isDenied) }

            /// Ends the datapath; everything must add up.
            func finish() throws {
                try monitor.stop()
                #expect(monitor.contradictions.isEmpty)
                #expect(monitor.accounts.allSatisfy { $0.isBalanced }, "\(monitor.accounts)")
                let denied = monitor.accounts.reduce(TrafficCounters.zero) {
                    $0 + $1.ingress.denied.seen + $1.egress.denied.seen
                }
                #expect(denied == self.denied)
            }
        }

        /// The packet was counted at the port, and is denied there.
        @Test(arguments: [bridge, macvlan], ["input", "forward"])
        func packetIsDeniedAtIngressPort(_ place: Place, _ hook: String) throws {
            let lab = try UpperLab(place)
            try lab.drop(hook)
            let peer = try #require(lab.peers.last)
            let last = lab.peers.count - 1
            for isIPv6 in [false, true] {
                if hook == "input" {
                    try lab.send(from: peer, to: lab.node, at: isIPv6 ? "fd09::1" : "10.9.0.1")
                } else {
                    try lab.send(from: peer, to: lab.outside, at: isIPv6 ? "fd08::2" : "10.8.0.2")
                }
            }
            let counted = try lab.settle()
            try lab.finish()
            let port = try lab.node.index(of: "p\(last)")
            #expect(lab.deniedFlows.count == 2)
            var sum = TrafficCounters.zero
            for (key, dropped) in lab.deniedFlows {
                #expect(key.interfaceIndex == port)
                #expect(key.farPort == 2000)
                #expect(dropped.decisions == ["NETFILTER_DROP"])
                #expect(dropped.ingress == lab.monitor.flows[key]?.ingress)
                sum += dropped.ingress
            }
            #expect(sum == counted)
        }

        /// Two ports with the same addresses: each has what it sent.
        @Test func equalTuplesOnTwoPortsAreSeparate() throws {
            let lab = try UpperLab(Self.bridge)
            try lab.drop("input")
            let packet = Packet.udp(
                from: try LabAddress("10.9.0.2"),
                port: 3000,
                to: try LabAddress("10.9.0.1"),
                port: 2000,
                payload: [1, 2, 3]
            )
            let mac = try lab.hardwareAddress()
            for (index, peer) in lab.peers.enumerated() {
                let frame = Packet.ethernet(
                    destination: mac,
                    source: [2, 0, 0, 0, 2, UInt8(index)],
                    payload: packet
                )
                try FrameSender("eth0", in: peer).send(frame, times: 10 * (index + 1))
            }
            _ = try eventually { try lab.node.firewallCount().packets >= 30 }
            let counted = try lab.settle()
            try lab.finish()
            #expect(counted.packets == 30)
            let byPort = Dictionary(uniqueKeysWithValues: lab.deniedFlows.map { ($0.key.interfaceIndex, $0.value) })
            let (first, second) = (try lab.node.index(of: "p0"), try lab.node.index(of: "p1"))
            #expect(byPort[first]?.ingress.packets == 10)
            #expect(byPort[second]?.ingress.packets == 20)
        }

        /// The packet was counted outside of the table, and is denied there.
        @Test func overflowPacketIsDeniedAtItsPort() throws {
            let lab = try UpperLab(Self.bridge)
            try lab.drop("input")
            let mac = try lab.hardwareAddress()
            let sender = try FrameSender("eth0", in: try #require(lab.peers.first))
            for source in 0..<4000 {
                let packet = Packet.udp(
                    from: try LabAddress("10.9.0.2"),
                    port: UInt16(10_000 + source),
                    to: try LabAddress("10.9.0.1"),
                    port: 2000
                )
                try sender.send(Packet.ethernet(destination: mac, source: [2, 0, 0, 0, 2, 0], payload: packet))
            }
            _ = try eventually { try lab.node.firewallCount().packets >= 4000 }
            let counted = try lab.settle()
            try lab.finish()
            #expect(counted.packets == 4000)
            let account = try lab.monitor.account(of: "p0").ingress
            #expect(account.denied.seen == counted)
            #expect(account.overflow.packets > 0)
            #expect(lab.deniedFlows.values.reduce(.zero) { $0 + $1.ingress } == counted)
        }

        /// A packet that was to leave has no port yet: it is counted at the upper device, or in its flow if there is one
        /// already.
        @Test func outgoingPacketIsDeniedAtUpperDevice() throws {
            let lab = try UpperLab(Self.bridge)
            // The sender gets an error for each packet, and stops.
            try lab.drop("output")
            for _ in 0..<10 { try lab.send(from: lab.node, to: lab.peers[1], at: "10.9.0.3", count: 1) }
            let counted = try lab.settle()
            #expect(counted.packets == 10)
            try lab.node.nft("flush ruleset")
            let path = TrafficPath(from: lab.node, to: lab.peers[1], at: try LabAddress("fd09::3"))
            #expect(try path.udp(count: 5, port: 2000, sourcePort: 3000).serverReceived.messages == 5)
            try lab.drop("postrouting")
            for _ in 0..<10 { try lab.send(from: lab.node, to: lab.peers[1], at: "fd09::3", count: 1) }
            _ = try eventually {
                try lab.monitor.scan()
                return lab.denied.packets >= 20
            }
            try lab.finish()
            let (upper, port) = (try lab.node.index(of: "upper"), try lab.node.index(of: "p1"))
            #expect(lab.deniedFlows.count == 2)
            for (key, dropped) in lab.deniedFlows {
                #expect(key.interfaceIndex == (key.near.isIPv4 ? upper : port))
                #expect(dropped.egress.packets == 10)
                #expect(key.nearPort == 2000)
            }
            let account = try lab.monitor.account(of: "upper")
            #expect(account.egress.denied.flows == counted)
            #expect(account.egress.seen == .zero)
        }

        /// Drops of packets that came through a port that is not selected are ignored.
        @Test func dropsOfUnwatchedPortAreIgnored() throws {
            var configuration = DatapathConfiguration(tableSlots: 1024)
            configuration.interfaces = InterfaceSelection(include: ["p0"])
            let lab = try UpperLab(Self.bridge, configuration)
            try lab.drop("input")
            try lab.send(from: lab.peers[1], to: lab.node, at: "10.9.0.1")
            try lab.send(from: lab.peers[0], to: lab.node, at: "10.9.0.1", count: 7)
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.denied.packets >= 7
            }
            #expect(isSettled)
            try lab.finish()
            let port = try lab.node.index(of: "p0")
            #expect(lab.deniedFlows.map { $0.key.interfaceIndex } == [port])
            #expect(lab.denied.packets == 7)
        }

        /// The devices below a tunnel count other packets, so the tunnel itself is watched.
        @Test func tunnelledPacketIsDeniedAtTunnel() throws {
            let tunnel = Place(
                testDescription: "vxlan",
                commands: [
                    "address add 10.7.0.1/24 dev p0",
                    "link add upper type vxlan id 7 dstport 4789 local 10.7.0.1 remote 10.7.0.2 dev p0",
                    "neighbour replace 10.7.0.2 dev p0 lladdr 02:00:00:00:02:00 nud permanent",
                ]
            )
            let lab = try UpperLab(tunnel)
            let peer = lab.peers[0]
            try peer.ipBatch([
                "address flush dev eth0", "address add 10.7.0.2/24 dev eth0",
                "neighbour replace 10.7.0.1 dev eth0 lladdr 02:00:00:00:01:00 nud permanent",
                "link add inner type vxlan id 7 dstport 4789 local 10.7.0.2 remote 10.7.0.1 dev eth0",
                "link set inner up", "address add 10.9.0.2/24 dev inner",
            ])
            try lab.drop("input")
            try lab.send(from: peer, to: lab.node, at: "10.9.0.1")
            let counted = try lab.settle()
            try lab.finish()
            let upper = try lab.node.index(of: "upper")
            let (key, dropped) = try #require(lab.deniedFlows.first)
            #expect(key.interfaceIndex == upper)
            #expect(dropped.ingress == counted)
            #expect(lab.monitor.flows[key]?.ingress == counted)
        }
    }
}
