import FlowModel

/// Divides groups by the processes that own the sockets of their flows.
///
/// A group has one row for each process name. In an interval, a flow counts for one row with all of its traffic: the row of the
/// process that was reported last. Flows without a known process count for no row. Statistics of sockets count for the row of
/// their report, and go to that of a later process if no flow is left in it. Nothing is stored unless processes are collected.
struct ProcessRows {
    /// The row of a flow, and the place of its process in it.
    private struct Flow {
        var row = ProcessRows.none
        /// The place of the process in the row.
        var process: UInt8 = 0
        var traffic = GroupTraffic()
    }

    /// The number that stands for no row.
    static let none = UInt32.max
    /// The maximum number of rows of a group, and of processes of a row; further ones count for the last.
    static let limit = FlowProcesses.limit

    /// Whether processes are collected.
    let isOn: Bool
    private var flows: [Flow] = []
    private var rows = Slab<ProcessRow>()
    /// The row of each group that was made first, by the number of the group; ``none`` if it has none.
    private var firstRows: [UInt32] = []
    /// Dropped packets of flows in the interval.
    private var drops: [UInt32: FlowRecord.Drops] = [:]
    /// Socket statistics of flows whose process is not known yet.
    private var early: [UInt32: SocketSummary] = [:]
    /// Rows that flows have left in the interval.
    private var leftRows: [UInt32] = []
    /// The same statistics by group, at the end of an interval.
    private var unowned: [UInt32: SocketSummary] = [:]
    /// TCP flags of flows without a known process, by group, at the end of an interval.
    private var unownedFlags: [UInt32: TCPFlags] = [:]

    /// Creates a value without rows.
    init(isOn: Bool) {
        self.isOn = isOn
    }

    /// The number of rows.
    var count: Int { rows.count }

    /// Begins a flow; its number may be reused.
    mutating func begin(_ flow: UInt32) {
        guard isOn else { return }
        if Int(flow) < flows.count { flows[Int(flow)] = Flow() } else { flows.append(Flow()) }
    }

    /// Adds traffic to and from the reporting end of a flow.
    @inline(__always)
    mutating func add(inbound: TrafficCounters, outbound: TrafficCounters, of flow: UInt32) {
        guard isOn else { return }
        flows[Int(flow)].traffic.inbound += inbound
        flows[Int(flow)].traffic.outbound += outbound
    }

    /// Adds dropped packets of a flow.
    mutating func drop(inbound: UInt64, outbound: UInt64, _ reason: DropReason, of flow: UInt32) {
        guard isOn, inbound > 0 || outbound > 0 else { return }
        let former = drops[flow]
        drops[flow] = FlowRecord.Drops(
            inbound: (former?.inbound ?? 0) + inbound,
            outbound: (former?.outbound ?? 0) + outbound,
            reason: reason
        )
    }

    /// The process of a flow, if it is known.
    func process(of flow: UInt32) -> FlowProcess? {
        guard isOn, flows[Int(flow)].row != Self.none else { return nil }
        return rows[flows[Int(flow)].row].process(at: flows[Int(flow)].process)
    }

    /// Adds a socket's statistics to a flow of a group.
    mutating func add(_ socket: borrowing FlowSocket, of flow: UInt32, in group: UInt32) {
        if let process = socket.process { own(flow, in: group, by: process) }
        let row = flows[Int(flow)].row
        if row == Self.none {
            early[flow, default: SocketSummary()].add(socket)
        } else {
            rows[row].part.sockets.add(socket)
        }
    }

    /// Assigns a flow to a process.
    private mutating func own(_ flow: UInt32, in group: UInt32, by process: FlowProcess) {
        let (known, place) = (flows[Int(flow)].row, flows[Int(flow)].process)
        if known != Self.none, rows[known].group == group, rows[known].process(at: place) == process { return }
        let row = row(of: process, in: group)
        flows[Int(flow)].row = row
        flows[Int(flow)].process = rows[row].place(of: process)
        if known != Self.none, known != row, rows[known].group == group { leave(known, for: row) }
        if !early.isEmpty, let said = early.removeValue(forKey: flow) { rows[row].part.sockets.add(said) }
    }

    private mutating func leave(_ row: UInt32, for successor: UInt32) {
        if rows[row].successor == Self.none { leftRows.append(row) }
        rows[row].successor = successor
    }

    private mutating func row(of process: FlowProcess, in group: UInt32) -> UInt32 {
        var (last, count) = (Self.none, 0)
        var known = firstRow(of: group)
        while known != Self.none {
            if rows[known].name == process.name { return known }
            (last, count) = (known, count + 1)
            known = rows[known].next
        }
        if count == Self.limit { return last }
        let row = rows.insert(ProcessRow(of: group, name: process.name))
        if last != Self.none { rows[last].next = row } else { setFirstRow(row, of: group) }
        return row
    }

    private func firstRow(of group: UInt32) -> UInt32 {
        Int(group) < firstRows.count ? firstRows[Int(group)] : Self.none
    }

    private mutating func setFirstRow(_ row: UInt32, of group: UInt32) {
        let missing = Int(group) + 1 - firstRows.count
        if missing > 0 { firstRows.append(contentsOf: repeatElement(Self.none, count: missing)) }
        firstRows[Int(group)] = row
    }
}

