import CWeir
import FlowModel

/// The state that previous agents left in pinned maps, as far as it is not processed yet.
struct Takeover {
    /// The reason why nothing is pinned although pinning is configured.
    var unpinned: String?
    /// Positions of interfaces in the table that stays in use, by index.
    var interfaces: [UInt32: Int] = [:]
    /// Positions of upper devices in that table, by index.
    var uppers: [UInt32: Int] = [:]
    /// Interfaces that are no longer watched, or could not be watched again.
    var former: [(index: UInt32, interface: WatchedInterface)] = []
    /// Tables of other layouts.
    var predecessors: [any FormerTable] = []
    /// Layouts that lack a map, or are of another version and not described.
    var unreadable: [String] = []
    /// The layout of the table that was read last, until its records are written.
    var drained: String?
    /// Counts outside of flows on removed interfaces.
    var gone = RemainderLedger.Counts()
    /// Counts that previous agents took from ended flows but did not write before they died: on present interfaces, and on
    /// removed ones.
    var unwritten = (present: RemainderLedger.Counts(), gone: RemainderLedger.Counts())

    /// Adds an interface that is no longer watched.
    mutating func add(_ name: String, _ index: UInt32, _ position: Int, isUpper: Bool = false) {
        let interface = WatchedInterface(former: name, role: .host, position: position, isUpper: isUpper)
        former.append((index, interface))
    }
}

// MARK: - Start

extension Datapath {
    /// Locks the folder for pins, if maps and links are to outlive the process.
    static func takePins(
        _ configuration: DatapathConfiguration,
        _ takeover: inout Takeover
    ) throws(DatapathError) -> PinFolder? {
        switch configuration.pinning {
        case .never: return nil
        case .always: return try PinFolder.take(root: configuration.bpffs)
        case .untilEnd:
            do throws(DatapathError) {
                return try PinFolder.take(root: configuration.bpffs)
            } catch {
                guard case .running = error else {
                    takeover.unpinned = "\(error)"
                    return nil
                }
                throw error
            }
        }
    }

    /// Continues with the table that was found, and finds tables of other layouts.
    func inherit(_ configuration: DatapathConfiguration, _ ended: EndedFlows) throws(DatapathError) {
        guard let pins else { return }
        let maps = programs.maps
        let layout = PinFolder.layout(configuration, reasons: maps.reasons)
        if programs.isFound { try resume() }
        for other in pins.layouts where other != layout {
            if let maps = try pins.maps(layout: other) {
                let predecessor = try Predecessor(
                    other,
                    maps,
                    reasons: programs.dropReasons?.byNumber ?? [],
                    timeouts: configuration.timeouts,
                    ended: ended
                )
                takeover.predecessors.append(predecessor)
                takeover.unwritten.present += predecessor.unwritten
                takeover.unwritten.gone += predecessor.gone
            } else if let table = DescribedTable(other, in: "\(pins.path)/\(other)") {
                takeover.predecessors.append(table)
                takeover.unwritten.gone += table.gone
            } else {
                takeover.unreadable.append(other)
            }
        }
        for predecessor in takeover.predecessors { ownedQdiscs.formUnion(predecessor.ownedQdiscs) }
    }

    /// Continues with the counts of the table that was found.
    private func resume() throws(DatapathError) {
        guard let reported = programs.maps.reported else { return }
        let positions = try programs.maps.foundInterfaces().map(\.position)
        table.recover(positions: positions, moveRing: overflow.moveRing) { clear(position: $0) }
        try fence.wait()
        table.vacateLanes()
        for interface in try programs.maps.foundInterfaces() {
            let position = interface.position
            let version = reported.version(position: position)
            table.resume(position: position, version)
            let loose = reported.loose(position: position)
            overflow.resume(position: position, version, loose: loose)
            takeover.unwritten.present += loose
            let handedOn = RemainderLedger.Counts(version.handed_on) + RemainderLedger.Counts(version.unplaced)
            remainders.resume(position: position, handedOn: handedOn)
            occupy(position: position, interface.index)
            if interface.isUpper {
                takeover.uppers[interface.index] = position
            } else {
                takeover.interfaces[interface.index] = position
            }
        }
        takeover.gone += reported.loose(position: ReportedCounts.gone)
        takeover.unwritten.gone += takeover.gone
    }
}

// MARK: - Attaching

extension Datapath {
    /// Sends notices about the tables that were found, and pins the new objects.
    func beginTakeover() throws(DatapathError) {
        if let reason = takeover.unpinned { onNotice(.unpinned(reason: reason)) }
        for predecessor in takeover.predecessors {
            let hasFlows = predecessor is Predecessor
            onNotice(hasFlows ? .draining(layout: predecessor.layout) : .drainingTotals(layout: predecessor.layout))
        }
        for layout in takeover.unreadable { onNotice(.unreadable(layout: layout)) }
        let interfaces = takeover.interfaces.count
        if programs.isFound { onNotice(.resumed(flows: shares.usedSlots, interfaces: interfaces)) }
        // A drop is counted on the interface that the packet is on.
        if takeover.predecessors.isEmpty { try beginDrops() }
        guard let pins, let reported = programs.maps.reported else { return }
        // An earlier agent of this version may not have described them.
        if programs.isFound { return try pins.describe(programs.maps) }
        unsafe reported.state.pointee.version = UInt32(WEIR_ABI_VERSION)
        unsafe reported.state.pointee.config = programs.configuration
        if let reasons = programs.dropReasons {
            unsafe reported.state.pointee.drops = try weir_drop_config(reasons)
        }
        let layout = PinFolder.layout(programs.maps)
        try pins.pin(programs.maps, layout: layout)
    }

