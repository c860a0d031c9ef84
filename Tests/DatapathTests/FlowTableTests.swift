import CWeir
import FlowModel
import Testing

@testable import Datapath

@Suite("Flow table layout")
struct FlowTableLayoutTests {
    /// The offsets of weir_abi.h, written down here once more: neither side may change alone.
    @Test func structuresMatchABILayout() {
        typealias Slot = weir_flow_slot
        #expect(MemoryLayout<Slot>.stride == 64)
        #expect(MemoryLayout<Slot>.offset(of: \.near_port) == 0)
        #expect(MemoryLayout<Slot>.offset(of: \.far_port) == 2)
        #expect(MemoryLayout<Slot>.offset(of: \.protocol) == 4)
        #expect(MemoryLayout<Slot>.offset(of: \.state) == 5)
        #expect(MemoryLayout<Slot>.offset(of: \.interface) == 6)
        #expect(MemoryLayout<Slot>.offset(of: \.addr) == 8)
        #expect(MemoryLayout<Slot>.offset(of: \.lane) == 40)
        #expect(MemoryLayout<Slot>.offset(of: \.marks) == 56)
        #expect(MemoryLayout<Slot>.offset(of: \.owner) == 60)
        #expect(MemoryLayout<weir_flow_rest>.stride == 32)
        #expect(MemoryLayout<weir_flow_taken>.stride == 32)
        #expect(MemoryLayout<weir_flow_key>.size == 40)
        #expect(MemoryLayout<weir_overflow_event>.size == 64)
        #expect(MemoryLayout<weir_account>.stride == 64)
        #expect(MemoryLayout<weir_interface>.stride == 256)
    }

    /// Keys of neighbours, as a scan of a network or one busy client makes them: their windows must not cluster.
    @Test(arguments: KeySequence.allCases, 1...4 as ClosedRange<UInt64>)
    func homeSlotsAreEvenlyDistributed(_ sequence: KeySequence, _ seed: UInt64) {
        let bins = 1024
        let keys = 65536
        let configuration = weir_config(seed: seed, slots: bins)
        var counts = [Int](repeating: 0, count: bins)
        for number in 0..<UInt32(keys) { counts[configuration.home(of: sequence.key(number))] += 1 }
        let expected = Double(keys) / Double(bins)
        let deviation = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        // Chi-square with 1,023 degrees of freedom: mean 1,023, standard deviation 45. More even than chance is fine.
        #expect(deviation < 1023 + 8 * 45)
    }

    /// Without the seed it cannot be predicted which keys share a window.
    @Test(arguments: KeySequence.allCases)
    func homeSlotsDependOnSeed(_ sequence: KeySequence) {
        let slots = 1 << 17
        let (one, other) = (weir_config(seed: 1, slots: slots), weir_config(seed: 2, slots: slots))
        let keys = (0..<10_000).map { sequence.key($0) }
        #expect(keys.filter { one.home(of: $0) == other.home(of: $0) }.count < 10)
        // Nor are the homes of one seed those of the other, moved by some distance.
        let distances = Set(keys.map { (one.home(of: $0) - other.home(of: $0)) & (slots - 1) })
        #expect(distances.count > 8_000)
    }

    /// Keys that differ little.
    enum KeySequence: CaseIterable {
        case addresses
        case ports
        case both

        func key(_ number: UInt32) -> weir_flow_slot {
            var slot = weir_flow_slot()
            slot.interface = 3
            slot.protocol = 17
            slot.state = WEIR_SLOT_LIVE_V4.rawValue
            slot.far_port = UInt16(53).bigEndian
            let address = self == .ports ? 7 : self == .both ? number >> 8 : number
            let port = self == .addresses ? 7 : self == .both ? number & 0xff : number
            let far = UInt64(UInt32(0x0a00_0002).bigEndian)
            slot.addr.1 = far << 32 | UInt64((0x0a01_0000 + address).bigEndian)
            slot.near_port = UInt16(truncatingIfNeeded: port).bigEndian
            return slot
        }
    }
}

extension weir_config {
    fileprivate init(seed: UInt64, slots: Int) {
        self.init()
        var numbers = RepeatableNumbers(seed: seed)
        hash_multiplier = numbers.next() | 1
        withUnsafeMutableBytes(of: &hash_key) { bytes in
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: numbers.next()) }
        }
        slot_mask = UInt32(slots - 1)
        slot_shift = UInt32(64 - slots.trailingZeroBitCount)
    }

    fileprivate func home(of slot: weir_flow_slot) -> Int {
        var slot = slot
        return withUnsafePointer(to: self) { Int(weir_slot_home(&slot, $0) & slot_mask) }
    }
}

extension KernelTests {
    @Suite("Flow table")
    struct FlowTableTests {
        private static let udp = Frame.inIPv4(Frame.ipv4(17, Frame.udp(payload: 72)))

