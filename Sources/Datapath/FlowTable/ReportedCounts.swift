import CWeir
import FlowModel

/// The counts that records contain, in maps of the agent that outlive it (`weir_reported.h`).
///
/// `@safe`: the maps live as long as this, and ``MappedMap`` checks indices.
@safe
final class ReportedCounts {
    /// The open epoch, to which counts that are drained now belong.
    private(set) var epoch: UInt32

    private let flows: MappedMap<weir_flow_reported>
    private let interfaces: MappedMap<weir_interface_reported>
    private let agent: MappedMap<weir_agent>
    /// The operation in progress, in the agent's map.
    private let redo: UnsafeMutablePointer<weir_redo>

    /// The position of the loose counts of interfaces that are gone.
    static let gone = Int(WEIR_REPORTED_GONE)

    /// Maps the agent's own maps.
    init(_ descriptor: (String) throws(DatapathError) -> Int32, slots: Int) throws(DatapathError) {
        let flows = try MappedMap<weir_flow_reported>(
            descriptor: descriptor("flow_reported"),
            name: "flow_reported",
            count: slots,
            isSparse: true
        )
        let interfaces = try MappedMap<weir_interface_reported>(
            descriptor: descriptor("interface_reported"),
            name: "interface_reported",
            count: Int(WEIR_REPORTED_INTERFACES),
            isSparse: true
        )
        let agent = try MappedMap<weir_agent>(descriptor: descriptor("agent"), name: "agent", count: 1)
        epoch = unsafe agent[0].pointee.committed + 1
        unsafe redo = weir_agent_redo(agent[0])
        self.flows = flows
        self.interfaces = interfaces
        self.agent = agent
    }

    // MARK: State

    /// The global state, which belongs to no slot or interface.
    var state: UnsafeMutablePointer<weir_agent> { unsafe agent[0] }

    /// The newest epoch that is committed.
    var committed: UInt32 { unsafe agent[0].pointee.committed }

    /// Whether a flush before the last one is not committed yet.
    var isWaiting: Bool { committed + 1 != epoch }

    /// The state of an interface.
    func interface(_ position: Int) -> UnsafeMutablePointer<weir_interface_reported> { unsafe interfaces[position] }

    /// Stores the name of the interface at a position, for an agent that finds the position after the interface is gone.
    func setName(_ name: String, position: Int) {
        let entry = unsafe interfaces[position]
        unsafe withUnsafeMutableBytes(of: &entry.pointee.name) { bytes in
            unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
            unsafe bytes.copyBytes(from: name.utf8.prefix(Int(WEIR_INTERFACE_NAME) - 1))
        }
    }

