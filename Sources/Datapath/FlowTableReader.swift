package import CWeir
package import FlowModel
import Glibc

/// Reads the flow table out of shared memory: what each flow carried since the last scan, which flows are new, which
/// have ended.
///
/// A slot's counters only grow while it lives, and what was drained of them stands beside them in the slot, so a
/// scan is one pass over memory without a system call, a lookup or a delete. A flow that has ended is retired in two
/// steps: programs stop adding to its slot; after a grace period its last counts are read and the slot is freed. No
/// packet can fall between.
///
/// `@safe`: all pointers are into the mapped table, which lives as long as the reader; indices come from its own loops.
@safe
package struct FlowTableReader: ~Copyable {
    /// What a scan needs to know of the world around the table.
    package struct Surroundings {
        /// The agent's clock, ms; wraps.
        package var now: UInt32
        /// When watching began, CLOCK_MONOTONIC ns.
        package var started: UInt64
        /// Roles by interface position.
        package var roles: [InterfaceRole]
        /// Positions of interfaces that are gone: their flows end now.
        package var gone: Set<Int>

        package init(now: UInt32, started: UInt64, roles: [InterfaceRole], gone: Set<Int> = []) {
            self.now = now
            self.started = started
            self.roles = roles
            self.gone = gone
        }
    }

    /// Slots in use after the last scan.
    package private(set) var live = 0
    /// What was drained so far: two counters, ingress and egress, for each interface position.
    private(set) var drained: [TrafficCounters]
    /// What was denied, in the same order.
    private(set) var denied: [TrafficCounters]

    private let table: FlowTable
    private var configuration: weir_config
    private let timeouts: FlowTimeouts
    private let reasons: [DropReason?]
    private var batch = FlowBatch()
    private var retired: [Retired] = []
    private let ended: EndedFlows

    private struct Retired {
        var slot: UInt32
        /// The flow that the slot's counts belong to.
        var number: UInt32
        /// Whether the flow ends with the slot; else the slot was a second one of a flow that goes on.
        var isEnd: Bool
        /// Whether the flow may go on in another slot.
        var isRemembered = false
        /// Whether the flow began before it was watched, as far as its first packets say.
        var isJoined = false
    }

    /// Flows of a batch that is handed out; bounds the memory that a scan needs, and how often it waits for the fence.
    private static let batchSize = 32768

    /// Connections whose first packet is seen this soon after the start may have run before, ns.
    private static let joinWindow: UInt64 = 1_000_000_000

    /// Takes the table, what its programs were configured with, the reasons for drops that they count, and who began the
    /// flows that ended.
    package init(
        table: consuming FlowTable,
        configuration: weir_config,
        timeouts: FlowTimeouts,
        reasons: [DropReason?] = [],
        ended: EndedFlows = EndedFlows()
    ) {
        self.table = table
        self.reasons = reasons
        self.ended = ended
        self.configuration = configuration
        self.timeouts = timeouts
        drained = Array(repeating: .zero, count: Int(WEIR_MAX_INTERFACES * WEIR_DIRECTIONS))
        denied = drained
    }

    /// How many slots there are.
    package var slots: Int { table.slots.count }

    /// Reads the whole table once.
    ///
    /// - Parameters:
    ///   - surroundings: time, roles, and interfaces that are gone.
    ///   - fence: returns when every program that was running has ended, and what the stack did in the same run.
    ///   - emit: takes a batch; called several times.
    /// - Throws: what `fence` throws; then retired slots wait for the next scan.
    package mutating func scan(
        _ surroundings: Surroundings,
        fence: () throws(DatapathError) -> Void,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) {
        let isPressed = live > slots / 4 * 3
        let hasGone = !surroundings.gone.isEmpty
        var seen = 0
        var chunk = 0
        for word in 0..<table.occupied.count {
            table.prefetch(word: word + 1)
            var bits = unsafe table.occupied.base[word]
            guard bits != 0 else { continue }
            table.slots.need(word << Int(WEIR_OCCUPIED_SHIFT))
            let dropped = unsafe weir_load_u64(table.dropped.base + word)
            while bits != 0 {
                let bit = bits.trailingZeroBitCount
                let index = word << Int(WEIR_OCCUPIED_SHIFT) + bit
                bits &= bits - 1
                let slot = unsafe table.slots.base + index
                guard unsafe weir_slot_head(slot) >> 32 == UInt64(WEIR_SLOT_LIVE.rawValue) else { continue }
                seen += 1
                if unsafe slot.pointee.changed == 0, unsafe !begin(index, slot, surroundings) { continue }
                var moved = unsafe drain(slot, number: UInt32(index))
                // A flow that is only dropped lives, too.
                if dropped >> UInt64(bit) & 1 != 0 { moved = true }
                if moved { unsafe slot.pointee.changed = surroundings.now | 1 }
                let isGone = hasGone && surroundings.gone.contains(Int(unsafe slot.pointee.interface))
                let isOver = unsafe !moved && isOver(slot, at: surroundings.now, isPressed: isPressed)
                if isGone || isOver {
                    var end = Retired(slot: UInt32(index), number: UInt32(index), isEnd: true)
                    end.isRemembered = !isGone
                    end.isJoined = unsafe isJoined(slot.pointee, surroundings)
                    unsafe retire(slot, end)
                }
            }
            if batch.deltas.count >= Self.batchSize {
                if !reasons.isEmpty { try fence() }
                drainDrops(inWords: chunk..<word + 1)
                hand(to: emit)
                chunk = word + 1
            }
        }
        live = seen
        let rest = chunk..<table.occupied.count
        if !retired.isEmpty || !reasons.isEmpty && !batch.isEmpty { try fence() }
        drainDrops(inWords: rest)
        finishRetired(emit: emit)
        hand(to: emit)
    }

    private mutating func hand(to emit: (FlowBatch) -> Void) {
        guard !batch.isEmpty else { return }
        emit(batch)
        batch.removeAll()
    }

    // MARK: Birth

    /// Makes the acquaintance of a slot; false if it is a second one of a flow that has one, and was retired.
    ///
    /// Two CPUs may each claim a slot for the first packets of one flow; both lie in the same window.
    private mutating func begin(
        _ index: Int,
        _ slot: UnsafeMutablePointer<weir_flow_slot>,
        _ surroundings: Surroundings
    ) -> Bool {
        if let first = unsafe otherSlot(of: slot, index) {
            unsafe weir_slot_add_marks(table.slots[first], slot.pointee.marks)
            unsafe retire(slot, Retired(slot: UInt32(index), number: UInt32(first), isEnd: false))
            return false
        }
        let key = unsafe FlowKey(slot.pointee)
        let past = ended.take(key, marks: unsafe FlowMarks(rawValue: slot.pointee.marks), now: surroundings.now)
        // The slot keeps it for when the flow ends again.
        if let nearBegan = past?.nearBegan {
            unsafe weir_slot_add_marks(slot, FlowMarks.opened(byNear: nearBegan).rawValue)
        }
        unsafe slot.pointee.changed = surroundings.now | 1
        batch.births.append(
            FlowBirth(
                number: UInt32(index),
                key: key,
                role: surroundings.roles[Int(unsafe slot.pointee.interface)],
                marks: unsafe FlowMarks(rawValue: slot.pointee.marks),
                joined: unsafe isJoined(slot.pointee, surroundings),
                resumed: past?.isSameConnection ?? false,
                began: Int64(clamping: unsafe slot.pointee.born)
            )
        )
        return true
    }

    private func isJoined(_ slot: weir_flow_slot, _ surroundings: Surroundings) -> Bool {
        let isEarly = slot.born < surroundings.started + Self.joinWindow
        return FlowMarks(rawValue: slot.marks).isJoined(proto: IPProtocol(rawValue: slot.protocol), isEarly: isEarly)
    }

    /// Another live slot with the same key that is already known.
    private func otherSlot(of slot: UnsafeMutablePointer<weir_flow_slot>, _ index: Int) -> Int? {
        let home = unsafe withUnsafePointer(to: configuration) { unsafe weir_slot_home(slot, $0) }
        for step in 0..<UInt32(WEIR_WINDOW) {
            let candidate = Int((home &+ step) & configuration.slot_mask)
            table.slots.need(candidate)
            let other = unsafe table.slots.base + candidate
            guard candidate != index,
                unsafe weir_slot_head(other) >> 32 == UInt64(WEIR_SLOT_LIVE.rawValue),
                unsafe other.pointee.changed != 0, unsafe weir_slot_same_key(slot, other) != 0
            else { continue }
            return candidate
        }
        return nil
    }

    // MARK: Counters

    /// Emits what a slot counted since the last time; false if it was nothing.
    @inline(__always)
    private mutating func drain(_ slot: UnsafeMutablePointer<weir_flow_slot>, number: UInt32) -> Bool {
        let bytes = unsafe (weir_load_u64(&slot.pointee.bytes.0), weir_load_u64(&slot.pointee.bytes.1))
        let packets = unsafe (weir_load_u32(&slot.pointee.packets.0), weir_load_u32(&slot.pointee.packets.1))
        let ingress = unsafe TrafficCounters(
            packets: UInt64(packets.0 &- slot.pointee.reported_packets.0),
            bytes: bytes.0 &- slot.pointee.reported_bytes.0
        )
        let egress = unsafe TrafficCounters(
            packets: UInt64(packets.1 &- slot.pointee.reported_packets.1),
            bytes: bytes.1 &- slot.pointee.reported_bytes.1
        )
        // Bytes are added before packets; a packet may be seen half, its other half comes with the next scan.
        guard ingress.bytes | egress.bytes | ingress.packets | egress.packets != 0 else { return false }
        unsafe slot.pointee.reported_bytes = bytes
        unsafe slot.pointee.reported_packets = packets
        batch.deltas.append(FlowDelta(number: number, ingress: ingress, egress: egress))
        let position = unsafe Int(slot.pointee.interface) * 2
        drained[position] += ingress
        drained[position + 1] += egress
        return true
    }

    /// Emits what was dropped of the flows of some words since the last time.
    ///
    /// A packet is counted first and dropped then, by the same run of the network stack. So after the counters were read
    /// and the programs that ran meanwhile have ended, what was dropped of the packets that were read is all there: none of
    /// them is taken for one that went on. What is dropped of later packets is told ahead of them.
    private mutating func drainDrops(inWords words: Range<Int>) {
        for word in words {
            var bits = unsafe weir_load_u64(table.dropped.base + word)
            guard bits != 0 else { continue }
            table.slots.need(word << Int(WEIR_OCCUPIED_SHIFT))
            while bits != 0 {
                let index = word << Int(WEIR_OCCUPIED_SHIFT) + bits.trailingZeroBitCount
                bits &= bits - 1
                let slot = unsafe table.slots.base + index
                // Flows that began since then come with the next scan, and those that end come last.
                guard unsafe weir_slot_head(slot) >> 32 == UInt64(WEIR_SLOT_LIVE.rawValue),
                    unsafe slot.pointee.changed != 0
                else { continue }
                unsafe drainDrops(index, slot, number: UInt32(index))
            }
        }
    }

    /// Emits what was dropped of a slot's flow since the last time.
    private mutating func drainDrops(
        _ index: Int,
        _ slot: UnsafeMutablePointer<weir_flow_slot>,
        number: UInt32
    ) {
        guard let pending = table.takeDrops(index) else { return }
        // Read behind the drops, so that all of them are among what it says.
        let later = unsafe TrafficCounters(
            packets: UInt64(weir_load_u32(&slot.pointee.packets.0) &- slot.pointee.reported_packets.0),
            bytes: weir_load_u64(&slot.pointee.bytes.0) &- slot.pointee.reported_bytes.0
        )
        pending.tell(of: number, reasons: reasons, later: later, in: &batch.drops)
        let position = unsafe Int(slot.pointee.interface) * 2
        denied[position] += pending.denied.ingress
        denied[position + 1] += pending.denied.egress
    }

    /// Forgets what an interface position carried, so that another interface can take it.
    mutating func resetDrained(position: Int) {
        drained[position * 2] = .zero
        drained[position * 2 + 1] = .zero
        denied[position * 2] = .zero
        denied[position * 2 + 1] = .zero
    }

    // MARK: End

    private func isOver(_ slot: UnsafeMutablePointer<weir_flow_slot>, at now: UInt32, isPressed: Bool) -> Bool {
        let isTwoWay = unsafe slot.pointee.packets.0 != 0 && slot.pointee.packets.1 != 0
        let limit = unsafe timeouts.limit(
            proto: slot.pointee.protocol,
            marks: slot.pointee.marks,
            isTwoWay: isTwoWay,
            isPressed: isPressed
        )
        return unsafe now &- slot.pointee.changed >= limit && now &- slot.pointee.changed < UInt32.max / 2
    }

    private mutating func retire(_ slot: UnsafeMutablePointer<weir_flow_slot>, _ entry: Retired) {
        unsafe weir_slot_retire(slot)
        retired.append(entry)
    }

    /// Reads the rest of the retired slots and frees them; behind the fence.
    private mutating func finishRetired(emit: (FlowBatch) -> Void) {
        guard !retired.isEmpty else { return }
        // All counts first: a second slot's flow may end in this scan too, and nothing may follow an end.
        for entry in retired {
            let slot = unsafe table.slots.base + Int(entry.slot)
            _ = unsafe drain(slot, number: entry.number)
            unsafe drainDrops(Int(entry.slot), slot, number: entry.number)
            if entry.isRemembered { unsafe remember(slot.pointee, isJoined: entry.isJoined) }
            table.free(Int(entry.slot))
            if batch.deltas.count + batch.drops.count >= Self.batchSize { hand(to: emit) }
        }
        for entry in retired where entry.isEnd { batch.ends.append(entry.number) }
        live -= retired.count
        retired.removeAll(keepingCapacity: true)
    }

    private func remember(_ slot: weir_flow_slot, isJoined: Bool) {
        ended.note(
            FlowKey(slot),
            marks: FlowMarks(rawValue: slot.marks),
            isJoined: isJoined,
            position: Int(slot.interface),
            lastChange: slot.changed
        )
    }
}

