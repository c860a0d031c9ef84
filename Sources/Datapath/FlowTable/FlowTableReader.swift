package import CWeir
package import FlowModel
import Glibc

/// Reads the flow table in shared memory: the traffic of each flow since the last scan, new flows, and ended flows.
///
/// The counts of a live flow only grow, and an array beside the table has the counts that were drained before, so a scan is
/// one pass over memory without a system call, a lookup or a delete. An ended flow is retired in two steps: programs stop
/// adding to its slot; after a grace period its last counts are read and the slot is freed. No packet is lost in between.
///
/// `@safe`: all pointers are into the mapped table, which lives as long as the reader; indices come from its own loops.
@safe
package struct FlowTableReader: ~Copyable {
    /// The input of a scan besides the table.
    package struct Surroundings {
        /// The agent's clock, ms; wraps.
        package var now: UInt32
        /// The time when watching began, CLOCK_MONOTONIC ns.
        package var started: UInt64
        /// CLOCK_MONOTONIC, ns.
        package var clock: UInt64
        /// Roles by interface position.
        package var roles: [InterfaceRole]
        /// The kernel's indices of the interfaces by position.
        package var indices: [UInt32]
        /// Positions of interfaces that are gone; their flows end now.
        package var gone: Set<Int>
        /// Whether these flows continue in another table.
        package var goOn = false
        /// Decides whether there is time to read new flows one by one; nil if there always is.
        package var deadline: ExpeditedFlows.Deadline?

        package init(
            now: UInt32,
            started: UInt64,
            clock: UInt64 = Datapath.monotonicNow,
            roles: [InterfaceRole],
            indices: [UInt32] = Array(0..<UInt32(WEIR_MAX_INTERFACES)),
            gone: Set<Int> = []
        ) {
            self.now = now
            self.started = started
            self.clock = clock
            self.roles = roles
            self.indices = indices
            self.gone = gone
        }
    }

    /// Slots in use after the last scan.
    package internal(set) var live = 0
    /// The counts drained so far: two counters, ingress and egress, for each interface position.
    var drained: [TrafficCounters]
    /// The denied traffic, in the same order.
    private(set) var denied: [TrafficCounters]

    let table: FlowTable
    var configuration: weir_config
    private let timeouts: FlowTimeouts
    private let reasons: [DropReason?]
    var batch = FlowBatch()
    /// Retired slots without traffic whose flows were never reported; freed behind the fence.
    var empty: [UInt32] = []
    private var retired: [Retired] = []
    /// Flags of TCP that were emitted, by flow identifier.
    private var flags: [TCPFlags]
    private let ended: EndedFlows
    private var owners = OwnerChanges()
    private var expedited = ExpeditedFlows()

    private struct Retired {
        var slot: UInt32
        /// The flow that the slot's counts belong to.
        var flowID: UInt32
        /// Whether the flow ends with the slot; else the slot was a second one of a flow that continues.
        var isEnd: Bool
        /// Whether the flow may continue in another slot.
        var isRemembered = false
        /// Whether the flow began before it was watched, according to its first packets.
        var isJoined = false
        /// The kernel's index of the flow's interface.
        var interfaceIndex: UInt32 = 0
    }

    /// The most flows of a batch; it bounds the memory of a scan, and the number of its waits for the fence.
    private static let batchSize = 32768

    /// Connections whose first packet is seen this soon after the start may have run before, ns.
    private static let joinWindow: UInt64 = 1_000_000_000

    /// Takes the table, the configuration of its programs, the drop reasons that they count, and the flows that ended recently.
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
        flags = Array(repeating: [], count: self.table.slots.count)
    }

    /// The number of slots in the table.
    package var slots: Int { table.slots.count }

    /// Reads the whole table once.
    ///
    /// - Parameters:
    ///   - surroundings: time, roles, and interfaces that are gone.
    ///   - fence: returns when every program that was running, and the stack's work in the same run, has ended.
    ///   - emit: takes a batch; called several times.
    /// - Throws: errors of `fence`; then retired slots wait for the next scan.
    package mutating func scan(
        _ surroundings: Surroundings,
        fence: () throws(DatapathError) -> Void,
        emit: (FlowBatch) -> Void
    ) throws(DatapathError) {
        let isCrowded = table.shares.usedSlots > Int(configuration.slot_limit) / 4 * 3
        var isPressed = [Bool](repeating: false, count: isCrowded ? Int(WEIR_MAX_INTERFACES) : 0)
        for position in isPressed.indices {
            isPressed[position] = table.shares.slots(of: position) > table.shares.slotsShare(of: position)
        }
        let hasGone = !surroundings.gone.isEmpty
        expedited.begin(surroundings)
        var seen = 0
        var chunk = 0
        var ahead = table.lookahead()
        for word in 0..<table.occupied.count {
            var bits = unsafe table.occupied.base[word]
            guard bits != 0 else { continue }
            table.need(word << Int(WEIR_OCCUPIED_SHIFT))
            expedited.look()
            let dropped = unsafe weir_load_u64(table.dropped.base + word)
            while bits != 0 {
                let bit = bits.trailingZeroBitCount
                let index = word << Int(WEIR_OCCUPIED_SHIFT) + bit
                bits &= bits - 1
                table.prefetchNext(&ahead)
                let slot = unsafe table.slots.base + index
                let head = unsafe weir_slot_head(slot)
                guard weir_head_is_live(head) else { continue }
                seen += 1
                let taken = unsafe table.taken.base + index
                let position = Int(weir_head_interface(head))
                if unsafe taken.pointee.changed == 0 {
                    if isEmpty(index) {
                        unsafe skipEmpty(index, slot, isGone: hasGone && surroundings.gone.contains(position))
                        continue
                    }
                    if expedited.isOn, addUp(index, position: position, isDropped: dropped >> UInt64(bit) & 1 != 0) {
                        continue
                    }
                    if unsafe !begin(index, slot, surroundings) { continue }
                }
                var moved = drain(index, position: position, flowID: UInt32(index))
                // A flow whose packets are all dropped is alive, too.
                if dropped >> UInt64(bit) & 1 != 0 { moved = true }
                if moved { unsafe taken.pointee.changed = surroundings.now | 1 }
                let isGone = hasGone && surroundings.gone.contains(position)
                let isOver =
                    !moved && isOver(index, at: surroundings.now, isPressed: isCrowded && isPressed[position])
                if isGone || isOver { end(index, position: position, isGone: isGone, surroundings) }
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
        let isWaiting = !retired.isEmpty || !empty.isEmpty || !owners.isEmpty
        if isWaiting || !reasons.isEmpty && !batch.isEmpty { try fence() }
        owners.finish(table)
        drainDrops(inWords: rest)
        finishEmpty(surroundings)
        finishRetired(emit: emit)
        batch.remainders += expedited.take(indices: surroundings.indices)
        hand(to: emit)
    }

    private mutating func hand(to emit: (FlowBatch) -> Void) {
        guard !batch.isEmpty else { return }
        emit(batch)
        batch.removeAll()
    }

    // MARK: Birth

    /// Processes a new slot; false if it was retired because its flow already has one.
    ///
    /// Two CPUs may each claim a slot for the first packets of one flow; both slots are in the same window.
    mutating func begin(
        _ index: Int,
        _ slot: UnsafeMutablePointer<weir_flow_slot>,
        _ surroundings: Surroundings
    ) -> Bool {
        if let first = unsafe otherSlot(of: slot, index) {
            unsafe weir_slot_add_marks(table.slots[first], slot.pointee.marks)
            unsafe retire(slot, Retired(slot: UInt32(index), flowID: UInt32(first), isEnd: false))
            return false
        }
        let key = unsafe FlowKey(slot.pointee, interfaceIndex: surroundings.indices[Int(slot.pointee.interface)])
        let past = ended.take(key, marks: unsafe FlowMarks(slot.pointee), now: surroundings.now)
        // The slot stores this until the flow ends again.
        if let nearBegan = past?.nearBegan {
            unsafe weir_slot_add_marks(slot, FlowMarks.opened(byNear: nearBegan).rawValue)
        }
        // The slot also stores whether its flow may have begun unwatched: the time of birth is valid for minutes only.
        if unsafe weir_slot_born(slot, surroundings.clock) < surroundings.started + Self.joinWindow {
            unsafe weir_slot_add_marks(slot, UInt32(WEIR_MARK_EARLY))
        }
        unsafe table.taken[index].pointee.changed = surroundings.now | 1
        unsafe table.taken[index].pointee.foreign = (0, 0)
        flags[index] = unsafe TCPFlags(FlowMarks(slot.pointee))
        batch.births.append(
            FlowBirth(
                flowID: UInt32(index),
                key: key,
                role: surroundings.roles[Int(unsafe slot.pointee.interface)],
                marks: unsafe FlowMarks(slot.pointee),
                joined: unsafe isJoined(slot.pointee),
                // A previous agent may have reported it.
                resumed: past?.isSameConnection ?? table.reported?.isReported(slot: index) ?? false,
                began: Int64(clamping: unsafe weir_slot_born(slot, surroundings.clock))
            )
        )
        return true
    }

    private func isJoined(_ slot: weir_flow_slot) -> Bool {
        FlowMarks(slot).isJoined(
            proto: IPProtocol(rawValue: slot.protocol),
            hasPorts: slot.near_port != 0 && slot.far_port != 0,
            isEarly: slot.marks & UInt32(WEIR_MARK_EARLY) != 0
        )
    }

    /// Another live slot with the same key that is already known.
    private func otherSlot(of slot: UnsafeMutablePointer<weir_flow_slot>, _ index: Int) -> Int? {
        let home = unsafe withUnsafePointer(to: configuration) { unsafe weir_slot_home(slot, $0) }
        for step in 0..<UInt32(WEIR_WINDOW) {
            let candidate = Int((home &+ step) & configuration.slot_mask)
            table.need(candidate)
            let other = unsafe table.slots.base + candidate
            // The head is in the key, so a slot with the same key is live.
            guard candidate != index, unsafe weir_slot_same_key(slot, other),
                unsafe table.taken.base[candidate].changed != 0
            else { continue }
            table.bridge(from: Int(home), to: candidate)
            return candidate
        }
        return nil
    }

    // MARK: Counters

    /// Emits the counts of a slot since the last scan; false if there are none.
    @inline(__always)
    private mutating func drain(_ index: Int, position: Int, flowID: UInt32) -> Bool {
        guard let (ingress, egress) = take(index, position: position) else { return false }
        let marks = unsafe weir_load_u32(&table.slots.base[index].marks)
        if marks & UInt32(WEIR_MARK_SHARED) != 0 {
            table.rest.need(index)
            owners.consider(table, index, ingress: ingress.packets, egress: egress.packets)
        }
        batch.deltas.append(FlowDelta(flowID: flowID, ingress: ingress, egress: egress))
        let seen = TCPFlags(FlowMarks(rawValue: marks))
        if !seen.isSubset(of: flags[Int(flowID)]) { emit(seen, of: flowID) }
        return true
    }

    /// Emits the flags of a flow that has more than before.
    private mutating func emit(_ seen: TCPFlags, of flowID: UInt32) {
        flags[Int(flowID)].formUnion(seen)
        batch.flags.append(FlowFlags(flowID: flowID, flags: flags[Int(flowID)]))
    }

    /// Drains the counts of a slot since the last scan; nil if there are none.
    @inline(__always)
    private mutating func take(_ index: Int, position: Int) -> (ingress: TrafficCounters, egress: TrafficCounters)? {
        guard let counts = table.counts(index) else { return nil }
        let taken = unsafe table.taken.base + index
        let (ingress, egress) = unsafe counts.since(taken.pointee)
        // Other CPUs than the owner add bytes before packets; a packet may be seen in part, and the rest with the next scan.
        guard ingress.bytes | egress.bytes | ingress.packets | egress.packets != 0 else { return nil }
        // Counts that a scan past its deadline added up are not subtracted from its sum: later packets make up for it.
        guard Int64(bitPattern: egress.bytes) >= 0 else { return nil }
        unsafe taken.pointee.bytes = counts.bytes
        unsafe taken.pointee.packets = counts.packets
        drained[position * 2] += ingress
        drained[position * 2 + 1] += egress
        return (ingress, egress)
    }

    /// Adds up the counts of a slot whose flow is not born yet; false if the flow must be reported individually.
    private mutating func addUp(_ index: Int, position: Int, isDropped: Bool) -> Bool {
        let key = unsafe FlowKey(table.slots.base[index], interfaceIndex: 0)
        guard expedited.takes(key, position: position, isDropped: isDropped) else { return false }
        if let (ingress, egress) = take(index, position: position) {
            expedited.add(ingress: ingress, egress: egress, of: key, position: position)
        }
        return true
    }

    /// Adds up the dropped packets of such a slot.
    private mutating func addUpDrops(_ index: Int, position: Int) {
        guard let pending = table.takeDrops(index, position: position) else { return }
        let key = unsafe FlowKey(table.slots.base[index], interfaceIndex: 0)
        expedited.add(pending, of: key, position: position)
        denied[position * 2] += pending.denied.ingress
        denied[position * 2 + 1] += pending.denied.egress
    }

    /// Emits the drops of the flows in a range of words since the last scan.
    ///
    /// The network stack counts a packet first and drops it later, in the same run. After the counters were read and the
    /// programs that ran meanwhile have ended, all drops of the packets that were read are therefore recorded: none of these
    /// packets counts as forwarded. Drops of later packets are reported ahead of the packets.
    private mutating func drainDrops(inWords words: Range<Int>) {
        for word in words {
            var bits = unsafe weir_load_u64(table.dropped.base + word)
            guard bits != 0 else { continue }
            table.need(word << Int(WEIR_OCCUPIED_SHIFT))
            while bits != 0 {
                let index = word << Int(WEIR_OCCUPIED_SHIFT) + bits.trailingZeroBitCount
                bits &= bits - 1
                let head = unsafe weir_slot_head(table.slots.base + index)
                subtractDropped(index, position: Int(weir_head_interface(head)), isLive: weir_head_is_live(head))
                // Flows that began since then come with the next scan, and flows that end come last.
                guard weir_head_is_live(head) else { continue }
                guard unsafe table.taken.base[index].changed != 0 else {
                    if expedited.isOn { addUpDrops(index, position: Int(weir_head_interface(head))) }
                    continue
                }
                drainDrops(index, position: Int(weir_head_interface(head)), flowID: UInt32(index))
            }
        }
    }

    /// Emits the drops of a slot's flow since the last scan.
    private mutating func drainDrops(_ index: Int, position: Int, flowID: UInt32) {
        guard let pending = table.takeDrops(index, position: position) else { return }
        // Read after the drops, so that it includes all of them.
        let later = unsafe table.counts(index)?.since(table.taken.base[index]).ingress ?? .zero
        pending.report(flowID, reasons: reasons, later: later, in: &batch.drops)
        denied[position * 2] += pending.denied.ingress
        denied[position * 2 + 1] += pending.denied.egress
    }

    /// Clears the counts of an interface position, so that another interface can use it.
    mutating func resetDrained(position: Int) {
        drained[position * 2] = .zero
        drained[position * 2 + 1] = .zero
        denied[position * 2] = .zero
        denied[position * 2 + 1] = .zero
    }

    /// Continues with the counts that a previous agent drained from an interface position.
    mutating func resume(position: Int, _ version: weir_interface_version) {
        drained[position * 2] = TrafficCounters(version.flows.0)
        drained[position * 2 + 1] = TrafficCounters(version.flows.1)
        denied[position * 2] = TrafficCounters(version.denied_flows.0)
        denied[position * 2 + 1] = TrafficCounters(version.denied_flows.1)
    }

    /// Continues with the slots of a previous agent.
    func recover(positions: [Int], moveRing: (UInt64) -> Void, clear: (Int) -> Void) {
        table.reported?.recover(table, positions: positions, moveRing: moveRing, clear: clear)
    }

    /// Releases the lanes that a previous agent had taken from their owners; call it after a grace period.
    func vacateLanes() {
        table.forEachOccupied { index in
            for direction in [Int32(WEIR_INGRESS), Int32(WEIR_EGRESS)] {
                let (taken, none) = (UInt32(WEIR_OWNER_CHANGING), UInt32(WEIR_OWNER_NONE))
                _ = unsafe weir_slot_change_owner(table.slots.base + index, direction, taken, none)
            }
        }
    }

    /// Closes the epoch of the reported counts; see ``ReportedCounts/close(_:_:)``.
    func closeEpoch(_ versions: [(position: Int, version: weir_interface_version)]) -> UInt32? {
        table.reported?.close(table, versions)
    }

    // MARK: End

    private func isOver(_ index: Int, at now: UInt32, isPressed: Bool) -> Bool {
        let (slot, taken) = unsafe (table.slots.base + index, table.taken.base + index)
        let limit = unsafe timeouts.limit(
            proto: slot.pointee.protocol,
            marks: slot.pointee.marks,
            isTwoWay: taken.pointee.packets.0 != 0 && taken.pointee.packets.1 != 0,
            isPressed: isPressed
        )
        let quiet = unsafe now &- taken.pointee.changed
        return quiet >= limit && quiet < UInt32.max / 2
    }

    /// Retires the slot of a flow that ends.
    mutating func end(_ index: Int, position: Int, isGone: Bool, _ surroundings: Surroundings) {
        let slot = unsafe table.slots.base + index
        var end = Retired(slot: UInt32(index), flowID: UInt32(index), isEnd: true)
        end.isRemembered = !isGone || surroundings.goOn
        end.isJoined = unsafe isJoined(slot.pointee)
        end.interfaceIndex = surroundings.indices[position]
        unsafe retire(slot, end)
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
            let index = Int(entry.slot)
            let position = Int(weir_head_interface(unsafe weir_slot_head(table.slots.base + index)))
            _ = drain(index, position: position, flowID: entry.flowID)
            drainDrops(index, position: position, flowID: entry.flowID)
            if entry.isRemembered { remember(index, entry) }
            table.free(index)
            if batch.deltas.count + batch.drops.count >= Self.batchSize { hand(to: emit) }
        }
        for entry in retired where entry.isEnd { batch.ends.append(entry.flowID) }
        live -= retired.count
        retired.removeAll(keepingCapacity: true)
    }

    private func remember(_ index: Int, _ entry: Retired) {
        let slot = unsafe table.slots.base[index]
        ended.note(
            FlowKey(slot, interfaceIndex: entry.interfaceIndex),
            marks: FlowMarks(slot),
            isJoined: entry.isJoined,
            position: Int(slot.interface),
            lastChange: unsafe table.taken.base[index].changed
        )
    }
}

