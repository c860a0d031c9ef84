import CWeir
import FlowModel
import Glibc
import Lab
import Synchronization
import Testing

@testable import Datapath

extension KernelTests {
    /// Lanes, their owners, and the counts of other processors beside them: exact at any time of reading.
    @Suite("Lanes and owners")
    struct FlowLaneTests {
        private static let udp = Frame.inIPv4(Frame.ipv4(17, Frame.udp(payload: 72)))
        private static let packet = TrafficCounters(packets: 1, bytes: 100)

        @Test func firstProcessorOwnsLaneOfDirection() throws {
            let counter = try TestRunCounter.fresh()
            try onProcessor(1) { try counter.run(Self.udp, times: 3) }
            let slot = try #require(counter.usedSlots.first)
            #expect(counter.owner(of: slot, .ingress) == 2)
            #expect(counter.owner(of: slot, .egress) == 0)
            #expect(counter.table.slots[slot].pointee.marks & WEIR_MARK_SHARED == 0)
            // The answer, seen by another processor.
            let reply = Frame.ipv4(
                17,
                Frame.udp(from: 53, to: 40000),
                source: Frame.server4,
                destination: Frame.client4
            )
            try onProcessor(0) { try counter.run(Frame.inIPv4(reply), .egress) }
            #expect(counter.owner(of: slot, .egress) == 1)
            #expect(counter.owner(of: slot, .ingress) == 2)
            let batch = try counter.scan()
            #expect(batch.ingress == TrafficCounters(packets: 3, bytes: 300))
            #expect(batch.egress == TrafficCounters(packets: 1, bytes: 28))
        }

        @Test func otherProcessorCountsOutsideLane() throws {
            let counter = try TestRunCounter.fresh()
            try onProcessor(0) { try counter.run(Self.udp, times: 3) }
            try onProcessor(1) { try counter.run(Self.udp, times: 4) }
            let slot = try #require(counter.usedSlots.first)
            #expect(counter.usedSlots.count == 1)
            #expect(counter.owner(of: slot, .ingress) == 1)
            #expect(counter.table.slots[slot].pointee.marks & WEIR_MARK_SHARED != 0)
            #expect(counter.table.rest[slot].pointee.packets.0 == 4)
            #expect(counter.table.rest[slot].pointee.bytes.0 == 400)
            #expect(try counter.scan().ingress == TrafficCounters(packets: 7, bytes: 700))
        }

        /// Two processors on one flow in one direction, and a reader beside them.
        @Test func twoProcessorsCountOneFlowExactly() throws {
            let counter = try TestRunCounter.fresh()
            let fence = try counter.programs.fence()
            let load = try PinnedLoad(on: counter.programs, Self.udp, processors: [[0], [1]])
            var counted = TrafficCounters.zero
            #expect(
                try eventually { () throws -> Bool in
                    counted += try counter.scan(fence: { () throws(DatapathError) in try fence.wait() }).ingress
                    return load.packets > 4_000_000
                }
            )
            let sent = try load.stop()
            counted += try counter.scan(ending: true).ingress
            #expect(counted == TrafficCounters(packets: sent, bytes: sent * 100))
            #expect(counter.account(.ingress).isBalanced)
        }