        @Test func growthIsReportedOnceAndInBothDirections() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp, times: 3)
            let first = try counter.scan()
            #expect(first.births.count == 1)
            #expect(first.ingress == TrafficCounters(packets: 3, bytes: 300))
            #expect(try counter.scan().isEmpty)
            try counter.run(Self.udp, times: 2)
            let reply = Frame.ipv4(
                17,
                Frame.udp(from: 53, to: 40000),
                source: Frame.server4,
                destination: Frame.client4
            )
            try counter.run(Frame.inIPv4(reply), .egress)
            let second = try counter.scan()
            #expect(second.births.isEmpty)
            #expect(second.ingress == TrafficCounters(packets: 2, bytes: 200))
            #expect(second.egress == TrafficCounters(packets: 1, bytes: 28))
            #expect(counter.usedSlots.count == 1)
        }

        /// Two processors may claim two slots for the first packets of a flow.
        ///
        /// The only flow is in the first slot of its window, so the slot behind it belongs to the window too.
        @Test func duplicateSlotIsMergedIntoFirst() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp, times: 5)
            let first = try #require(counter.usedSlots.first)
            let place = (first + 1) & (counter.table.slots.count - 1)
            counter.copySlot(first, to: place, packets: 7, bytes: 777)
            let batch = try counter.scan()
            #expect(batch.births.count == 1)
            #expect(Set(batch.deltas.map(\.flowID)) == Set(batch.births.map(\.flowID)))
            #expect(batch.ingress == TrafficCounters(packets: 12, bytes: 1277))
            #expect(batch.ends.isEmpty)
            #expect(counter.usedSlots.count == 1)
            #expect(counter.reader.live == 1)
            // The flow goes on in the slot that is left.
            try counter.run(Self.udp)
            let next = try counter.scan()
            #expect(next.births.isEmpty)
            #expect(next.deltas.map(\.flowID) == batch.births.map(\.flowID))
            #expect(next.ingress == TrafficCounters(packets: 1, bytes: 100))
            #expect(counter.account(.ingress).flows == TrafficCounters(packets: 13, bytes: 1377))
        }

        /// The flow may end in the very scan that finds its second slot: no counts follow the end.
        @Test func duplicateSlotIsCountedBeforeFlowEnds() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp, times: 5)
            let first = try #require(counter.usedSlots.first)
            counter.copySlot(first, to: (first + 1) & (counter.table.slots.count - 1), packets: 7, bytes: 777)
            let batch = try counter.scan(ending: true)
            #expect(batch.ingress == TrafficCounters(packets: 12, bytes: 1277))
            #expect(batch.births.count == batch.ends.count)
            #expect(Set(batch.births.map(\.flowID)) == Set(batch.ends))
            #expect(Set(batch.deltas.map(\.flowID)).isSubset(of: Set(batch.ends)))
            #expect(counter.usedSlots.isEmpty)
        }

        @Test func packetCounterWraps() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp)
            _ = try counter.scan()
            let slot = try #require(counter.usedSlots.first)
            counter.table.slots[slot].pointee.marks |= WEIR_MARK_SHARED
            counter.table.rest[slot].pointee.packets.0 = .max - 2
            counter.table.taken[slot].pointee.packets.0 = .max - 1
            try counter.run(Self.udp, times: 5)
            #expect(counter.table.counts(slot)?.packets.0 == 3)
            #expect(try counter.scan().ingress == TrafficCounters(packets: 5, bytes: 500))
        }

        @Test func countsOfFailedScanComeWithNextScan() throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Self.udp, times: 4)
            let refusal = DatapathError.system(operation: "wait", errno: 1, advice: "")
            #expect(throws: refusal) {
                try counter.scan(ending: true) { () throws(DatapathError) in throw refusal }
            }
            // The slot is retired: programs pass over it.
            try counter.run(Self.udp)
            #expect(counter.usedSlots.count == 2)
            let batch = try counter.scan(ending: true)
            #expect(batch.ingress == TrafficCounters(packets: 5, bytes: 500))
            #expect(batch.births.count == 2)
            #expect(Set(batch.ends) == Set(batch.births.map(\.flowID)))
            #expect(counter.usedSlots.isEmpty)
        }
    }
}

extension TestRunCounter {
    /// Writes a live slot with the key of another one into a free place, as another processor might have claimed it.
    fileprivate func copySlot(_ from: Int, to place: Int, packets: UInt32, bytes: UInt64) {
        var slot = table.slots[from].pointee
        slot.lane = (UInt64(packets) << UInt64(WEIR_LANE_BYTES_BITS) | bytes, 0)
        table.slots[place].pointee = slot
        table.shares.takeSlot(of: position)
        table.occupied[place >> Int(WEIR_OCCUPIED_SHIFT)].pointee |= 1 << UInt64(place & 63)
    }
}