extension weir_counts {
    /// The counts since the last drain.
    @inline(__always)
    fileprivate func since(_ taken: weir_flow_taken) -> (ingress: TrafficCounters, egress: TrafficCounters) {
        (
            TrafficCounters(
                packets: UInt64(packets.0 &- taken.packets.0),
                bytes: bytes.0 &- taken.bytes.0
            ),
            TrafficCounters(
                packets: UInt64(packets.1 &- taken.packets.1),
                bytes: bytes.1 &- taken.bytes.1
            )
        )
    }
}

extension FlowMarks {
    /// Whether a connection was running before its first packet was seen.
    ///
    /// For TCP, the first packet is not an opening, and is one of a running connection. For other protocols it is assumed if
    /// the first packet was seen right after the start.
    ///
    /// - Parameters:
    ///   - proto: the protocol.
    ///   - hasPorts: whether the ports are known; later fragments of a packet do not show them, nor flags.
    ///   - isEarly: whether the first packet was seen right after the start.
    /// - Returns: false if the first packet began it, as far as is seen.
    func isJoined(proto: IPProtocol, hasPorts: Bool, isEarly: Bool) -> Bool {
        guard isDisjoint(with: .handshake) else { return false }
        return proto == .tcp ? !hasPorts || !beganWithoutFlags : isEarly
    }
}