        /// Each thread goes from processor to processor, and the lanes are handed on behind them.
        @Test func countsMovingFlowExactly() throws {
            let counter = try TestRunCounter.fresh()
            let fence = try counter.programs.fence()
            let load = try PinnedLoad(on: counter.programs, Self.udp, processors: [[0, 1], [1, 0]])
            var counted = TrafficCounters.zero
            #expect(
                try eventually { () throws -> Bool in
                    counted += try counter.scan(fence: { () throws(DatapathError) in try fence.wait() }).ingress
                    return load.packets > 4_000_000
                }
            )
            let sent = try load.stop()
            counted += try counter.scan(ending: true).ingress
            #expect(counted == TrafficCounters(packets: sent, bytes: sent * 100))
            #expect(counter.account(.ingress).isBalanced)
        }

        /// One scan after a flow has moved, its new processor can own the lane; every packet is counted once.
        @Test func laneOwnerFollowsFlow() throws {
            let counter = try TestRunCounter.fresh()
            try onProcessor(0) { try counter.run(Self.udp, times: 10) }
            let slot = try #require(counter.usedSlots.first)
            _ = try counter.scan()
            try onProcessor(1) { try counter.run(Self.udp, times: 2000) }
            var duringGrace: UInt32?
            let moved = try counter.scan { () throws(DatapathError) in
                duringGrace = counter.owner(of: slot, .ingress)
                // Packets that arrive now find no owner, on any processor.
                try? onProcessor(0) { try counter.run(Self.udp, times: 3) }
            }
            #expect(duringGrace == UInt32(WEIR_OWNER_CHANGING))
            #expect(moved.ingress.packets == 2000)
            #expect(counter.owner(of: slot, .ingress) == 0)
            try onProcessor(1) { try counter.run(Self.udp, times: 5) }
            #expect(counter.owner(of: slot, .ingress) == 2)
            #expect(try counter.scan().ingress == TrafficCounters(packets: 8, bytes: 800))
            // A few packets on another processor do not change the owner.
            try onProcessor(1) { try counter.run(Self.udp, times: 5000) }
            try onProcessor(0) { try counter.run(Self.udp, times: 300) }
            #expect(try counter.scan().ingress.packets == 5300)
            #expect(counter.owner(of: slot, .ingress) == 2)
        }

        /// Where programs may interrupt each other no CPU owns a lane, and everything is exact nevertheless.
        @Test func preemptibleKernelHasNoLaneOwners() throws {
            let programs = try KernelPrograms(
                .flows,
                tableSlots: Int(WEIR_MIN_SLOTS),
                ringBytes: 4096,
                isPreemptible: true
            )
            let counter = try TestRunCounter(programs)
            let load = try PinnedLoad(on: counter.programs, Self.udp, processors: [[0], [1]])
            #expect(eventually { load.packets > 200_000 })
            let sent = try load.stop()
            let slot = try #require(counter.usedSlots.first)
            #expect(counter.owner(of: slot, .ingress) == 0)
            #expect(counter.table.slots[slot].pointee.lane.0 == 0)
            let counted = try counter.scan(ending: true).ingress
            #expect(counted == TrafficCounters(packets: sent, bytes: sent * 100))
            #expect(counter.account(.ingress).isBalanced)
        }

        /// 64 GiB or 67 million packets that no scan has read.
        @Test(
            arguments: [
                (packets: 5, bytes: 1 << 36 - 150), (packets: 1 << 26 - 2, bytes: 1000),
                (packets: 1 << 26 - 2, bytes: 1 << 36 - 150),
            ] as [(packets: UInt64, bytes: UInt64)]
        )
        func fullLaneSpills(_ preset: (packets: UInt64, bytes: UInt64)) throws {
            let counter = try TestRunCounter.fresh()
            try onProcessor(0) { try counter.run(Self.udp) }
            let slot = try #require(counter.usedSlots.first)
            counter.table.slots[slot].pointee.lane.0 =
                preset.packets << UInt64(WEIR_LANE_BYTES_BITS) | preset.bytes
            try onProcessor(0) { try counter.run(Self.udp, times: 7) }
            #expect(counter.table.rest[slot].pointee.spills.0 == 2)
            #expect(counter.table.rest[slot].pointee.packets.0 >= preset.packets)
            #expect(counter.owner(of: slot, .ingress) == 1)
            let expected = TrafficCounters(packets: preset.packets + 7, bytes: preset.bytes + 700)
            #expect(try counter.scan().ingress == expected)
            try counter.run(Self.udp)
            #expect(try counter.scan().ingress == Self.packet)
        }

        /// Spills follow each other while a reader scans: the preset moves from one line to the other as a spill does.
        @Test func readsExactCountsDuringSpills() throws {
            let counter = try TestRunCounter.fresh()
            try onProcessor(0) { try counter.run(Self.udp) }
            let slot = try #require(counter.usedSlots.first)
            let flow = (counter.table.slots[slot], counter.table.rest[slot])
            let program = try counter.programs.program("weir_ingress")
            let fence = try counter.programs.fence()
            let isOver = Atomic(false)
            let rounds = Atomic(UInt64(0))
            let (hot, cold) = (UInt(bitPattern: flow.0), UInt(bitPattern: flow.1))
            let writer = try BackgroundWork { () throws -> UInt64 in
                try ThreadAlone.keep(toProcessors: 1)
                guard let slot = UnsafeMutablePointer<weir_flow_slot>(bitPattern: hot),
                    let rest = UnsafeMutablePointer<weir_flow_rest>(bitPattern: cold)
                else { return 0 }
                // Only the owner spills a lane, and scans hand this lane on: how many rounds have a spill varies.
                var round = 0
                while round < 3000 || (rest.pointee.spills.0 <= 1000 && round < 1_000_000) {
                    round += 1
                    // While a lane is handed on it is not spilled.
                    if slot.pointee.lane.0 & (1 << UInt64(WEIR_LANE_BYTES_BITS) - 1) < 1 << 35 {
                        slot.unspill(rest, bytes: 1 << 36 - 450)
                    }
                    rounds.add(1, ordering: .sequentiallyConsistent)
                    _ = try ProgramTestRun.run(program, frame: Self.udp, times: 10)
                }
                isOver.store(true, ordering: .relaxed)
                return UInt64(rest.pointee.spills.0)
            }
            var counted = TrafficCounters.zero
            while !isOver.load(ordering: .relaxed) {
                let batch = try counter.scan(fence: { () throws(DatapathError) in try fence.wait() })
                let most = rounds.load(ordering: .sequentiallyConsistent) * 10 + 1
                #expect(batch.ingress.packets <= most && batch.ingress.bytes <= most * 100)
                counted += batch.ingress
            }
            // A preset and a spill change the sequence by two each.
            #expect(try writer.value() > 1000)
            counted += try counter.scan(ending: true).ingress
            let sent = rounds.load(ordering: .sequentiallyConsistent) * 10 + 1
            #expect(counted == TrafficCounters(packets: sent, bytes: sent * 100))
        }

        /// No scan runs for a while.
        @Test func lateScanCountsAllPackets() throws {
            let counter = try TestRunCounter.fresh()
            for port in 1000..<1200 as Range<UInt16> {
                let frame = Frame.inIPv4(Frame.ipv4(17, Frame.udp(from: port, payload: 72)))
                try onProcessor(Int(port) & 1) { try counter.run(frame, times: 5000) }
                try onProcessor(Int(port >> 1) & 1) { try counter.run(frame, times: 1000) }
            }
            let batch = try counter.scan()
            #expect(batch.births.count == 200)
            #expect(batch.deltas.allSatisfy { $0.ingress == TrafficCounters(packets: 6000, bytes: 600_000) })
            #expect(batch.deltas.count == 200)
        }
    }
}