    /// The stored name.
    func name(position: Int) -> String {
        let entry = unsafe interfaces[position]
        return unsafe withUnsafeBytes(of: &entry.pointee.name) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    // MARK: Slots

    /// Whether written records contain the flow of a slot.
    func isReported(slot index: Int) -> Bool {
        unsafe weir_flow_version_until(flows[index], committed) != nil
    }

    /// The counts of a slot's flow that are in written records.
    func reported(slot index: Int) -> weir_flow_version {
        unsafe weir_flow_version_until(flows[index], committed)?.pointee ?? weir_flow_version()
    }

    /// Moves the uncommitted part of a slot's counts to the loose counts of its interface, and frees the slot.
    ///
    /// - Parameters:
    ///   - index: the slot's.
    ///   - position: the interface's.
    ///   - taken: all counts of the slot.
    ///   - free: frees the slot.
    func fold(_ index: Int, position: Int, taken: weir_flow_taken, free: () -> Void) {
        let (redo, entry, reported) = unsafe (redo, interfaces[position], flows[index])
        unsafe weir_loose_begin(redo, entry, UInt32(position))
        unsafe withUnsafePointer(to: taken) { taken in
            unsafe weir_loose_add_slot(redo, reported, taken, committed, epoch)
        }
        unsafe redo.pointee.subject = UInt32(index)
        unsafe weir_loose_apply(redo, entry, WEIR_REDO_SLOT.rawValue)
        unsafe reported.pointee = weir_flow_reported()
        free()
        unsafe weir_loose_end(redo)
    }

    /// Takes the drops of a slot's flow.
    func takeDrops(_ slot: UnsafeMutablePointer<weir_drop_slot>, position: Int) -> weir_drop_slot {
        let redo = unsafe redo
        unsafe weir_drops_land(redo, slot, UInt32(position))
        let taken = unsafe redo.pointee.landing
        settleLanding()
        return taken
    }

    /// Adds the landing counts to the loose counts.
    private func settleLanding() {
        let redo = unsafe redo
        let position = unsafe Int(redo.pointee.landing_position)
        let (entry, landing) = unsafe (interfaces[position], redo.pointee.landing)
        unsafe weir_loose_begin(redo, entry, UInt32(position))
        let sums = unsafe weir_loose_sums(redo, epoch)
        unsafe sums?.pointee.denied.0.add(UInt64(landing.packets.0), landing.bytes.0)
        unsafe sums?.pointee.denied.1.add(UInt64(landing.packets.1), landing.bytes.1)
        unsafe sums?.pointee.denied.2.add(UInt64(landing.packets.2), landing.bytes.2)
        unsafe weir_loose_apply(redo, entry, WEIR_REDO_DROPS.rawValue)
        unsafe weir_drops_landed(redo)
    }

    // MARK: Ring

    /// Counts a record of the ring as taken, and moves the ring on.
    func take(_ event: weir_overflow_event, behind position: UInt64, advance: () -> Void) {
        let (redo, entry) = unsafe (redo, interfaces[Int(event.key.interface)])
        unsafe weir_loose_begin(redo, entry, UInt32(event.key.interface))
        if let sums = unsafe weir_loose_sums(redo, epoch) {
            var counts = unsafe RemainderLedger.Counts(sums.pointee)
            counts.add(event)
            unsafe sums.pointee = weir_sums(counts)
        }
        unsafe redo.pointee.ring = position
        unsafe weir_loose_apply(redo, entry, WEIR_REDO_RING.rawValue)
        advance()
        unsafe weir_loose_end(redo)
    }

    // MARK: Interfaces

    /// The loose counts of an interface that are not committed.
    func loose(position: Int) -> RemainderLedger.Counts {
        let entry = unsafe interfaces[position].pointee
        var counts = RemainderLedger.Counts()
        for loose in [entry.loose.0, entry.loose.1] where loose.epoch > committed {
            counts += RemainderLedger.Counts(loose.sums)
        }
        return counts
    }

    /// The agent's part of an interface's account, as of the newest committed epoch.
    func version(position: Int) -> weir_interface_version {
        unsafe weir_interface_version_until(interfaces[position], committed)?.pointee ?? weir_interface_version()
    }

    /// Moves the uncommitted counts of an interface to the loose counts of gone interfaces, and clears its position.
    ///
    /// - Parameters:
    ///   - position: the interface's.
    ///   - handedOn: the part of the programs' remainder that was already reported.
    ///   - clear: zeroes the other state of the position.
    func release(position: Int, handedOn: RemainderLedger.Counts, clear: () -> Void) {
        let (redo, entry, all) = unsafe (redo, interfaces[position], interfaces[Self.gone])
        unsafe weir_loose_begin(redo, all, UInt32(Self.gone))
        for loose in unsafe [entry.pointee.loose.0, entry.pointee.loose.1] where loose.epoch > committed {
            add(RemainderLedger.Counts(loose.sums), to: loose.epoch)
        }
        let base = RemainderLedger.Counts(version(position: position).handed_on)
        let newest = unsafe weir_interface_version_until(entry, .max)?.pointee ?? weir_interface_version()
        let closed = RemainderLedger.Counts(newest.handed_on)
        if newest.epoch > committed { add(closed.since(base), to: newest.epoch) }
        add(handedOn.since(closed), to: epoch)
        unsafe redo.pointee.subject = UInt32(position)
        unsafe weir_loose_apply(redo, all, WEIR_REDO_RELEASE.rawValue)
        clear()
        unsafe entry.pointee = weir_interface_reported()
        unsafe weir_loose_end(redo)
    }

    private func add(_ counts: RemainderLedger.Counts, to epoch: UInt32) {
        guard counts != RemainderLedger.Counts(), let sums = unsafe weir_loose_sums(redo, epoch) else { return }
        unsafe sums.pointee = weir_sums(RemainderLedger.Counts(sums.pointee) + counts)
    }

    // MARK: Epochs

    /// Closes the epoch: writes the counts that were drained so far, and opens the next one.
    ///
    /// - Parameters:
    ///   - table: the table whose occupied slots are read.
    ///   - versions: the agent's parts of the accounts, by position.
    /// - Returns: the epoch that was closed.
    func close(_ table: borrowing FlowTable, _ versions: [(position: Int, version: weir_interface_version)]) -> UInt32 {
        precondition(!isWaiting, "at most one epoch is closed and not committed")
        table.forEachOccupied { index in
            let taken = unsafe table.taken.base + index
            guard unsafe taken.pointee.changed != 0 else { return }
            flows.need(index)
            _ = unsafe weir_flow_report(flows.base + index, taken, epoch)
        }
        for (position, version) in versions {
            var version = version
            unsafe weir_interface_report(interfaces[position], &version, epoch)
        }
        epoch += 1
        return epoch - 1
    }

    /// Marks the records of a closed epoch, and of all previous ones, as written.
    func commit(_ commit: weir_commit) {
        precondition(commit.epoch == committed + 1 && commit.epoch < epoch, "the epoch that is closed")
        unsafe withUnsafePointer(to: commit) { unsafe weir_agent_commit(agent[0], $0) }
    }

    /// Notes the beginning of a first run, for a run that continues before the first epoch is committed.
    func noteStart(_ commit: weir_commit) {
        guard committed == 0, unsafe agent[0].pointee.commit.0.boot == 0 else { return }
        unsafe agent[0].pointee.commit.0 = commit
    }

    /// Adds files to those of the newest committed epoch, or of the start of the first run.
    func add(_ files: [weir_file_mark]) {
        let commit = unsafe weir_agent_newest_commit(agent[0])
        for var file in files { unsafe weir_commit_add_file(commit, &file) }
    }

    /// The flush that closed the newest committed epoch, or the start of the first run; nil if neither was noted.
    var lastCommit: weir_commit? {
        let state = unsafe agent[0].pointee
        let commit = committed & 1 == 0 ? state.commit.0 : state.commit.1
        return commit.epoch == committed && commit.boot != 0 ? commit : nil
    }
}

// MARK: - Recovery

extension ReportedCounts {
    /// Completes the operation of an agent that died, and discards epochs that it closed but did not commit.
    ///
    /// - Parameters:
    ///   - table: the table.
    ///   - positions: the positions of all interfaces that are in it.
    ///   - moveRing: moves the ring on.
    ///   - clear: zeroes the other state of a position.
    func recover(
        _ table: borrowing FlowTable,
        positions: some Sequence<Int>,
        moveRing: (UInt64) -> Void,
        clear: (Int) -> Void
    ) {
        finishRedo(table, moveRing, clear)
        table.forEachOccupied { index in
            let slot = unsafe table.slots.base + index
            // A retired slot that was not read would never be read; it is put in use again, and ends again.
            if unsafe !weir_head_is_live(weir_slot_head(slot)) { unsafe weir_slot_revive(slot) }
            let entry = unsafe flows[index]
            if unsafe entry.pointee.version.0.epoch > committed { unsafe entry.pointee.version.0.epoch = 0 }
            if unsafe entry.pointee.version.1.epoch > committed { unsafe entry.pointee.version.1.epoch = 0 }
            let version = reported(slot: index)
            let taken = unsafe table.taken.base + index
            unsafe taken.pointee = weir_flow_taken()
            unsafe taken.pointee.bytes = version.bytes
            unsafe taken.pointee.packets = version.packets
        }
        for position in Array(positions) + [Self.gone] {
            mergeLoose(position: position)
            let entry = unsafe interfaces[position]
            if unsafe entry.pointee.version.0.epoch > committed { unsafe entry.pointee.version.0.epoch = 0 }
            if unsafe entry.pointee.version.1.epoch > committed { unsafe entry.pointee.version.1.epoch = 0 }
        }
    }

