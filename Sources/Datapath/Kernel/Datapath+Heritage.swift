import CWeir
import FlowModel

/// The state that previous agents left in pinned maps, as far as it is not processed yet.
struct Heritage {
    /// Why nothing is pinned, although pinning is configured.
    var unpinned: String?
    /// Positions of interfaces in the table that stays in use, by index.
    var interfaces: [UInt32: Int] = [:]
    /// Positions of upper devices in it, by index.
    var uppers: [UInt32: Int] = [:]
    /// Interfaces that are no longer watched, or could not be watched again.
    var former: [(index: UInt32, interface: WatchedInterface)] = []
    /// Tables of other layouts.
    var predecessors: [Predecessor] = []
    /// Layouts that lack a map, or that this version cannot read.
    var unreadable: [String] = []
    /// The layout of the table that was read last, until its records are written.
    var drained: String?
    /// Counts outside of flows on interfaces that are gone.
    var gone = RemainderLedger.Counts()

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
        _ heritage: inout Heritage
    ) throws(DatapathError) -> PinFolder? {
        switch configuration.pinning {
        case .never: return nil
        case .always: return try PinFolder.take(root: configuration.bpffs)
        case .untilEnd:
            do throws(DatapathError) {
                return try PinFolder.take(root: configuration.bpffs)
            } catch {
                guard case .running = error else {
                    heritage.unpinned = "\(error)"
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
            if isWritten(other) {
                pins.remove(layout: other)
            } else if let maps = try pins.maps(layout: other) {
                heritage.predecessors.append(
                    try Predecessor(
                        other,
                        maps,
                        reasons: programs.dropReasons?.byNumber ?? [],
                        timeouts: configuration.timeouts,
                        ended: ended
                    )
                )
            } else {
                heritage.unreadable.append(other)
            }
        }
        for predecessor in heritage.predecessors { ownedQdiscs.formUnion(predecessor.ownedQdiscs) }
    }

    /// Whether the records of a table that was drained are written.
    private func isWritten(_ layout: String) -> Bool {
        guard programs.isFound, let state = unsafe programs.maps.reported?.state.pointee else { return false }
        return state.drained_epoch != 0 && state.drained_epoch <= state.committed && state.drainedLayout == layout
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
            overflow.resume(position: position, version, loose: reported.loose(position: position))
            let told = RemainderLedger.Counts(version.told) + RemainderLedger.Counts(version.unplaced)
            remainders.resume(position: position, told: told)
            occupy(position: position, interface.index)
            if interface.isUpper {
                heritage.uppers[interface.index] = position
            } else {
                heritage.interfaces[interface.index] = position
            }
        }
        heritage.gone += reported.loose(position: ReportedCounts.gone)
    }
}

// MARK: - Attaching

extension Datapath {
    /// Sends notices about what was found, and pins what is new.
    func beginHeritage() throws(DatapathError) {
        if let reason = heritage.unpinned { onNotice(.unpinned(reason: reason)) }
        for predecessor in heritage.predecessors { onNotice(.draining(layout: predecessor.layout)) }
        for layout in heritage.unreadable { onNotice(.unreadable(layout: layout)) }
        let interfaces = heritage.interfaces.count
        if programs.isFound { onNotice(.resumed(flows: shares.usedSlots, interfaces: interfaces)) }
        // A drop is counted on the interface that the packet is on.
        if heritage.predecessors.isEmpty { try beginDrops() }
        guard let pins, let reported = programs.maps.reported, !programs.isFound else { return }
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
        guard let position = heritage.interfaces.removeValue(forKey: link.index), let pins else { return nil }
        let name = programs.maps.reported?.name(position: position) ?? ""
        let isSame =
            name == link.name || ClsactFilters.arePresent(on: link.index)
            || TCXLink.isAttached(at: pins.link(.ingress, of: link.index), to: link.index)
        if isSame { return position }
        // The kernel gave its index to another interface.
        interfaces.hide(position: position)
        heritage.add(name, link.index, position)
        return nil
    }

