import CWeir
import FlowModel
import Testing

@testable import Datapath

/// A quiet flow of a protocol, and its timeout.
struct QuietFlow: Sendable, CustomTestStringConvertible {
    var name: String
    var frames: [(frame: [UInt8], direction: Direction)]
    /// The longest silence that does not end it, ms.
    var limit: UInt32

    var testDescription: String { name }

    private static func tcp(_ flags: UInt8) -> (frame: [UInt8], direction: Direction) {
        (Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: flags))), .ingress)
    }

    private static func answer(_ flags: UInt8) -> (frame: [UInt8], direction: Direction) {
        let segment = Frame.tcp(from: 443, to: 40000, flags: flags)
        let packet = Frame.ipv4(6, segment, source: Frame.server4, destination: Frame.client4)
        return (Frame.inIPv4(packet), .egress)
    }

    private static func packet(_ proto: UInt8, _ payload: [UInt8]) -> (frame: [UInt8], direction: Direction) {
        (Frame.inIPv4(Frame.ipv4(proto, payload)), .ingress)
    }

    private static let (fin, syn, rst, ack): (UInt8, UInt8, UInt8, UInt8) = (1, 2, 4, 16)

    static let all = [
        QuietFlow(name: "TCP, unanswered", frames: [tcp(syn), tcp(syn)], limit: 20_000),
        QuietFlow(name: "TCP, open", frames: [tcp(syn), answer(syn | ack), tcp(ack)], limit: 3_600_000),
        QuietFlow(name: "TCP, half closed", frames: [tcp(ack), answer(ack), tcp(fin | ack)], limit: 3_600_000),
        QuietFlow(name: "TCP, closed", frames: [tcp(fin | ack), answer(fin | ack), tcp(ack)], limit: 500),
        QuietFlow(name: "TCP, reset by the far end", frames: [tcp(syn), answer(rst | ack)], limit: 500),
        QuietFlow(name: "TCP, reset by the near end", frames: [answer(ack), tcp(rst)], limit: 500),
        QuietFlow(name: "UDP", frames: [packet(17, Frame.udp())], limit: 60_000),
        QuietFlow(name: "ICMP", frames: [packet(1, Frame.icmp(8))], limit: 20_000),
        QuietFlow(name: "ICMPv6", frames: [(Frame.inIPv6(Frame.ipv6(58, Frame.icmp(128))), .ingress)], limit: 20_000),
        QuietFlow(name: "SCTP", frames: [packet(132, Frame.sctp())], limit: 600_000),
        QuietFlow(name: "GRE", frames: [packet(47, [0, 0, 8, 0])], limit: 600_000),
    ]
}

extension KernelTests {
    @Suite("Flow end")
    struct FlowEndTests {
        private static let udp = Frame.inIPv4(Frame.ipv4(17, Frame.udp(payload: 72)))

        /// The clock wraps on the way, as it does every 50 days.
        @Test(arguments: QuietFlow.all)
        func quietFlowEndsAfterTimeout(_ flow: QuietFlow) throws {
            let counter = try TestRunCounter.fresh()
            for (frame, direction) in flow.frames { try counter.run(frame, direction) }
            // The reader stores odd times only: one millisecond either way does not matter.
            let start = UInt32.max - 100
            let birth = try counter.scan(now: start)
            #expect(birth.births.count == 1)
            #expect(try counter.scan(now: start &+ flow.limit - 2).isEmpty)
            #expect(counter.usedSlots.count == 1)
            let end = try counter.scan(now: start &+ flow.limit + 2)
            #expect(end.ends == birth.births.map(\.flowID))
            #expect(end.births.isEmpty && end.deltas.isEmpty)
            #expect(counter.usedSlots.isEmpty)
            #expect(counter.reader.live == 0)
        }