extension FlowKey {
    /// The key of a slot, in host terms.
    init(_ slot: weir_flow_slot) {
        self.init(
            interfaceIndex: slot.ifindex,
            near: IPAddress(word0: slot.near_addr.0, word1: slot.near_addr.1),
            far: IPAddress(word0: slot.far_addr.0, word1: slot.far_addr.1),
            nearPort: UInt16(bigEndian: slot.near_port),
            farPort: UInt16(bigEndian: slot.far_port),
            proto: IPProtocol(rawValue: slot.protocol)
        )
    }

    /// The key of an overflow event, in host terms.
    init(_ key: weir_flow_key) {
        self.init(
            interfaceIndex: key.ifindex,
            near: IPAddress(word0: key.near_addr.0, word1: key.near_addr.1),
            far: IPAddress(word0: key.far_addr.0, word1: key.far_addr.1),
            nearPort: UInt16(bigEndian: key.near_port),
            farPort: UInt16(bigEndian: key.far_port),
            proto: IPProtocol(rawValue: key.protocol)
        )
    }
}

extension FlowMarks {
    /// Whether a connection was running before its first packet was seen.
    ///
    /// TCP shows it: its first packet is no opening. Others can only be suspected, when they are seen at once after the
    /// start.
    func isJoined(proto: IPProtocol, isEarly: Bool) -> Bool {
        guard isDisjoint(with: .handshake) else { return false }
        return proto == .tcp || isEarly
    }
}
