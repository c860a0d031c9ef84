import CWeir
import FlowModel

/// Packets that the egress program counted and a program behind it dropped: the drop program subtracts them from the slot
/// (`drop_sent.h`).
///
/// The drop happens in the same run of the network stack as the count. A scan that has read the count subtracts the drop from
/// its batch behind the fence, so that no record contains it. A slot whose only packets were dropped is freed, and its flow is
/// not reported.
extension FlowTableReader {
    /// Subtracts from the batch the packets that were subtracted from a slot since its counts were read; behind the fence.
    ///
    /// - Parameters:
    ///   - index: the slot.
    ///   - position: the position of the slot's interface.
    ///   - isLive: whether the slot is in use, and not retired.
    mutating func subtractDropped(_ index: Int, position: Int, isLive: Bool) {
        guard unsafe table.taken.base[index].changed != 0, let counts = table.counts(index) else { return }
        let taken = unsafe table.taken.base + index
        let packets = unsafe Int32(bitPattern: taken.pointee.packets.1 &- counts.packets.1)
        let bytes = unsafe Int64(bitPattern: taken.pointee.bytes.1 &- counts.bytes.1)
        guard packets > 0 || bytes > 0, let place = Self.place(of: UInt32(index), in: batch.deltas, \.flowID) else {
            return
        }
        let excess = TrafficCounters(packets: UInt64(max(packets, 0)), bytes: UInt64(max(bytes, 0)))
        unsafe taken.pointee.packets.1 &-= UInt32(excess.packets)
        unsafe taken.pointee.bytes.1 &-= excess.bytes
        batch.deltas[place].egress = batch.deltas[place].egress.subtracting(excess)
        drained[position * 2 + 1] = drained[position * 2 + 1].subtracting(excess)
        if isLive, isEmpty(index) { withdraw(index, at: place) }
    }

    /// Removes a flow from the batch that begins with this batch and has no traffic.
    private mutating func withdraw(_ index: Int, at place: Int) {
        guard let birth = Self.place(of: UInt32(index), in: batch.births, \.flowID) else { return }
        batch.births.remove(at: birth)
        batch.deltas.remove(at: place)
        unsafe table.taken.base[index].changed = 0
    }

    /// Returns the position of a flow's entry in a list that is sorted by flow numbers; nil if it has none.
    private static func place<Entry>(of flowID: UInt32, in list: [Entry], _ key: (Entry) -> UInt32) -> Int? {
        var range = 0..<list.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if key(list[middle]) < flowID {
                range = middle + 1..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        return range.lowerBound < list.count && key(list[range.lowerBound]) == flowID ? range.lowerBound : nil
    }

    // MARK: Empty slots

    /// Whether a slot has neither traffic nor drops that were not drained.
    func isEmpty(_ index: Int) -> Bool {
        guard let counts = table.counts(index), counts.isZero else { return false }
        let word = unsafe table.dropped.base[index >> Int(WEIR_OCCUPIED_SHIFT)]
        guard word >> UInt64(index & 63) & 1 != 0 else { return true }
        return unsafe weir_drops_are_none(table.drops[index])
    }

    /// Does not report an empty slot; retires it if the scan before found it empty, or if its interface is gone.
    ///
    /// `foreign` of a slot that is not reported yet notes that a scan found it empty.
    mutating func skipEmpty(_ index: Int, _ slot: UnsafeMutablePointer<weir_flow_slot>, isGone: Bool) {
        guard unsafe isGone || table.taken.base[index].foreign.0 != 0 else {
            unsafe table.taken.base[index].foreign.0 = 1
            return
        }
        unsafe weir_slot_retire(slot)
        empty.append(UInt32(index))
    }

    /// Frees the retired slots that are still empty, behind the fence, and reports or revives the others.
    mutating func finishEmpty(_ surroundings: Surroundings) {
        for flowID in empty {
            let index = Int(flowID)
            let slot = unsafe table.slots.base + index
            let position = Int(unsafe slot.pointee.interface)
            if isEmpty(index) {
                _ = table.takeDrops(index, position: position)
                table.free(index)
                live -= 1
            } else if surroundings.gone.contains(position) {
                if unsafe begin(index, slot, surroundings) {
                    end(index, position: position, isGone: true, surroundings)
                }
            } else {
                unsafe weir_slot_revive(slot)
            }
        }
        empty.removeAll(keepingCapacity: true)
    }
}

extension weir_counts {
    /// Whether all counts are 0.
    fileprivate var isZero: Bool { packets.0 | packets.1 == 0 && bytes.0 | bytes.1 == 0 }
}
