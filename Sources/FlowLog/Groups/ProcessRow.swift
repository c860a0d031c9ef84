import FlowModel

/// The flows of a group whose processes have one name.
struct ProcessRow {
    /// The name.
    let name: ProcessName
    /// The part of the flows in their group's report, without the processes.
    var part = GroupPart()
    /// The places of processes whose flows are kept, a bit each; set at the end of an interval.
    var kept: UInt16 = 0
    /// The places among these whose processes have active flows, a bit each.
    var active: UInt16 = 0
    /// Processes with flows; nil at places that are free.
    private var processes: [FlowProcess?] = []

    /// A row without flows.
    init(name: ProcessName) {
        self.name = name
    }

    /// The process at a place in use.
    func process(at place: UInt8) -> FlowProcess? { processes[Int(place)] }

    /// The part of the row in its group's report, with the processes of flows that are kept.
    var finished: GroupPart {
        var part = part
        for (place, process) in processes.enumerated() where kept & 1 << place != 0 {
            guard let process else { continue }
            if part.processes == nil { part.processes = FlowProcesses(process) } else { part.processes?.add(process) }
        }
        return part
    }

    /// Forgets the counts of the interval, and processes without active flows.
    mutating func beginInterval() {
        for place in processes.indices where active & 1 << place == 0 { processes[place] = nil }
        part = GroupPart()
        (kept, active) = (0, 0)
    }

    /// Returns the place of a process, which is made if there is room.
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
