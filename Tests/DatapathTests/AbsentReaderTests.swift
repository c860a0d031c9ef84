import CWeir
import FlowModel
import Glibc
import Lab
import Synchronization
import Testing

@testable import Datapath

extension KernelTests {
    /// No reader drains the table for a long time at full rate: lanes spill repeatedly, and nothing is lost.
    @Suite("Absent reader")
    struct AbsentReaderTests {
        /// The segments of a super-packet, as many as one of its size has: a lane is full after some 500,000 such packets.
        private static let segments: UInt32 = 130
        private static let frame = Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 0x10, payload: 100)))
        /// 20 bytes of IP header and 20 of TCP with each segment.
        private static let bytes: UInt64 = 140 + UInt64(segments - 1) * 40

        /// The CPUs change places, so that each counts in lanes of its own and beside those of the other.
        @Test func repeatedSpillsLoseNothing() throws {
            let counter = try TestRunCounter.fresh()
            let places = [(0, Direction.ingress), (1, .egress)]
            let workers = try places.map { processor, direction in
                let program = try counter.programs.program("weir_\(direction)")
                return try BackgroundWork {
                    for round in 0..<400 {
                        // Every eighth round runs on the other processor; no reader is there to change the lane's owner.
                        try ThreadAlone.keep(toProcessors: 1 << UInt64(round % 8 == 7 ? 1 - processor : processor))
                        _ = try ProgramTestRun.run(program, frame: Self.frame, gso: (1, Self.segments), times: 50_000)
                    }
                }
            }
            for worker in workers { try worker.value() }
            // Each direction of the interface has a flow of its own: source and destination did not change places.
            let slots = counter.usedSlots
            #expect(slots.count == 2)
            for slot in slots {
                let spills = counter.table.rest[slot].pointee.spills
                #expect(max(spills.0, spills.1) >= 2 * 30, "\(spills)")
            }
            let packets: UInt64 = 400 * 50_000
            let expected = TrafficCounters(packets: packets * UInt64(Self.segments), bytes: packets * Self.bytes)
            let batch = try counter.scan(ending: true)
            #expect(batch.ingress == expected)
            #expect(batch.egress == expected)
            #expect(counter.account(.ingress).isBalanced)
            #expect(counter.account(.egress).isBalanced)
        }
    }
}