    private func finishRedo(
        _ table: borrowing FlowTable,
        _ moveRing: (UInt64) -> Void,
        _ clear: (Int) -> Void
    ) {
        let redo = unsafe redo
        let entry = unsafe interfaces[Int(redo.pointee.position)]
        let subject = unsafe Int(redo.pointee.subject)
        switch unsafe weir_redo_phase(rawValue: redo.pointee.phase) {
        case WEIR_REDO_SLOT:
            unsafe weir_loose_apply(redo, entry, redo.pointee.phase)
            // Only the agent retires slots: one that is not retired was freed, and may have been claimed since.
            if unsafe weir_head_is_retired(weir_slot_head(table.slots[subject])) {
                unsafe flows[subject].pointee = weir_flow_reported()
                table.giveBack(subject)
            }
        case WEIR_REDO_RING:
            unsafe weir_loose_apply(redo, entry, redo.pointee.phase)
            unsafe moveRing(redo.pointee.ring)
        case WEIR_REDO_DROPS:
            unsafe weir_loose_apply(redo, entry, redo.pointee.phase)
            unsafe weir_drops_landed(redo)
        case WEIR_REDO_RELEASE:
            unsafe weir_loose_apply(redo, entry, redo.pointee.phase)
            clear(subject)
            unsafe interfaces[subject].pointee = weir_interface_reported()
        case WEIR_REDO_LOOSE:
            unsafe weir_loose_apply(redo, entry, redo.pointee.phase)
        default: break
        }
        unsafe weir_loose_end(redo)
        if unsafe redo.pointee.is_landing != 0 { settleLanding() }
    }