    private func beginDrops() throws(DatapathError) {
        var isSame = false
        if programs.isFound, let reasons = programs.dropReasons, let reported = programs.maps.reported {
            let new = try weir_drop_config(reasons)
            isSame = unsafe withUnsafeBytes(of: new) { new in
                unsafe withUnsafeBytes(of: &reported.state.pointee.drops) { unsafe new.elementsEqual($0) }
            }
            unsafe reported.state.pointee.drops = new
        }
        try drops?.begin(pins, isSame: isSame)
    }

    /// The position of an interface that a previous agent watched, if it is the same one.
    func takeFound(_ link: Link) -> Int? {
        guard let position = takeover.interfaces.removeValue(forKey: link.index), let pins else { return nil }
        let name = programs.maps.reported?.name(position: position) ?? ""
        let isSame =
            name == link.name || ClsactFilters.arePresent(on: link.index)
            || TCXLink.isAttached(at: pins.link(.ingress, of: link.index), to: link.index)
        if isSame { return position }
        // The kernel assigned its index to another interface.
        interfaces.hide(position: position)
        takeover.add(name, link.index, position)
        return nil
    }

    /// Detaches from interfaces that are no longer watched.
    func endTakeover() throws(DatapathError) {
        if !takeover.predecessors.isEmpty { try beginDrops() }
        for (index, position) in takeover.interfaces {
            takeover.add(programs.maps.reported?.name(position: position) ?? "", index, position)
        }
        for (index, position) in takeover.uppers {
            takeover.add(programs.maps.reported?.name(position: position) ?? "", index, position, isUpper: true)
        }
        (takeover.interfaces, takeover.uppers) = ([:], [:])
        for (_, interface) in takeover.former { drops?.ignore(position: interface.position) }
        if let pins {
            for index in pins.linkedInterfaces where watched[index] == nil { pins.unlink(of: index) }
        }
        for (index, interface) in takeover.former where watched[index] == nil && !interface.isUpper {
            let isOwned = unsafe programs.maps.reported?.interface(interface.position).pointee.owns_qdisc == 1
            removeFilters(from: index, withQdisc: isOwned)
        }
        for predecessor in takeover.predecessors {
            for interface in predecessor.found where watched[interface.index] == nil && !interface.isUpper {
                removeFilters(from: interface.index, withQdisc: ownedQdiscs.contains(interface.index))
            }
        }
        watchedSince = Self.monotonicNow
        guard let reported = programs.maps.reported else { return }
        if programs.isFound, unsafe reported.state.pointee.watched_since != 0 {
            watchedSince = unsafe reported.state.pointee.watched_since
        }
        unsafe reported.state.pointee.watched_since = watchedSince
    }

    private func removeFilters(from index: UInt32, withQdisc: Bool) {
        guard network.links[index] != nil else { return }
        ClsactFilters.remove(from: index)
        if withQdisc { ClsactFilters.removeQdisc(from: index) }
    }
}

// MARK: - Reading

extension Datapath {
    /// Reads the counts that previous agents left of interfaces that are no longer watched, and of tables of other layouts.
    func readTakenOver(_ emit: (FlowBatch) -> Void) throws(DatapathError) {
        if takeover.gone != RemainderLedger.Counts() {
            var batch = FlowBatch()
            batch.remainders.append(FlowRemainder(takeover.gone, 0, .host, local: nil))
            takeover.gone = RemainderLedger.Counts()
            emit(batch)
        }
        if !takeover.former.isEmpty {
            let former = takeover.former
            takeover.former = []
            try close(former, flowsEnd: true, emit: emit)
        }
        guard takeover.drained == nil, let predecessor = takeover.predecessors.first else { return }
        // Runs of its programs that have not ended yet end here.
        try fence.wait()
        if predecessor.gone != RemainderLedger.Counts() {
            var batch = FlowBatch()
            batch.remainders.append(FlowRemainder(predecessor.gone, 0, .host, local: nil))
            emit(batch)
        }
        let roles = watched.mapValues(\.role)
        let known = predecessor.unwritten
        let accounts = try predecessor.drain(now: now, role: { roles[$0] ?? .host }, emit: emit)
        takeover.unwritten.present += predecessor.unwritten.since(known)
        for account in accounts { past.add(account) }
        takeover.drained = predecessor.layout
        if let reported = programs.maps.reported {
            unsafe weir_agent_set_drained(reported.state, predecessor.layout, reported.epoch)
        }
    }
}
