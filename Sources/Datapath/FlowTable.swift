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

    init(slots: consuming MappedMap<weir_flow_slot>, occupied: consuming MappedMap<UInt64>) {
        self.slots = slots
        self.occupied = occupied
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