    /// Moves the loose counts of all uncommitted epochs to the open one.
    private func mergeLoose(position: Int) {
        let (redo, entry) = unsafe (redo, interfaces[position])
        let all = loose(position: position)
        unsafe weir_loose_begin(redo, entry, UInt32(position))
        unsafe redo.pointee.loose = (weir_loose(), weir_loose())
        if all != RemainderLedger.Counts(), let sums = unsafe weir_loose_sums(redo, epoch) {
            unsafe sums.pointee = weir_sums(all)
        }
        unsafe weir_loose_apply(redo, entry, WEIR_REDO_LOOSE.rawValue)
        unsafe weir_loose_end(redo)
    }
}

// MARK: - Values

extension weir_pair {
    /// Adds packets and bytes.
    mutating func add(_ packets: UInt64, _ bytes: UInt64) {
        self.packets += packets
        self.bytes += bytes
    }

    /// Takes counts.
    init(_ counters: TrafficCounters) {
        self.init(packets: counters.packets, bytes: counters.bytes)
    }
}

extension weir_sums {
    /// Takes counts outside of flows.
    init(_ counts: RemainderLedger.Counts) {
        self.init(
            crossed: (weir_pair(counts.ingress), weir_pair(counts.egress)),
            denied: (weir_pair(counts.deniedIngress), weir_pair(counts.deniedEgress), weir_pair(counts.deniedUncounted))
        )
    }
}

extension RemainderLedger.Counts {
    /// Takes sums out of a map.
    init(_ sums: weir_sums) {
        self.init(
            ingress: TrafficCounters(sums.crossed.0),
            egress: TrafficCounters(sums.crossed.1),
            deniedIngress: TrafficCounters(sums.denied.0),
            deniedEgress: TrafficCounters(sums.denied.1),
            deniedUncounted: TrafficCounters(sums.denied.2)
        )
    }

    /// Adds other counts.
    static func + (left: Self, right: Self) -> Self {
        RemainderLedger.Counts(
            ingress: left.ingress + right.ingress,
            egress: left.egress + right.egress,
            deniedIngress: left.deniedIngress + right.deniedIngress,
            deniedEgress: left.deniedEgress + right.deniedEgress,
            deniedUncounted: left.deniedUncounted + right.deniedUncounted
        )
    }

    /// Adds other counts.
    static func += (left: inout Self, right: Self) { left = left + right }
}
