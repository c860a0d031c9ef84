import CWeir
import FlowModel
import Glibc

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

    /// A file, and its length when it contained the records of a flush.
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
        // A table of another layout may hold the newest flush, if the agent that used it died.
        let own = programs.isFound ? programs.maps.reported?.lastCommit : nil
        let commits = [own].compactMap(\.self) + takeover.predecessors.compactMap(\.lastCommit)
        return commits.max { $0.boot < $1.boot }.map(Flush.init)
    }

    /// A number that identifies the counters whose flushes are committed.
    ///
    /// Every agent that continues with these counters has the same number; other counters have another number.
    ///
    /// The number is 0 if nothing outlives the process.
    public var countersNumber: UInt64 {
        guard let pins, programs.maps.reported != nil else { return 0 }
        let boot = Self.firstLine(of: "/proc/sys/kernel/random/boot_id")
        // FNV-1a: an administrator names the folder, so collisions are not provoked.
        return (boot + pins.path).utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    private static func firstLine(of path: String) -> String {
        guard let file = unsafe fopen(path, "re") else { return "" }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 64)
        guard unsafe fgets(&line, Int32(line.count), file) != nil else { return "" }
        return String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
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
            handed_on: weir_sums(remainders.handedOn(position: position).since(unplaced))
        )
    }

    /// Notes the files of a first run, before it writes to them, and the beginning of its first interval; before ``attach()``.
    ///
    /// If no flush was committed, a later run continues there.
    public func noteStart(_ flush: Flush) {
        programs.maps.reported?.noteStart(weir_commit(flush))
    }

    /// Notes files that an output will write to, with their present lengths: if this run dies before the next flush is
    /// committed, a later one cuts them back.
    ///
    /// - Parameter files: the files; at most eight are noted, including those of the last flush.
    public func noteFiles(_ files: [FileMark]) {
        programs.maps.reported?.add(
            files.map { weir_file_mark(device: $0.device, inode: $0.inode, length: $0.length) }
        )
    }

    /// Notes that the records of a flush, and of all before, are written: a later agent does not report them again.
    ///
    /// - Returns: false if the flush is not the one that waits to be committed.
    @discardableResult
    public func commit(_ flush: Flush) -> Bool {
        guard let reported = programs.maps.reported, reported.isWaiting, flush.epoch == reported.committed + 1 else {
            return false
        }
        reported.commit(weir_commit(flush))
        // The number of the epoch in which a table was read is never above the open one.
        guard let drained = takeover.drained, isWritten(since: reported) else { return true }
        pins?.remove(layout: drained)
        takeover.predecessors.removeAll { $0.layout == drained }
        takeover.drained = nil
        return true
    }

    private func isWritten(since reported: ReportedCounts) -> Bool {
        let epoch = unsafe reported.state.pointee.drained_epoch
        return epoch != 0 && epoch <= reported.committed
    }

    /// Leaves everything attached and counting for the next agent when this one ends.
    public func leave() { pins?.isLeft = true }

    /// Whether maps and links outlive this process.
    public var isPinned: Bool { pins != nil }

    /// Removes the pins, except tables that cannot be read; to be called only when everything was read and written.
    public func unpin() {
        guard let pins, !pins.isLeft else { return }
        pins.removeAll(but: takeover.unreadable)
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
