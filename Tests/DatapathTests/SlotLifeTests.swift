import CWeir
import FlowModel
import Testing

@testable import Datapath

extension KernelTests {
    /// Searches for flows, and the reuse of freed slots.
    @Suite("Slot lifecycle")
    struct SlotLifeTests {
        /// Flows begin, send, pause and resume in any order; after every scan the table is as weir_abi.h specifies.
        @Test(arguments: 1...4 as ClosedRange<UInt64>)
        func searchesFindEveryFlow(_ seed: UInt64) throws {
            let counter = try TestRunCounter.fresh()
            var numbers = RepeatableNumbers(seed: seed)
            var sent: [UInt16: UInt64] = [:]
            var seen: [UInt16: UInt64] = [:]
            var ports: [UInt32: UInt16] = [:]
            var now: UInt32 = 1
            for round in 0..<60 {
                // Few flows at first, then nearly as many as an interface may have.
                let flows = UInt16(20 + round * 8)
                for _ in 0..<Int.random(in: 1...200, using: &numbers) {
                    let port = UInt16.random(in: 1...flows, using: &numbers)
                    let times = Int32.random(in: 1...3, using: &numbers)
                    try counter.run(Self.frame(port), times: times)
                    sent[port, default: 0] += UInt64(times)
                }
                now += UInt32.random(in: 1000...40_000, using: &numbers)
                let batch = try counter.scan(now: now)
                for birth in batch.births {
                    #expect(ports[birth.flowID] == nil)
                    ports[birth.flowID] = birth.key.nearPort
                }
                for delta in batch.deltas {
                    seen[try #require(ports[delta.flowID]), default: 0] += delta.ingress.packets
                }
                for number in batch.ends { ports[number] = nil }
                // A flow has one slot at a time.
                #expect(Set(ports.values).count == ports.count)
                counter.checkTable()
            }
            let rest = try counter.scan(now: now, ending: true)
            for birth in rest.births { ports[birth.flowID] = birth.key.nearPort }
            for delta in rest.deltas { seen[try #require(ports[delta.flowID]), default: 0] += delta.ingress.packets }
            #expect(seen == sent)
            // The table is as empty as at the start.
            #expect((0..<counter.table.slots.count).allSatisfy { counter.state(of: $0) == WEIR_SLOT_FREE })
            #expect(counter.table.shares.usedSlots == 0)
        }

        /// A slot in the middle of others is passed, and claimed again.
        @Test func slotBetweenOthersBecomesTombstone() throws {
            let counter = try TestRunCounter.fresh()
            let (first, second) = try counter.neighbours()
            try counter.run(Self.frame(first))
            let slot = try #require(counter.usedSlots.first)
            _ = try counter.scan(now: 1)
            try counter.run(Self.frame(second))
            #expect(counter.usedSlots.count == 2)
            // The first flow pauses, the second one continues.
            _ = try counter.scan(now: 50_000)
            try counter.run(Self.frame(second))
            #expect(try counter.scan(now: 70_000).ends == [UInt32(slot)])
            #expect(counter.state(of: slot) == WEIR_SLOT_TOMBSTONE)
            try counter.run(Self.frame(second))
            #expect(counter.usedSlots.count == 1)
            try counter.run(Self.frame(first))
            #expect(counter.state(of: slot) == WEIR_SLOT_LIVE_V4)
            #expect(counter.usedSlots.count == 2)
            counter.checkTable()
        }

        /// A race may leave a flow behind a free slot: it is claimed a second time, and the two are merged for good.
        @Test func flowBehindFreeSlotIsMerged() throws {
            let counter = try TestRunCounter.fresh()
            let frame = Self.frame(7)
            try counter.run(frame, times: 2)
            let home = try #require(counter.usedSlots.first)
            let batch = try counter.scan()
            #expect(batch.births.count == 1)
            // The flow moves three places on, and everything before it is free.
            let place = (home + 3) & (counter.table.slots.count - 1)
            counter.move(home, to: place)
            try counter.run(frame, times: 3)
            #expect(counter.usedSlots.count == 2)
            let merged = try counter.scan()
            #expect(merged.births.isEmpty)
            #expect(merged.ingress.packets == 3)
            #expect(Set(merged.deltas.map(\.flowID)) == [UInt32(place)])
            try counter.run(frame, times: 5)
            #expect(counter.usedSlots == [place])
            #expect(try counter.scan().ingress.packets == 5)
            #expect(try counter.scan(ending: true).ends == [UInt32(place)])
        }

        /// A free first place is claimed at once, as it ends a search, too: a flow that has its second place then has both, and
        /// a scan counts both for it.
        @Test(arguments: [frame(7), Frame.inIPv6(Frame.ipv6(17, Frame.udp(from: 7)))], Direction.allCases)
        func freeHomeSlotIsClaimedAtOnce(_ frame: [UInt8], _ direction: Direction) throws {
            let processors = try ThreadAlone.processors()
            defer { try? ThreadAlone.keep(toProcessors: processors) }
            // Of the lane's owner.
            try ThreadAlone.keep(toProcessors: 1)
            let counter = try TestRunCounter.fresh()
            try counter.run(frame, direction, times: 2)
            let home = try #require(counter.usedSlots.first)
            let place = (home + 1) & (counter.table.slots.count - 1)
            counter.move(home, to: place)
            try counter.run(frame, direction, times: 3)
            #expect(Set(counter.usedSlots) == [home, place])
            let batch = try counter.scan(ending: true)
            #expect((batch.ingress + batch.egress).packets == 5)
        }

        /// A flow in its second place, behind another flow in its first, gets no second slot.
        @Test(arguments: [frame(7), Frame.inIPv6(Frame.ipv6(17, Frame.udp(from: 7)))], Direction.allCases)
        func findsKnownFlowInSecondPlace(_ frame: [UInt8], _ direction: Direction) throws {
            let counter = try TestRunCounter.fresh()
            let (home, place, other) = try counter.distantFlows(frame, direction)
            counter.move(home, to: place)
            counter.move(other, to: home)
            try counter.run(frame, direction, times: 3)
            #expect(Set(counter.usedSlots) == [home, place])
            let batch = try counter.scan(ending: true)
            #expect((batch.ingress + batch.egress).packets == 6)
        }

        fileprivate static func frame(_ port: UInt16) -> [UInt8] {
            Frame.inIPv4(Frame.ipv4(17, Frame.udp(from: port)))
        }
    }
}

/// Whether a window has room, at the loads that the shares allow.
@Suite("Room in the table")
struct TableRoomTests {
    /// Half of the slots may be borrowed; the reserve of an eighth is filled behind that.
    @Test(arguments: 1...3 as ClosedRange<UInt64>)
    func windowsNearlyAlwaysHaveRoom(_ seed: UInt64) {
        let slots = 1 << 17
        let limit = SharePlan.slotLimit(slots: slots)
        let reserve = SharePlan.slotShare(slots: slots, interfaces: 16) * 16
        let borrowed = Self.refusals(seed: seed, slots: slots, flows: 0..<limit)
        #expect(borrowed < limit / 1000, "\(borrowed) of \(limit)")
        let kept = Self.refusals(seed: seed, slots: slots, flows: limit..<limit + reserve)
        #expect(kept < reserve / 50, "\(kept) of \(reserve)")
        #expect(limit + reserve == slots * 5 / 8)
    }

    /// Flows that find their window full, of those in a range; the ones before it are there already.
    private static func refusals(seed: UInt64, slots: Int, flows: Range<Int>) -> Int {
        var numbers = RepeatableNumbers(seed: seed)
        var used = [Bool](repeating: false, count: slots)
        var refused = 0
        for flow in 0..<flows.upperBound {
            let home = Int(numbers.next() >> 40) & (slots - 1)
            let place = (0..<Int(WEIR_WINDOW)).lazy.map { (home + $0) & (slots - 1) }.first { !used[$0] }
            if let place { used[place] = true } else if flow >= flows.lowerBound { refused += 1 }
        }
        return refused
    }
}

extension TestRunCounter {
    /// Checks the table against the rules of weir_abi.h.
    fileprivate func checkTable() {
        let mask = table.slots.count - 1
        var live = 0
        for index in 0..<table.slots.count {
            let state = state(of: index)
            let isLive = weir_head_is_live(weir_slot_head(table.slots[index]))
            #expect(isOccupied(index) == isLive)
            #expect(isLive || state == WEIR_SLOT_FREE || state == WEIR_SLOT_TOMBSTONE)
            if state == WEIR_SLOT_TOMBSTONE {
                #expect(self.state(of: (index + 1) & mask) != WEIR_SLOT_FREE)
            }
            guard isLive else { continue }
            live += 1
            let home = withUnsafePointer(to: programs.configuration) { Int(weir_slot_home(table.slots[index], $0)) }
            let distance = (index - home) & mask
            #expect(distance < Int(WEIR_WINDOW))
            for step in 0..<min(distance, Int(WEIR_WINDOW)) {
                #expect(self.state(of: (home + step) & mask) != WEIR_SLOT_FREE)
            }
        }
        #expect(table.shares.usedSlots == live)
        #expect(table.shares.slots(of: position) == live)
    }

    /// Two ports whose flows have the same home.
    fileprivate func neighbours() throws -> (UInt16, UInt16) {
        var ports: [Int: UInt16] = [:]
        for port in 1...4000 as ClosedRange<UInt16> {
            try run(KernelTests.SlotLifeTests.frame(port))
            let slot = try #require(usedSlots.first)
            _ = try scan(ending: true)
            if let other = ports[slot] { return (other, port) }
            ports[slot] = port
        }
        throw DatapathError.system(operation: "find two flows with one home", errno: 0, advice: "")
    }

    /// Sends a frame twice, and once a frame of another flow, which does not get the second place of the first one.
    ///
    /// The seed of the homes is random: other flows are tried until one gets a slot elsewhere.
    ///
    /// - Returns: the slots of the first flow's home and second place, and the slot of the other flow.
    fileprivate func distantFlows(
        _ frame: [UInt8],
        _ direction: Direction
    ) throws -> (home: Int, place: Int, other: Int) {
        for port in 8...100 as ClosedRange<UInt16> {
            try run(frame, direction, times: 2)
            let home = try #require(usedSlots.first)
            let place = (home + 1) & (table.slots.count - 1)
            try run(KernelTests.SlotLifeTests.frame(port), direction, times: 1)
            let other = try #require(usedSlots.first { $0 != home })
            if other != place { return (home, place, other) }
            _ = try scan(ending: true)
        }
        throw DatapathError.system(operation: "find two flows with distant slots", errno: 0, advice: "")
    }

    /// Puts a flow into another slot, and leaves its own free.
    fileprivate func move(_ from: Int, to place: Int) {
        table.slots[place].pointee = table.slots[from].pointee
        table.taken[place].pointee = table.taken[from].pointee
        table.occupied[place >> Int(WEIR_OCCUPIED_SHIFT)].pointee |= 1 << UInt64(place & 63)
        table.slots[from].pointee = weir_flow_slot()
        table.taken[from].pointee = weir_flow_taken()
        table.occupied[from >> Int(WEIR_OCCUPIED_SHIFT)].pointee &= ~(1 << UInt64(from & 63))
    }
}
