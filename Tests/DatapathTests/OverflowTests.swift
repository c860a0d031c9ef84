import FlowModel
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// A hundred times more flows than the table holds.
    @Suite("Overflow")
    struct OverflowTests {
        private static let flows = 100_000
        /// IP, UDP and 18 bytes of payload.
        private static let packetSize = 46

        /// The receiving side of a cable, where everything that arrives is counted three times.
        private struct Receiver {
            let cable: Cable
            let monitor: Monitor

            init(ringBytes: Int) throws {
                cable = try Cable()
                try cable.right.nft(
                    """
                    table ip weirtest {
                        chain input { type filter hook input priority 0; counter drop; }
                    }
                    """
                )
                // Sources of all over 10.200.0.0/16 come from the other end.
                try cable.right.ip("route replace default via 10.1.0.1 dev eth0")
                monitor = try Monitor(
                    in: cable.right,
                    DatapathConfiguration(tableSlots: 1024, ringBytes: ringBytes)
                )
            }

            /// Sends one packet of each flow.
            func receive() throws {
                let sweep = try FlowSweep(
                    flows: OverflowTests.flows,
                    from: LabAddress("10.200.0.250"),
                    to: LabAddress("10.1.0.2")
                )
                try FrameSender("eth0", in: cable.left).send(sweep, count: OverflowTests.flows)
                try finish()
            }

            /// Waits until all that was sent is through, without reading, and detaches.
            func finish() throws {
                let sent = try cable.left.counters(of: "eth0").sentPackets
                let isThrough = try eventually { try firewallPackets() == sent }
                #expect(isThrough)
                try monitor.stop()
            }

            /// Packets that the firewall of the receiving side counted.
            func firewallPackets() throws -> UInt64 {
                let words = try cable.right.command(["nft", "list", "chain", "ip", "weirtest", "input"])
                    .split(whereSeparator: \.isWhitespace)
                let place = try #require(words.firstIndex(of: "packets"))
                return try #require(UInt64(words[place + 1]))
            }

            /// Checks the rules that hold for every overflow.
            func check() throws -> DirectionAccount {
                let account = try monitor.account(of: "eth0").ingress
                #expect(account.isBalanced)
                let counters = try cable.right.counters(of: "eth0")
                #expect(account.skb.packets == counters.receivedPackets)
                #expect(account.skb.bytes == counters.receivedBytes)
                #expect(account.seen.packets == (try firewallPackets()))
                #expect(account.seen.bytes == account.seen.packets * UInt64(OverflowTests.packetSize))
                // The firewall dropped each of them: that is reported, too, in the flow or through the ring.
                #expect(account.denied.seen == account.seen)
                let denied = monitor.drops.values.reduce(TrafficCounters.zero) { $0 + $1.ingress }
                #expect(denied == account.denied.flows + account.denied.overflow)
                #expect(account.notIP == .zero && account.unparsed == .zero)
                // Half of the table, and the interface's share.
                #expect(account.flows.packets > 500 && account.flows.packets <= 512 + 8)
                // The reported flows equal the account's counts in flows.
                let handedOut = monitor.flows.values.reduce(TrafficCounters.zero) { $0 + $1.ingress }
                #expect(handedOut == account.flows + account.overflow)
                let remainder = monitor.remainders.values.reduce(TrafficCounters.zero) { $0 + $1.ingress }
                #expect(remainder == account.remainder)
                let deniedRemainder = monitor.remainders.values.reduce(TrafficCounters.zero) { $0 + $1.deniedIngress }
                #expect(deniedRemainder == account.denied.remainder)
                #expect(monitor.contradictions.isEmpty)
                return account
            }
        }

        @Test func largeRingLosesNothing() throws {
            let receiver = try Receiver(ringBytes: 32 << 20)
            try receiver.receive()
            let account = try receiver.check()
            let sent = try receiver.cable.left.counters(of: "eth0")
            #expect(account.remainder == .zero)
            #expect(account.denied.remainder == .zero)
            #expect(sent.sentPackets + sent.dropped == Self.flows)
            #expect(account.seen.packets == sent.sentPackets)
            #expect(receiver.monitor.flows.count == Int(account.seen.packets))
            #expect(receiver.monitor.births == Int(account.seen.packets))
        }

        @Test func fullRingReportsRemainder() throws {
            let receiver = try Receiver(ringBytes: 4096)
            try receiver.receive()
            let account = try receiver.check()
            // An event is 64 bytes with a header of 8, and the ring was not read meanwhile: 29 of them reach its half.
            #expect(account.overflow.packets + account.denied.overflow.packets == 29)
            #expect(
                account.remainder.packets == account.seen.packets - account.flows.packets - account.overflow.packets
            )
            #expect(account.denied.remainder.packets > 0)
            #expect(account.remainder.bytes == account.remainder.packets * UInt64(Self.packetSize))
            let reported = try #require(receiver.monitor.remainders.values.first)
            #expect(reported.role == .host)
            #expect(reported.local == IPAddress(10, 1, 0, 2))
        }

        /// The agent is woken before the ring is full, and the events that it reads meanwhile are in the flows.
        @Test func wakesReaderBeforeRingIsFull() throws {
            let receiver = try Receiver(ringBytes: 1 << 20)
            let ring = try receiver.monitor.perform { $0.descriptors.overflow }
            let left = receiver.cable.left
            let load = try BackgroundWork {
                let sweep = try FlowSweep(
                    flows: Self.flows,
                    from: LabAddress("10.200.0.250"),
                    to: LabAddress("10.1.0.2")
                )
                // 8 MB of events pass through a ring of 1 MB.
                let sender = try FrameSender("eth0", in: left)
                return try sender.send(sweep, count: Self.flows).messages
            }
            var wakeups = 0
            #expect(
                try eventually {
                    if isReadable(ring, within: 1) {
                        wakeups += 1
                        try receiver.monitor.perform { _ = $0.drainOverflow() }
                    }
                    let counters = try left.counters(of: "eth0")
                    return counters.sentPackets + counters.dropped >= Self.flows
                }
            )
            _ = try load.value()
            try receiver.finish()
            let account = try receiver.check()
            #expect(wakeups > 0)
            #expect(account.overflow.packets > 1 << 20 / 80)
        }

        /// Packets of one flow that find no slot are one flow, in both directions, with the marks of all of them.
        @Test func mergesOverflowPacketsOfOneFlow() throws {
            let cable = try Cable()
            let monitor = try Monitor(in: cable.right, DatapathConfiguration(tableSlots: 1024))
            let full = try FlowSweep(flows: 30_000, from: LabAddress("10.1.0.3"), to: LabAddress("10.1.0.2"))
            let sender = try FrameSender("eth0", in: cable.left)
            // The table is full of flows that live for a minute; ICMP errors that answer them go the other way.
            try sender.send(full, count: 30_000)
            try monitor.settle("eth0", ingress: try cable.left.counters(of: "eth0").sentPackets)
            let (near, far) = (try LabAddress("10.1.0.1"), try LabAddress("10.1.0.2"))
            let occupancy = try monitor.perform { $0.occupancy }
            #expect(occupancy.live > 500)
            let ports = (1...50).map { UInt16($0) }
            for port in ports {
                try sender.send(
                    Packet.ethernet(payload: Packet.tcp(from: near, port: port, to: far, port: 9, flags: 2))
                )
            }
            try monitor.settle("eth0", ingress: try cable.left.counters(of: "eth0").sentPackets)
            try monitor.stop()
            let account = try monitor.account(of: "eth0")
            #expect(account.isBalanced)
            #expect(account.egress.overflow != .zero)
            for port in ports {
                let traffic = try #require(
                    monitor.flows.first { $0.key.proto == .tcp && $0.key.nearPort == port }?.value
                )
                // Each SYN is answered with a reset.
                #expect(traffic.ingress == TrafficCounters(packets: 1, bytes: 40))
                #expect(traffic.egress == TrafficCounters(packets: 1, bytes: 40))
            }
        }
    }
}