// MARK: - End of an interval

extension ProcessRows {
    /// Adds the flows of an interval to their rows.
    mutating func divide(
        _ table: borrowing FlowTable,
        flags: FlowFlagTable,
        isDenied: (_ group: UInt32) -> Bool
    ) {
        guard isOn, rows.count > 0 || !early.isEmpty else { return }
        for (flow, sockets) in early where table.kept(flow) != nil {
            unowned[table[flow].group, default: .init()].add(sockets)
        }
        for number in 0..<table.limit {
            guard let flow = table.kept(number) else { continue }
            guard flows[Int(number)].row != Self.none else {
                unownedFlags[flow.group, default: []].formUnion(flags[number])
                continue
            }
            let (row, process) = (flows[Int(number)].row, UInt16(1) << flows[Int(number)].process)
            let isActive = flow.datapathFlows > 0
            let isDenied = isDenied(flow.group)
            if !isDenied || flow.counted.contains(.tried) { rows[row].kept |= process }
            if isActive { rows[row].active |= process }
            rows[row].part.add(flow, flows[Int(number)].traffic, isDenied: isDenied)
            rows[row].part.add(drops[number])
            rows[row].part.flags.formUnion(flags[number])
        }
        passOnStatistics()
    }

    /// Moves the statistics of rows that all flows have left to the rows of these flows.
    private mutating func passOnStatistics() {
        for row in leftRows where rows[row].kept == 0 {
            var heir = row
            // Rows whose flows have left for each other, and then the group, have none.
            for _ in 0..<Self.limit where heir != Self.none && rows[heir].kept == 0 { heir = rows[heir].successor }
            guard heir != Self.none, rows[heir].kept != 0 else { continue }
            rows[heir].part.sockets.add(rows[row].part.sockets)
            rows[row].part.sockets = SocketSummary()
        }
    }

    /// Emits the record of a group's report, divided among its processes.
    ///
    /// - Parameters:
    ///   - record: the record of the whole group; changed.
    ///   - report: the group's report.
    ///   - group: the group's number.
    ///   - emit: takes each record.
    mutating func emit(
        _ record: inout FlowRecord,
        of report: borrowing GroupReport,
        as group: UInt32,
        _ emit: (borrowing FlowRecord) -> Void
    ) {
        let first = firstRow(of: group)
        guard first != Self.none else {
            if let sockets = unowned.isEmpty ? nil : unowned[group] { record.take(sockets) }
            return emit(record)
        }
        if rows[first].completes(&record, of: report) { return emit(record) }
        for part in parts(of: report, as: group) { emit(record.divided(to: part)) }
    }

    /// Returns the parts of the report of a group with rows, at least one; the sum of their numbers is the report's.
    ///
    /// The first process names have a part each (`flowLogsFilePerFlowProcessLimit`), the others share one. Flows without a
    /// known process are the last part.
    private func parts(of report: borrowing GroupReport, as group: UInt32) -> [GroupPart] {
        var rest = GroupPart(report, sockets: unowned[group], flags: unownedFlags[group] ?? [])
        var parts: [GroupPart] = []
        var row = firstRow(of: group)
        while row != Self.none {
            defer { row = rows[row].next }
            guard rows[row].kept != 0 else { continue }
            let part = rows[row].finished
            rest.subtract(part)
            if parts.count <= FlowRecord.processLimit { parts.append(part) } else { parts[parts.count - 1].add(part) }
        }
        if parts.count > FlowRecord.processLimit { parts[parts.count - 1].processes?.beOthers() }
        if parts.isEmpty || !rest.isEmpty { parts.append(rest) }
        return parts
    }

    /// Begins the next interval; rows of active flows stay.
    mutating func beginInterval() {
        guard isOn else { return }
        early.removeAll()
        unowned.removeAll()
        unownedFlags.removeAll()
        drops.removeAll()
        leftRows.removeAll()
        for flow in flows.indices { flows[flow].traffic = GroupTraffic() }
        for group in firstRows.indices where firstRows[group] != Self.none { beginInterval(of: group) }
    }

    private mutating func beginInterval(of group: Int) {
        var (row, last) = (firstRows[group], Self.none)
        firstRows[group] = Self.none
        while row != Self.none {
            let next = rows[row].next
            if rows[row].active == 0 {
                rows.remove(row)
            } else {
                rows[row].beginInterval()
                rows[row].next = Self.none
                if last == Self.none { firstRows[group] = row } else { rows[last].next = row }
                last = row
            }
            row = next
        }
    }

    /// Renumbers flows and groups.
    mutating func move(_ moved: MovedFlows, flowLimit: UInt32) {
        guard isOn else { return }
        var kept = Array(repeating: Flow(), count: Int(flowLimit))
        for (old, new) in moved.flows.enumerated() where new != .max { kept[Int(new)] = flows[old] }
        flows = kept
        let former = firstRows
        firstRows = []
        for (group, first) in former.enumerated() where first != Self.none {
            setFirstRow(first, of: moved.groups[group])
            var row = first
            while row != Self.none {
                rows[row].group = moved.groups[group]
                row = rows[row].next
            }
        }
    }
}
