package import CWeir

/// The memory of the flow table: its slots, the arrays beside them, and one bit for each occupied slot.
///
/// `@safe`: the maps live as long as the table, and ``MappedMap`` checks indices.
@safe
package struct FlowTable: ~Copyable {
    /// The hot lines, which programs search and add to.
    package let slots: MappedMap<weir_flow_slot>
    /// The counts of CPUs that own no lane of the slot of the same index.
    package let rest: MappedMap<weir_flow_rest>
    /// The counts that were already taken from the slot of the same index.
    package let taken: PrivateArray<weir_flow_taken>
    /// The bits, in words of 64.
    package let occupied: MappedMap<UInt64>
    /// The drops of the flow in the slot of the same index.
    package let drops: MappedMap<weir_drop_slot>
    /// One bit for each slot with unread drops, in words of 64.
    package let dropped: MappedMap<UInt64>
    /// The interfaces' use of the table.
    package let shares: InterfaceShares
    /// Counts of the slots that records contain; nil if the maps end with this process.
    let reported: ReportedCounts?
    /// Whether slots of ended flows stay as they are: the whole table is removed when their records are written, and until then
    /// another agent may have to read it again.
    private let keepsSlots: Bool

    init(_ maps: TableMaps, keepsSlots: Bool = false) throws(DatapathError) {
        self.keepsSlots = keepsSlots
        let count = maps.slots
        let words = count >> Int(WEIR_OCCUPIED_SHIFT)
        let slots: MappedMap<weir_flow_slot> = try maps.mapped("flows", count: count, isSparse: true)
        let rest: MappedMap<weir_flow_rest> = try maps.mapped("flow_rest", count: count, isSparse: true)
        let occupied: MappedMap<UInt64> = try maps.mapped("occupied", count: words)
        let drops: MappedMap<weir_drop_slot> = try maps.mapped("drops", count: count, isSparse: true)
        let dropped: MappedMap<UInt64> = try maps.mapped("dropped", count: words)
        shares = try InterfaceShares(maps)
        self.slots = slots
        self.rest = rest
        taken = maps.taken
        reported = maps.reported
        self.occupied = occupied
        self.drops = drops
        self.dropped = dropped
    }

    /// Takes the drops of the flow in a slot, of the interface at a position; nil if there are none.
    func takeDrops(_ index: Int, position: Int) -> PendingDrops? {
        let word = unsafe dropped[index >> Int(WEIR_OCCUPIED_SHIFT)]
        let bit = UInt64(1) << UInt64(index & 63)
        guard unsafe weir_load_u64(word) & bit != 0 else { return nil }
        unsafe weir_drops_clear(word, bit)
        var taken = weir_drop_slot()
        if let reported {
            unsafe taken = reported.takeDrops(drops[index], position: position)
        } else {
            unsafe weir_drops_take(drops[index], &taken)
        }
        let pending = PendingDrops(taken)
        return pending.isEmpty ? nil : pending
    }

    /// Goes through the indices of all slots that are occupied.
    func forEachOccupied(_ body: (Int) -> Void) {
        for word in 0..<occupied.count {
            var bits = unsafe weir_load_u64(occupied.base + word)
            guard bits != 0 else { continue }
            need(word << Int(WEIR_OCCUPIED_SHIFT))
            while bits != 0 {
                body(word << Int(WEIR_OCCUPIED_SHIFT) + bits.trailingZeroBitCount)
                bits &= bits - 1
            }
        }
    }

    /// Ensures that a slot can be accessed.
    @inline(__always)
    func need(_ index: Int) {
        slots.need(index)
    }

    /// Returns what a slot's flow has counted so far.
    ///
    /// Returns nil while a lane is being moved, or where another CPU began to count just now, in memory that is not mapped yet:
    /// the caller tries again later.
    @inline(__always)
    func counts(_ index: Int) -> weir_counts? {
        var counts = weir_counts()
        let slot = unsafe slots.base + index
        let isShared = unsafe weir_load_u32(&slot.pointee.marks) & WEIR_MARK_SHARED != 0
        if isShared { rest.need(index) }
        return unsafe weir_slot_read(slot, isShared ? rest.base + index : nil, &counts) ? counts : nil
    }

    /// A place in the table ahead of a scan, from which on nothing has been prefetched yet.
    struct Lookahead {
        fileprivate var word = 0
        fileprivate var bits: UInt64 = 0

        /// The number of slots to prefetch: a processor has some 20 cache misses under way.
        fileprivate static let distance = 16
    }

    /// Prefetches the first slots that a scan will read.
    func lookahead() -> Lookahead {
        var ahead = Lookahead()
        unsafe ahead.bits = occupied.base[0]
        for _ in 0..<Lookahead.distance { prefetchNext(&ahead) }
        return ahead
    }

    /// Prefetches one more slot; to be called once for each slot that is read.
    ///
    /// The distances of occupied slots are irregular, so that the processor does not predict them.
    @inline(__always)
    func prefetchNext(_ ahead: inout Lookahead) {
        while ahead.bits == 0 {
            guard ahead.word + 1 < occupied.count else { return }
            ahead.word += 1
            unsafe ahead.bits = occupied.base[ahead.word]
        }
        let index = ahead.word << Int(WEIR_OCCUPIED_SHIFT) + ahead.bits.trailingZeroBitCount
        unsafe weir_slot_prefetch(slots.base + index, taken.base + index)
        ahead.bits &= ahead.bits - 1
    }

    /// Zeroes a retired slot and returns it to the programs; after a grace period only.
    ///
    /// The slot becomes free if the one behind it is, and with it the tombstones before it; else a tombstone.
    func free(_ index: Int) {
        guard !keepsSlots else { return }
        guard let reported else { return giveBack(index) }
        let position = Int(unsafe slots[index].pointee.interface)
        reported.fold(index, position: position, taken: unsafe taken[index].pointee) { giveBack(index) }
    }

    /// Does the same, without a record of the counts.
    func giveBack(_ index: Int) {
        let word = unsafe occupied[index >> Int(WEIR_OCCUPIED_SHIFT)]
        let bit = UInt64(1) << UInt64(index & 63)
        let slot = unsafe slots[index]
        let position = Int(unsafe slot.pointee.interface)
        unsafe weir_slot_free(slot, rest[index], taken[index], slots[after(index)], word, bit)
        shares.returnSlot(of: position)
        guard unsafe weir_slot_head(slot) == 0 else { return }
        var place = index
        while true {
            let next = place
            place = (place - 1) & (slots.count - 1)
            guard unsafe weir_slot_clear_tombstone(slots[place], slots[next]) else { return }
        }
    }

    /// Makes a flow's slot reachable from its home.
    ///
    /// If a program and ``free(_:)`` raced, the search might otherwise end before the slot.
    func bridge(from home: Int, to index: Int) {
        var place = home & (slots.count - 1)
        while place != index {
            if unsafe weir_slot_head(slots[place]) == 0 { unsafe weir_slot_bridge(slots[place]) }
            place = after(place)
        }
    }

    private func after(_ index: Int) -> Int { (index + 1) & (slots.count - 1) }
}