@Suite("Real-time kernels")
struct RealtimeKernelTests {
    @Test(
        arguments: [
            ("#1 SMP PREEMPT_DYNAMIC Debian 6.12.6-1", nil, false), ("#1 SMP PREEMPT_RT Debian 6.12.6-1", nil, true),
            ("#1 SMP PREEMPT RT 5.15", "1", true), ("#1 SMP", "0", false), ("#1 SMP NOT_PREEMPT_RT", nil, false),
        ] as [(String, Character?, Bool)]
    )
    func detectsRealtimeKernel(_ version: String, _ file: Character?, _ expected: Bool) {
        #expect(RealtimeKernel.isRealtime(version: version, realtimeFile: file) == expected)
    }
}

/// Runs a closure on one processor.
private func onProcessor(_ number: Int, _ body: () throws -> Void) throws {
    let before = try ThreadAlone.processors()
    defer { try? ThreadAlone.keep(toProcessors: before) }
    try ThreadAlone.keep(toProcessors: 1 << UInt64(number))
    try body()
}

extension TestRunCounter {
    /// The owner of a lane, as it is stored.
    fileprivate func owner(of slot: Int, _ direction: Direction) -> UInt32 {
        weir_slot_owner(table.slots[slot], Int32(direction.rawValue))
    }
}

extension UnsafeMutablePointer<weir_flow_slot> {
    /// Moves bytes from the cold line to the lane: the opposite of a spill, under its sequence.
    fileprivate func unspill(_ rest: UnsafeMutablePointer<weir_flow_rest>, bytes: UInt64) {
        let marks = Self.atomic(self, \.marks, as: UInt32.self)
        marks.pointee.bitwiseOr(UInt32(WEIR_MARK_SHARED), ordering: .sequentiallyConsistent)
        let spills = Self.atomic(rest, \.spills.0, as: UInt32.self)
        spills.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
        Self.atomic(self, \.lane.0, as: UInt64.self).pointee.wrappingAdd(bytes, ordering: .sequentiallyConsistent)
        Self.atomic(rest, \.bytes.0, as: UInt64.self).pointee
            .wrappingSubtract(bytes, ordering: .sequentiallyConsistent)
        spills.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }

    private static func atomic<Whole, Value: AtomicRepresentable>(
        _ whole: UnsafeMutablePointer<Whole>,
        _ member: KeyPath<Whole, Value>,
        as type: Value.Type
    ) -> UnsafeMutablePointer<Atomic<Value>> {
        let offset = MemoryLayout<Whole>.offset(of: member) ?? 0
        return (UnsafeMutableRawPointer(whole) + offset).assumingMemoryBound(to: Atomic<Value>.self)
    }
}

/// Threads that send packets of one flow through `lo`, each on its processors in turn, until `stop()` is called.
private final class PinnedLoad {
    private let workers: [BackgroundWork<UInt64>]
    private let progress = Progress()

    private final class Progress: Sendable {
        let packets = Atomic<UInt64>(0)
        let isOver = Atomic(false)
    }

    init(on programs: borrowing KernelPrograms, _ frame: [UInt8], processors: [[Int]]) throws {
        let progress = progress
        let program = try programs.program("weir_ingress")
        workers = try processors.map { places in
            try BackgroundWork {
                var sent: UInt64 = 0
                var round = 0
                while !progress.isOver.load(ordering: .relaxed) {
                    // Long enough on one processor for a scan to see it there.
                    try ThreadAlone.keep(toProcessors: 1 << UInt64(places[round / 400 % places.count]))
                    _ = try ProgramTestRun.run(program, frame: frame, times: 500)
                    sent += 500
                    round += 1
                    progress.packets.add(500, ordering: .relaxed)
                }
                return sent
            }
        }
    }

    deinit {
        progress.isOver.store(true, ordering: .relaxed)
    }

    /// The number of packets that were sent so far.
    var packets: UInt64 { progress.packets.load(ordering: .relaxed) }

    /// Ends the load, and returns the number of packets sent.
    func stop() throws -> UInt64 {
        progress.isOver.store(true, ordering: .relaxed)
        return try workers.reduce(0) { $0 + (try $1.value()) }
    }
}
