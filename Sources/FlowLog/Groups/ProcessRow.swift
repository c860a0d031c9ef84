import FlowModel

/// The flows of a group whose processes have the same name.
struct ProcessRow {
    /// The name.
    let name: ProcessName
    /// The flows' part of their group's report, without the processes.
    var part = GroupPart()
    /// A bit for each place whose process has kept flows; set at the end of an interval.
    var kept: UInt16 = 0
    /// A bit for each of these places whose process has active flows.
    var active: UInt16 = 0
    /// Processes with flows; nil at free places.
    private var processes: [FlowProcess?] = []

    /// A row without flows.
    init(name: ProcessName) {
        self.name = name
    }

    /// The process at a place in use.
    func process(at place: UInt8) -> FlowProcess? { processes[Int(place)] }

    /// The row's part of its group's report, with the processes of kept flows.
    var finished: GroupPart {
        var part = part
        for (place, process) in processes.enumerated() where kept & 1 << place != 0 {
            guard let process else { continue }
            if part.processes == nil { part.processes = FlowProcesses(process) } else { part.processes?.add(process) }
        }
        return part
    }

    /// Clears the counts of the interval, and removes processes without active flows.
    mutating func beginInterval() {
        for place in processes.indices where active & 1 << place == 0 { processes[place] = nil }
        part = GroupPart()
        (kept, active) = (0, 0)
    }

    /// Returns the place of a process, and adds the process if there is room; else the last place.
    mutating func place(of process: FlowProcess) -> UInt8 {
        if let same = processes.firstIndex(of: process) { return UInt8(same) }
        if let free = processes.firstIndex(of: nil) {
            processes[free] = process
            return UInt8(free)
        }
        guard processes.count < ProcessRows.limit else { return UInt8(ProcessRows.limit - 1) }
        processes.append(process)
        return UInt8(processes.count - 1)
    }
}
