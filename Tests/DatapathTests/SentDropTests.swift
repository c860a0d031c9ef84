import CWeir
import FlowModel
import ForeignPrograms
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Packets that a program drops on egress behind Weir's own: they were counted as sent, but were not.
    @Suite("Drops behind the egress program")
    struct SentDropTests {
        /// The program that drops.
        enum Dropper: CaseIterable, Sendable {
            /// A clsact filter, which runs after TCX.
            case filter
            /// A TCX program that was put behind all others.
            case program
        }

        /// Forwarded packets are denied where they came in, those of this host where they were to leave; neither has left.
        @Test(arguments: Dropper.allCases)
        func egressDropsBehindWeirAreDeniedNotSent(_ dropper: Dropper) throws {
            let lab = try DropLab(DatapathConfiguration(tableSlots: 1024, attachMode: .tcx))
            let before = try lab.node.counters(of: "calib")
            let remove = try Self.attach(dropper, to: "calib", in: lab.node)
            for proto in [TestProtocol.udp, .tcp] {
                try lab.attempt(proto, from: lab.a.namespace, to: lab.b.namespace, at: lab.b.ipv4)
                try lab.attempt(proto, from: lab.a.namespace, to: lab.b.namespace, at: lab.b.ipv6)
            }
            try lab.attempt(.udp, from: lab.node, to: lab.b.namespace, at: lab.b.ipv6)
            let isSettled = try eventually {
                try lab.monitor.scan()
                return lab.deniedTransport.values.reduce(0) { $0 + $1.ingress.packets + $1.egress.packets } >= 92
            }
            #expect(isSettled)
            let denied = lab.deniedTransport
            try remove()
            // Later traffic is counted as before.
            let path = TrafficPath(from: lab.a.namespace, to: lab.b.namespace, at: lab.b.ipv4)
            #expect(try path.udp(count: 3, size: 100, port: 2001, sourcePort: 3001).serverReceived.messages == 3)
            let counters = try lab.node.counters(of: "calib")
            try lab.finish()
            #expect(lab.deniedTransport == denied)
            #expect(denied.count == 5)
            let nodeAddress = try IPAddress(lab.network.nodeIPv6)
            let index = try (a: lab.node.index(of: "calia"), b: lab.node.index(of: "calib"))
            for (key, dropped) in denied {
                #expect(dropped.decisions == ["TC_EGRESS"])
                if key.far == nodeAddress {
                    #expect(key.interfaceIndex == index.b)
                    #expect(dropped.egress == TrafficCounters(packets: 30, bytes: 30 * 148))
                } else {
                    #expect(key.interfaceIndex == index.a)
                    #expect(dropped.ingress == lab.monitor.flows[key]?.ingress)
                    #expect(dropped.egress == .zero)
                }
            }
            // No dropped packet is counted as sent: the interface's flows have only the allowed traffic.
            let sent = lab.monitor.flows.filter { $0.key.interfaceIndex == index.b && $0.value.egress != .zero }
            #expect(sent.allSatisfy { $0.key.nearPort == 2001 || $0.key.proto != .udp && $0.key.proto != .tcp })
            let born = lab.monitor.marks.keys.filter { $0.interfaceIndex == index.b && $0.nearPort == 2000 }
            #expect(born.count == 1 && born.first?.far == nodeAddress, "\(born)")
            let account = try lab.monitor.account(of: "calib").egress
            #expect(account.skb.packets == counters.sentPackets - before.sentPackets)
            #expect(account.skb.bytes == counters.sentBytes - before.sentBytes)
        }

        /// Packets that a program in front of Weir's drops were never counted, and nothing is subtracted for them.
        ///
        /// After that program is removed, which no event reports, drops behind Weir's program are subtracted.
        @Test func dropsBeforeWeirAreNotSubtracted() throws {
            let lab = try LabNetwork(pods: ["a", "b"])
            let pod = try lab.pod("b")
            var front: AttachedProgram? = try DroppingProgram.tcx(isEgress: true).attach(to: "calib", in: lab.node)
            let monitor = try Monitor(in: lab.node, DatapathConfiguration(tableSlots: 1024, attachMode: .tcx))
            let path = TrafficPath(from: lab.node, to: pod.namespace, at: pod.ipv4, timeout: .milliseconds(20))
            func send(_ count: Int) throws {
                do { _ = try path.udp(count: count, size: 100, port: 2000, sourcePort: 3000) } catch LabError.system(
                    _,
                    EPERM
                ) {}
            }
            func sent() throws -> TrafficCounters {
                try monitor.scan()
                return try monitor.account(of: "calib").egress.skb
            }
            try send(30)
            #expect(try sent() == .zero)
            withExtendedLifetime(front) {}
            front = nil
            try DroppingProgram.clsact(isEgress: true).attach(to: "calib", in: lab.node)
            let isNoticed = try eventually {
                let before = try sent()
                try send(1)
                return try sent() == before
            }
            #expect(isNoticed)
            let before = try sent()
            try send(30)
            #expect(try sent() == before)
            try monitor.stop()
            #expect(monitor.accounts.allSatisfy { $0.isBalanced }, "\(monitor.accounts)")
        }

        // MARK: Between count and drop

        /// A scan that falls between the count of a packet and its drop does not report the packet.
        @Test(arguments: [0, 2] as [Int32])
        func scanBetweenCountAndDropReportsNothing(_ before: Int32) throws {
            let counter = try TestRunCounter.fresh()
            let frame = Self.frame
            counter.reader = try counter.reader(waiting: true)
            if before > 0 {
                try counter.run(frame, .egress, times: before)
                #expect(try counter.scan().egress == TrafficCounters(packets: 2, bytes: 2 * 128))
            }
            try counter.run(frame, .egress)
            let slot = try #require(counter.usedSlots.first)
            let batch = try counter.scan(fence: { counter.takeBack(slot, packets: 1, bytes: 128) })
            #expect(batch.births.isEmpty)
            #expect(batch.egress == .zero)
            #expect(
                counter.account(.egress).flows == TrafficCounters(packets: UInt64(before), bytes: UInt64(before) * 128)
            )
            // All packets that follow are reported.
            try counter.run(frame, .egress, times: 3)
            let next = try counter.scan()
            #expect(next.births.count == (before > 0 ? 0 : 1))
            #expect(next.egress == TrafficCounters(packets: 3, bytes: 3 * 128))
            #expect(try counter.scan(ending: true).ends.count == 1)
            counter.reader = try counter.reader(waiting: false)
        }

        /// A slot whose only packets were dropped is freed, and its flow is not reported.
        @Test(arguments: [false, true])
        func emptySlotIsFreed(isEnding: Bool) throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.frame, .egress, times: 2)
            let slot = try #require(counter.usedSlots.first)
            counter.takeBack(slot, packets: 2, bytes: 256)
            if !isEnding {
                #expect(try counter.scan().isEmpty)
                #expect(counter.usedSlots == [slot])
            }
            #expect(try counter.scan(ending: isEnding).isEmpty)
            #expect(counter.usedSlots.isEmpty)
            #expect(counter.table.shares.usedSlots == 0)
        }

        /// Packets that arrive while the slot is being freed are reported.
        @Test(arguments: [false, true])
        func reportsPacketsThatArriveWhileFreeing(isEnding: Bool) throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.frame, .egress)
            let slot = try #require(counter.usedSlots.first)
            counter.takeBack(slot, packets: 1, bytes: 128)
            _ = try counter.scan()
            // By a program that had found the slot before it was retired.
            var reported = try counter.scan(
                ending: isEnding,
                fence: { counter.table.slots[slot].pointee.lane.1 = 1 << UInt64(WEIR_LANE_BYTES_BITS) | 128 }
            )
            if !isEnding { reported.append(try counter.scan()) }
            #expect(reported.births.count == 1)
            #expect(reported.egress == TrafficCounters(packets: 1, bytes: 128))
            #expect(reported.ends.count == (isEnding ? 1 : 0))
        }

        private static let frame = Packet.ethernet(
            payload: (try? Packet.udp(
                from: LabAddress("10.1.0.1"),
                port: 1,
                to: LabAddress("10.1.0.2"),
                port: 2,
                payload: [UInt8](repeating: 0, count: 100)
            )) ?? []
        )

        private static func attach(
            _ dropper: Dropper,
            to interface: String,
            in namespace: NetworkNamespace
        ) throws -> () throws -> Void {
            let program = dropper == .filter ? DroppingProgram.clsact(isEgress: true) : .tcx(isEgress: true)
            var attached: AttachedProgram? = try program.attach(to: interface, in: namespace)
            return {
                withExtendedLifetime(attached) {}
                attached = nil
                if dropper == .filter { try namespace.tc("qdisc del dev \(interface) clsact") }
            }
        }
    }
}

extension TestRunCounter {
    /// A reader that waits for the fence in every scan, as one does that reads drops; or one as at first.
    fileprivate func reader(waiting: Bool) throws -> FlowTableReader {
        FlowTableReader(
            table: try programs.table(),
            configuration: programs.configuration,
            timeouts: FlowTimeouts(),
            reasons: waiting ? [DropReason(name: "TC_EGRESS", isDecision: true)] : [],
            ended: ended
        )
    }

    /// Takes packets back as the program for drops does (`bpf/drop_sent.h`).
    fileprivate func takeBack(_ slot: Int, packets: UInt64, bytes: UInt64) {
        table.slots[slot].pointee.lane.1 -= packets << UInt64(WEIR_LANE_BYTES_BITS) | bytes
        table.dropped[slot >> Int(WEIR_OCCUPIED_SHIFT)].pointee |= 1 << UInt64(slot & 63)
    }
}

extension DropLab {
    /// The flows of UDP and TCP that something was denied of; the node's own neighbour discovery is none.
    fileprivate var deniedTransport: [FlowKey: Dropped] {
        deniedFlows.filter { $0.key.proto == .udp || $0.key.proto == .tcp }
    }
}