    /// Detaches from interfaces that are no longer watched.
    func endHeritage() throws(DatapathError) {
        if !heritage.predecessors.isEmpty { try beginDrops() }
        for (index, position) in heritage.interfaces {
            heritage.add(programs.maps.reported?.name(position: position) ?? "", index, position)
        }
        for (index, position) in heritage.uppers {
            heritage.add(programs.maps.reported?.name(position: position) ?? "", index, position, isUpper: true)
        }
        (heritage.interfaces, heritage.uppers) = ([:], [:])
        for (_, interface) in heritage.former { drops?.ignore(position: interface.position) }
        if let pins {
            for index in pins.linkedInterfaces where watched[index] == nil { pins.unlink(of: index) }
        }
        for (index, interface) in heritage.former where watched[index] == nil && !interface.isUpper {
            let isOwned = unsafe programs.maps.reported?.interface(interface.position).pointee.owns_qdisc == 1
            removeFilters(from: index, withQdisc: isOwned)
        }
        for predecessor in heritage.predecessors {
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
    func readHeritage(_ emit: (FlowBatch) -> Void) throws(DatapathError) {
        if heritage.gone != RemainderLedger.Counts() {
            var batch = FlowBatch()
            batch.remainders.append(FlowRemainder(heritage.gone, 0, .host, local: nil))
            heritage.gone = RemainderLedger.Counts()
            emit(batch)
        }
        if !heritage.former.isEmpty {
            let former = heritage.former
            heritage.former = []
            try close(former, flowsEnd: true, emit: emit)
        }
        guard heritage.drained == nil, let predecessor = heritage.predecessors.first else { return }
        // Its programs that run now end here.
        try fence.wait()
        if predecessor.gone != RemainderLedger.Counts() {
            var batch = FlowBatch()
            batch.remainders.append(FlowRemainder(predecessor.gone, 0, .host, local: nil))
            emit(batch)
        }
        let roles = watched.mapValues(\.role)
        let accounts = try predecessor.drain(now: now, role: { roles[$0] ?? .host }, emit: emit)
        for account in accounts { past.add(account) }
        heritage.drained = predecessor.layout
        if let reported = programs.maps.reported {
            unsafe reported.state.pointee.drainedLayout = predecessor.layout
            unsafe reported.state.pointee.drained_epoch = reported.epoch
        }
    }
}

// MARK: - Epochs

extension Datapath {
    /// A flush whose records are written.
    public struct Flush: Sendable, Equatable {
        /// The number that ``scan(closesEpoch:emit:)`` returned.
        ///
        /// It is 0 for the start of a run, and for the last flush that a previous agent wrote.
        public var epoch: UInt32
        /// CLOCK_MONOTONIC at its end, ns.
        public var monotonic: Int64
        /// CLOCK_BOOTTIME at its end, ns.
        public var boot: Int64
        /// CLOCK_REALTIME at its end, ns.
        public var wall: Int64
        /// The files that its records are in.
        public var files: [FileMark]

        /// Takes all members.
        public init(epoch: UInt32, monotonic: Int64, boot: Int64, wall: Int64, files: [FileMark] = []) {
            self.epoch = epoch
            self.monotonic = monotonic
            self.boot = boot
            self.wall = wall
            self.files = files
        }
    }

    /// A file, and how long it was when the records of a flush were in it.
    public struct FileMark: Sendable, Hashable {
        /// The number of the file system.
        public var device: UInt64
        /// The number of the file there.
        public var inode: UInt64
        /// Bytes.
        public var length: UInt64

        /// Takes all members.
        public init(device: UInt64, inode: UInt64, length: UInt64) {
            self.device = device
            self.inode = inode
            self.length = length
        }
    }

    /// The last flush of a previous agent whose records are written; nil if there was none.
    public var lastFlush: Flush? {
        let own = programs.isFound ? programs.maps.reported?.lastCommit : nil
        return (own ?? heritage.predecessors.last?.lastCommit).map(Flush.init)
    }

    /// Closes the epoch; nil if nothing outlives the process, or the previous epoch is not committed.
    func closeEpoch() -> UInt32? {
        guard let reported = programs.maps.reported, !reported.isWaiting else { return nil }
        return table.closeEpoch(positions.map { ($0, version(of: $0)) })
    }

    private func version(of position: Int) -> weir_interface_version {
        let (ingress, egress) = (position * 2, position * 2 + 1)
        func pairs(_ counters: [TrafficCounters]) -> (weir_pair, weir_pair) {
            (weir_pair(counters[ingress]), weir_pair(counters[egress]))
        }
        let unplaced = overflow.remainder(of: position)
        return weir_interface_version(
            epoch: 0,
            pad: 0,
            flows: pairs(table.drained),
            overflow: pairs(overflow.counted),
            denied_flows: pairs(table.denied),
            denied_overflow: pairs(overflow.denied),
            unplaced: weir_sums(unplaced),
            told: weir_sums(remainders.told(position: position).since(unplaced))
        )
    }

    /// Notes the files of a first run, before it writes to them, and when its first interval begins; before ``attach()``.
    ///
    /// Without a flush that was committed a later run goes on there.
    public func noteStart(_ flush: Flush) {
        programs.maps.reported?.noteStart(weir_commit(flush))
    }

    /// Notes files that an output is going to write to, as they are before that: if this run dies before the next flush is
    /// committed, a later one cuts them back to that.
    ///
    /// - Parameter files: at most so many are noted that there are eight with those of the last flush.
    public func noteFiles(_ files: [FileMark]) {
        programs.maps.reported?.add(
            files.map { weir_file_mark(device: $0.device, inode: $0.inode, length: $0.length) }
        )
    }

    /// Notes that the records of a flush, and of all before, are written: a later agent does not report them again.
    public func commit(_ flush: Flush) {
        guard let reported = programs.maps.reported, reported.isWaiting, flush.epoch == reported.committed + 1 else {
            return
        }
        reported.commit(weir_commit(flush))
        // The number of the epoch that a table was read in is never above the one that is open.
        guard let drained = heritage.drained, isWritten(since: reported) else { return }
        pins?.remove(layout: drained)
        heritage.predecessors.removeAll { $0.layout == drained }
        heritage.drained = nil
    }

    private func isWritten(since reported: ReportedCounts) -> Bool {
        let epoch = unsafe reported.state.pointee.drained_epoch
        return epoch != 0 && epoch <= reported.committed
    }

    /// Leaves everything attached and counting for the next agent when this one ends.
    public func leave() { pins?.isLeft = true }

    /// Whether maps and links outlive this process.
    public var isPinned: Bool { pins != nil }

    /// Removes the pins; call it only when everything was read and written.
    public func unpin() {
        guard let pins, !pins.isLeft else { return }
        pins.removeAll()
    }
}

extension Datapath.Flush {
    fileprivate init(_ commit: weir_commit) {
        let all = [
            commit.file.0, commit.file.1, commit.file.2, commit.file.3, commit.file.4, commit.file.5, commit.file.6,
            commit.file.7,
        ]
        self.init(
            epoch: 0,
            monotonic: commit.monotonic,
            boot: commit.boot,
            wall: commit.wall,
            files: all.filter { $0.inode != 0 }.map {
                Datapath.FileMark(device: $0.device, inode: $0.inode, length: $0.length)
            }
        )
    }
}

extension weir_commit {
    fileprivate init(_ flush: Datapath.Flush) {
        self.init()
        epoch = flush.epoch
        (monotonic, boot, wall) = (flush.monotonic, flush.boot, flush.wall)
        unsafe withUnsafeMutableBytes(of: &file) { bytes in
            let places = unsafe bytes.bindMemory(to: weir_file_mark.self)
            for (index, mark) in flush.files.prefix(places.count).enumerated() {
                unsafe places[index] = weir_file_mark(device: mark.device, inode: mark.inode, length: mark.length)
            }
        }
    }
}

extension weir_agent {
    /// The name of the layout of a table that was read to its end.
    fileprivate var drainedLayout: String {
        get {
            var name = drained
            return unsafe withUnsafeBytes(of: &name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
        }
        set {
            unsafe withUnsafeMutableBytes(of: &drained) { bytes in
                unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
                unsafe bytes.copyBytes(from: newValue.utf8.prefix(Int(WEIR_LAYOUT_NAME) - 1))
            }
        }
    }
}

extension PinFolder {
    /// The name of the layout for a configuration.
    static func layout(_ configuration: DatapathConfiguration, reasons: Int) -> String {
        let cpus = Int(max(1, weir_possible_cpus()))
        return layout(slots: configuration.tableSlots, ringBytes: configuration.ringBytes, cpus: cpus, reasons: reasons)
    }

    /// The name of the layout of maps.
    static func layout(_ maps: TableMaps) -> String {
        let ringBytes = Int(maps.configuration.ring_wakeup) << Int(WEIR_RING_WAKEUP_SHIFT)
        let cpus = Int(maps.configuration.cpus)
        return layout(slots: maps.slots, ringBytes: ringBytes, cpus: cpus, reasons: maps.reasons)
    }
}
