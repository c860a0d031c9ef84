package import CWeir

/// The memory of the flow table: its slots, and one bit for each that is occupied.
///
/// `@safe`: both maps live as long as the table, and ``MappedMap`` checks indices.
@safe
package struct FlowTable: ~Copyable {
    /// The slots.
    package let slots: MappedMap<weir_flow_slot>
    /// The bits, in words of 64.
    package let occupied: MappedMap<UInt64>
    /// What was dropped of the flow in the slot of the same index.
    package let drops: MappedMap<weir_drop_slot>
    /// One bit for each slot of which something was dropped that was not read yet, in words of 64.
    package let dropped: MappedMap<UInt64>

    init(
        slots: consuming MappedMap<weir_flow_slot>,
        occupied: consuming MappedMap<UInt64>,
        drops: consuming MappedMap<weir_drop_slot>,
        dropped: consuming MappedMap<UInt64>
    ) {
        self.slots = slots
        self.occupied = occupied
        self.drops = drops
        self.dropped = dropped
    }

    /// Takes out what was dropped of the flow in a slot; nil if it is nothing.
    func takeDrops(_ index: Int) -> PendingDrops? {
        let word = unsafe dropped[index >> Int(WEIR_OCCUPIED_SHIFT)]
        let bit = UInt64(1) << UInt64(index & 63)
        guard unsafe weir_load_u64(word) & bit != 0 else { return nil }
        unsafe weir_drops_clear(word, bit)
        let pending = unsafe PendingDrops(taking: drops[index])
        return pending.isEmpty ? nil : pending
    }

    /// Asks for the occupied slots of a word ahead of time: their distances are irregular, so that the processor does
    /// not foresee them.
    @inline(__always)
    func prefetch(word: Int) {
        guard word < occupied.count else { return }
        var bits = unsafe occupied.base[word]
        while bits != 0 {
            unsafe weir_slot_prefetch(slots.base + word << Int(WEIR_OCCUPIED_SHIFT) + bits.trailingZeroBitCount)
            bits &= bits - 1
        }
    }

    /// Zeroes a retired slot and gives it back to the programs; after a grace period only.
    func free(_ index: Int) {
        let word = unsafe occupied[index >> Int(WEIR_OCCUPIED_SHIFT)]
        let bit = UInt64(1) << UInt64(index & 63)
        unsafe weir_slot_free(slots[index], word, bit)
    }
}
