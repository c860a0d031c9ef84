import CWeir
import FlowModel

/// Reads the durations of TCP handshakes, which the programs store beside the flow table.
///
/// `@safe`: the maps live as long as the reader, and indices come from its own loops.
@safe
final class HandshakeReader {
    private let times: MappedMap<weir_handshake>
    private let ready: MappedMap<UInt64>
    /// Slots whose handshake completed before a scan found their flow.
    private var early: [Int] = []

    /// Maps the times, and the bits of slots whose handshake is complete.
    init(times: Int32, ready: Int32, slots: Int) throws(DatapathError) {
        self.times = try MappedMap(descriptor: times, name: "handshakes", count: slots, isSparse: true)
        let words = slots >> Int(WEIR_OCCUPIED_SHIFT)
        self.ready = try MappedMap(descriptor: ready, name: "handshaken", count: words)
    }

    /// Calls `body` with the slot and the times of each handshake that was completed since the last call.
    ///
    /// - Parameter body: returns false if the slot's flow is not known yet; it is then called again by the next call.
    func drain(_ body: (Int, weir_handshake) -> Bool) {
        let again = early
        early = []
        for index in again { take(index, body) }
        for word in 0..<ready.count {
            var bits = unsafe weir_load_u64(ready.base + word)
            guard bits != 0 else { continue }
            unsafe weir_drops_clear(ready.base + word, bits)
            times.need(word << Int(WEIR_OCCUPIED_SHIFT))
            while bits != 0 {
                let index = word << Int(WEIR_OCCUPIED_SHIFT) + bits.trailingZeroBitCount
                bits &= bits - 1
                take(index, body)
            }
        }
    }

    private func take(_ index: Int, _ body: (Int, weir_handshake) -> Bool) {
        let found = unsafe times.base[index]
        // The slot may belong to another flow by now, whose handshake is not complete.
        guard found.completed != 0 else { return }
        if !body(index, found) { early.append(index) }
    }
}

extension Datapath {
    /// Emits the times of the handshakes that were completed since the last scan, of flows that have begun.
    ///
    /// A workload is the near end of flows on its interface; on others the reporting endpoint is this host, the far end.
    func emitHandshakes(_ emit: (FlowBatch) -> Void) {
        guard let handshakes else { return }
        var batch = FlowBatch()
        handshakes.drain { index, times in
            guard let slot = table.liveSlot(index) else { return true }
            guard table.hasBegun(index) else { return false }
            let isNear = roles[Int(slot.interface)] != .host
            let hasOpened = slot.marks & UInt32(isNear ? WEIR_MARK_OPENED_INGRESS : WEIR_MARK_OPENED_EGRESS) != 0
            let answer = hasOpened ? times.accepted : times.completed - min(times.accepted, times.completed)
            batch.sockets.append(
                FlowSocket(
                    flowID: UInt32(index),
                    isNear: isNear,
                    statistics: nil,
                    handshake: HandshakeTimes(connect: times.completed, answer: max(1, answer))
                )
            )
            return true
        }
        if !batch.isEmpty { emit(batch) }
    }
}

extension FlowTableReader {
    /// A copy of a slot that programs add to; nil of any other.
    func liveSlot(_ index: Int) -> weir_flow_slot? {
        table.need(index)
        let slot = unsafe table.slots.base + index
        return weir_head_is_live(unsafe weir_slot_head(slot)) ? unsafe slot.pointee : nil
    }

    /// Whether a scan has found the flow of a live slot.
    func hasBegun(_ index: Int) -> Bool { unsafe table.taken[index].pointee.changed != 0 }
}
