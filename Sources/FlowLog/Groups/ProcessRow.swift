import FlowModel

/// The flows of a group whose processes have the same name.
struct ProcessRow {
    /// The group.
    var group: UInt32
    /// The row of the group that was made next; ``ProcessRows/none`` for the last one.
    var next = ProcessRows.none
    /// The name.
    let name: ProcessName
    /// The row that the last flow that left this one in the interval counts for; ``ProcessRows/none`` if none has left.
    var successor = ProcessRows.none
    /// The flows' part of their group's report, without the processes.
    var part = GroupPart()
    /// A bit for each place whose process has kept flows; set at the end of an interval.
    var kept: UInt16 = 0
    /// A bit for each of these places whose process has active flows.
    var active: UInt16 = 0
    /// The process at place 0; nil if it is free.
    private var first: FlowProcess?
    /// Those at the other places, which few rows have.
    private var others: [FlowProcess?] = []

    /// A row of a group, without flows.
    init(of group: UInt32, name: ProcessName) {
        self.group = group
        self.name = name
    }

    /// The process at a place in use.
    func process(at place: UInt8) -> FlowProcess? { place == 0 ? first : others[Int(place) - 1] }

    /// The processes with flows that are kept; nil if there are none.
    private var keptProcesses: FlowProcesses? {
        if kept == 1 { return first.map { FlowProcesses($0) } }
        var processes: FlowProcesses?
        for place in 0...UInt8(others.count) where kept & 1 << UInt16(place) != 0 {
            guard let process = process(at: place) else { continue }
            if processes == nil { processes = FlowProcesses(process) } else { processes?.add(process) }
        }
        return processes
    }

    /// The row's part of its group's report, with the processes of kept flows.
    var finished: GroupPart {
        var part = part
        part.processes = keptProcesses
        return part
    }

    /// Whether all flows of a group's report count for the row.
    @inline(__always)
    private func isAll(of report: borrowing GroupReport) -> Bool {
        kept != 0 && part.counts.total == report.counts.total && part.traffic == report.traffic
            && part.drops?.inbound == report.drops?.inbound && part.drops?.outbound == report.drops?.outbound
    }

    /// Adds the properties of the row to the record of its group if all flows of the group count for it.
    ///
    /// Nothing of the row changes: it is used in place, because a copy of its hundreds of bytes costs more than this.
    ///
    /// - Returns: false if the group has other rows, or flows without a known process.
    mutating func completes(_ record: inout FlowRecord, of report: borrowing GroupReport) -> Bool {
        guard next == ProcessRows.none, isAll(of: report) else { return false }
        record.take(part.sockets)
        record.processes = kept == 1 ? first.map { FlowProcesses($0) } : keptProcesses
        return true
    }

    /// Clears the counts of the interval, and removes processes without active flows.
    mutating func beginInterval() {
        if active & 1 == 0 { first = nil }
        for place in others.indices where active & 2 << UInt16(place) == 0 { others[place] = nil }
        part = GroupPart()
        (kept, active, successor) = (0, 0, ProcessRows.none)
    }

    /// Returns the place of a process, and adds the process if there is room; else the last place.
    mutating func place(of process: FlowProcess) -> UInt8 {
        if first == process { return 0 }
        if let same = others.firstIndex(of: process) { return UInt8(same + 1) }
        if first == nil {
            first = process
            return 0
        }
        if let free = others.firstIndex(of: nil) {
            others[free] = process
            return UInt8(free + 1)
        }
        guard others.count + 1 < ProcessRows.limit else { return UInt8(ProcessRows.limit - 1) }
        others.append(process)
        return UInt8(others.count)
    }
}