        private static func tcp(_ flags: UInt8, isAnswer: Bool = false) -> [UInt8] {
            guard isAnswer else { return Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: flags))) }
            let segment = Frame.tcp(from: 443, to: 40000, flags: flags)
            return Frame.inIPv4(Frame.ipv4(6, segment, source: Frame.server4, destination: Frame.client4))
        }

        /// A stray RST ends the flow, not the connection: the next flow is a resumed one with the same initiator.
        @Test func connectionResumesAfterStrayReset() throws {
            let counter = try TestRunCounter.fresh()
            let (syn, rst, ack): (UInt8, UInt8, UInt8) = (2, 4, 16)
            try counter.run(Self.tcp(syn, isAnswer: true), .egress)
            try counter.run(Self.tcp(syn | ack))
            let birth = try #require(try counter.scan(now: 1000).births.first)
            #expect(birth.marks.nearOpened == false)
            #expect(!birth.resumed)
            for round in 1...3 as ClosedRange<UInt32> {
                try counter.run(Self.tcp(rst))
                _ = try counter.scan(now: round * 10_000)
                #expect(try counter.scan(now: round * 10_000 + 600).ends.count == 1)
                try counter.run(Self.tcp(ack))
                let next = try #require(try counter.scan(now: round * 10_000 + 4000).births.first)
                #expect(next.resumed && !next.joined)
                #expect(next.marks.nearOpened == false)
            }
            // The same ports, and another connection.
            try counter.run(Self.tcp(rst))
            _ = try counter.scan(now: 50_000)
            #expect(try counter.scan(now: 51_000).ends.count == 1)
            try counter.run(Self.tcp(syn))
            let other = try #require(try counter.scan(now: 52_000).births.first)
            #expect(!other.resumed)
            #expect(other.marks.nearOpened == true)
        }

        /// For UDP, the initiator is kept for as long as connection tracking keeps it.
        @Test(arguments: [(90_000 as UInt32, true), (130_000, false)])
        func udpInitiatorExpiresAfterLimit(row: (pause: UInt32, isKnown: Bool)) throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp, .egress)
            let key = try #require(try counter.scan(now: 1001).births.first).key
            #expect(try counter.scan(now: 62_000).ends.count == 1)
            try counter.run(
                Frame.inIPv4(
                    Frame.ipv4(
                        17,
                        Frame.udp(from: key.nearPort, to: key.farPort),
                        source: Frame.server4,
                        destination: Frame.client4
                    )
                ),
                .ingress
            )
            let birth = try #require(try counter.scan(now: 1001 + row.pause).births.first)
            #expect(birth.key == key)
            #expect(birth.marks.nearOpened == (row.isKnown ? false : nil))
            #expect(!birth.resumed)
        }

        @Test func activeFlowDoesNotEnd() throws {
            let counter = try TestRunCounter.fresh()
            for now in stride(from: 1000 as UInt32, to: 400_000, by: 59_000) {
                try counter.run(Self.udp)
                #expect(try counter.scan(now: now).ends.isEmpty)
            }
            #expect(counter.usedSlots.count == 1)
        }

        /// A free slot holds nothing of its previous flow.
        @Test func freedSlotIsReused() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp, times: 3)
            let slot = try #require(counter.usedSlots.first)
            #expect(counter.isOccupied(slot))
            _ = try counter.scan(ending: true)
            #expect(!counter.isOccupied(slot))
            let isZero = withUnsafeBytes(of: counter.table.slots[slot].pointee) { $0.allSatisfy { $0 == 0 } }
            #expect(isZero)
            // The same flow comes back into the same slot, and is a new one.
            try counter.run(Self.udp)
            #expect(counter.usedSlots == [slot])
            #expect(counter.isOccupied(slot))
            let again = try counter.scan()
            #expect(again.births.map(\.flowID) == [UInt32(slot)])
            #expect(again.ingress == TrafficCounters(packets: 1, bytes: 100))
            _ = try counter.scan(ending: true)
            // Another flow, whose window holds the slot.
            for port in 1...UInt16.max {
                try counter.run(Frame.inIPv4(Frame.ipv4(17, Frame.udp(from: port))))
                let batch = try counter.scan(ending: true)
                let birth = try #require(batch.births.first)
                #expect(birth.key.nearPort == port)
                #expect(batch.ingress == TrafficCounters(packets: 1, bytes: 28))
                if birth.flowID == slot { return }
            }
            Issue.record("no flow came into slot \(slot)")
        }

        /// A program that found the slot before it was retired may add to it until the grace period is over; a later one
        /// passes over it.
        @Test func countsPacketsDuringGracePeriod() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp, times: 3)
            let slot = counter.table.slots[try #require(counter.usedSlots.first)]
            var stateInBetween: UInt8?
            var isSent = false
            let batch = try counter.scan(ending: true) { () throws(DatapathError) in
                stateInBetween = slot.pointee.state
                slot.pointee.lane.0 += 2 << UInt64(WEIR_LANE_BYTES_BITS) | 200
                isSent = (try? counter.run(Self.udp)) != nil
            }
            #expect(isSent)
            #expect(stateInBetween == WEIR_SLOT_RETIRED_V4.rawValue)
            #expect(batch.ingress == TrafficCounters(packets: 5, bytes: 500))
            #expect(batch.ends == batch.births.map(\.flowID))
            let next = try counter.scan(ending: true)
            #expect(next.ingress == TrafficCounters(packets: 1, bytes: 100))
            #expect(next.births.count == 1 && next.births != batch.births)
        }

        @Test func removedInterfaceEndsOnlyItsFlows() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp)
            let surroundings = FlowTableReader.Surroundings(
                now: 1,
                started: 0,
                roles: Array(repeating: .host, count: Int(WEIR_MAX_INTERFACES)),
                gone: [counter.position + 1]
            )
            try counter.reader.scan(surroundings, fence: {}) { #expect($0.ends.isEmpty) }
            #expect(counter.usedSlots.count == 1)
            #expect(try counter.scan(ending: true).ends.count == 1)
            #expect(counter.usedSlots.isEmpty)
        }

        /// After the deadline, packets of new flows are added up by interface, or as unreported where the flow is not the
        /// host's own; known flows and later packets are counted as usual.
        @Test(arguments: [nil, .elsewhere, .transit] as [FlowRemainder.Unreported?])
        func expeditedScanSumsNewFlowsIntoRemainder(_ unreported: FlowRemainder.Unreported?) throws {
            let counter = try TestRunCounter.fresh()
            let udp = { (port: UInt16) in Frame.inIPv4(Frame.ipv4(17, Frame.udp(from: port))) }
            try counter.run(udp(1), times: 2)
            #expect(try counter.scan().births.count == 1)
            for port in 1..<41 as Range<UInt16> { try counter.run(udp(port), times: 3) }
            let local = IPAddress(10, 9, 8, 7)
            var surroundings = FlowTableReader.Surroundings(
                now: 2,
                started: 0,
                roles: Array(repeating: .host, count: Int(WEIR_MAX_INTERFACES))
            )
            surroundings.deadline = ExpeditedFlows.Deadline(
                isOver: { true },
                unreported: { _ in unreported },
                local: { $0 == counter.position ? local : nil }
            )
            var all = FlowBatch()
            try counter.reader.scan(surroundings, fence: {}) { all.append($0) }
            #expect(all.births.isEmpty)
            #expect(all.deltas.map(\.ingress.packets) == [3])
            #expect(all.remainders.map(\.ingress.packets) == [39 * 3])
            #expect(all.remainders.map(\.unreported) == [unreported])
            #expect(all.remainders.map(\.local) == [unreported == nil ? local : nil])
            #expect(counter.account(.ingress).flows.packets == 2 + 40 * 3)
            try counter.run(udp(40))
            let next = try counter.scan(now: 3)
            #expect(next.ingress.packets == 1)
            #expect(next.births.count == 39)
        }

        /// With more than three quarters of the borrowable slots in use, limits shrink for interfaces beyond their share.
        @Test func nearlyFullTableShortensTimeouts() throws {
            let counter = try TestRunCounter.fresh()
            var port: UInt16 = 1
            while counter.usedSlots.count < 400 {
                for _ in 0..<25 {
                    try counter.run(Frame.inIPv4(Frame.ipv4(17, Frame.udp(from: port))))
                    port += 1
                }
            }
            let used = counter.usedSlots.count
            #expect(try counter.scan(now: 1000).births.count == used)
            #expect(counter.reader.live == used)
            #expect(try counter.scan(now: 10_998).ends.isEmpty)
            #expect(try counter.scan(now: 11_002).ends.count == used)
            #expect(counter.usedSlots.isEmpty)
        }

        /// The first packet of TCP shows whether the connection ran before; UDP flows are assumed joined at the start only.
        @Test func marksJoinedConnections() throws {
            let tcp = { Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: $0))) }
            let cases: [(frame: [UInt8], isEarly: Bool, isJoined: Bool)] = [
                (tcp(2), true, false), (tcp(2), false, false), (tcp(0x12), true, false),
                (tcp(0x10), true, true), (tcp(0x10), false, true),
                (Self.udp, true, true), (Self.udp, false, false),
                (Frame.inIPv4(Frame.ipv4(1, Frame.icmp(8))), true, false),
            ]
            let counter = try TestRunCounter.fresh()
            for example in cases {
                try counter.run(example.frame)
                let started = example.isEarly ? Datapath.monotonicNow : 0
                let batch = try counter.scan(ending: true, started: started)
                #expect(batch.births.map(\.joined) == [example.isJoined], "\(example)")
            }
        }
    }
}
