import FlowModel

/// The part of a group's report for the flows of some processes.
struct GroupPart {
    /// The traffic of the flows.
    var traffic = GroupTraffic()
    /// The numbers of flows; ``GroupCounts/live`` is not used.
    var counts = GroupCounts()
    /// Their dropped packets; nil if there are none.
    var drops: FlowRecord.Drops?
    /// Statistics of their sockets.
    var sockets = SocketSummary()
    /// The flags of TCP that the flows have had.
    var flags: TCPFlags = []
    /// The processes; nil if they are not known.
    var processes: FlowProcesses?

    /// Creates an empty value.
    init() {}

    /// Takes the whole report.
    init(_ report: borrowing GroupReport, sockets: SocketSummary?, flags: TCPFlags) {
        self.flags = flags
        traffic = report.traffic
        counts = report.counts
        drops = report.drops
        self.sockets = sockets ?? SocketSummary()
    }

    /// Whether there are neither flows nor traffic.
    var isEmpty: Bool {
        counts.total == 0 && traffic.inbound == .zero && traffic.outbound == .zero && drops == nil
    }

    /// Adds a flow with its traffic in the interval; a denied flow ends as soon as it has begun.
    mutating func add(_ flow: Flow, _ carried: GroupTraffic, isDenied: Bool) {
        traffic.inbound += carried.inbound
        traffic.outbound += carried.outbound
        let isStarted = flow.counted.contains(.started)
        let isCompleted = isDenied ? isStarted : flow.counted.contains(.completed)
        if !isDenied || flow.counted.contains(.tried) { counts.total += 1 }
        if isStarted { counts.started += 1 }
        if isCompleted { counts.completed += 1 }
    }

    /// Adds dropped packets of a flow.
    mutating func add(_ dropped: FlowRecord.Drops?) {
        guard let dropped else { return }
        drops = FlowRecord.Drops(
            inbound: (drops?.inbound ?? 0) + dropped.inbound,
            outbound: (drops?.outbound ?? 0) + dropped.outbound,
            reason: dropped.reason
        )
    }

    /// Adds another part.
    mutating func add(_ other: GroupPart) {
        traffic.inbound += other.traffic.inbound
        traffic.outbound += other.traffic.outbound
        counts.total += other.counts.total
        counts.started += other.counts.started
        counts.completed += other.counts.completed
        add(other.drops)
        sockets.add(other.sockets)
        flags.formUnion(other.flags)
        guard let others = other.processes else { return }
        if processes == nil { processes = others } else { processes?.add(others) }
    }

    /// Subtracts another part.
    mutating func subtract(_ other: GroupPart) {
        traffic.inbound = traffic.inbound.subtracting(other.traffic.inbound)
        traffic.outbound = traffic.outbound.subtracting(other.traffic.outbound)
        counts.total -= min(counts.total, other.counts.total)
        counts.started -= min(counts.started, other.counts.started)
        counts.completed -= min(counts.completed, other.counts.completed)
        guard let all = drops, let taken = other.drops else { return }
        let inbound = all.inbound - min(all.inbound, taken.inbound)
        let outbound = all.outbound - min(all.outbound, taken.outbound)
        let isRest = inbound > 0 || outbound > 0
        drops = isRest ? FlowRecord.Drops(inbound: inbound, outbound: outbound, reason: all.reason) : nil
    }
}

extension FlowRecord {
    /// Replaces its statistics of sockets.
    mutating func take(_ sockets: SocketSummary) {
        tcp = sockets.tcp
        handshakes = sockets.handshakes
        lookups = sockets.lookups
    }

    /// Returns the record of a part of a group, with the other fields of the group's record.
    func divided(to part: GroupPart) -> FlowRecord {
        var record = self
        record.inbound = part.traffic.inbound
        record.outbound = part.traffic.outbound
        record.flows = FlowCounts(
            total: UInt64(part.counts.total),
            started: UInt64(part.counts.started),
            completed: UInt64(part.counts.completed)
        )
        record.drops = part.drops
        record.take(part.sockets)
        record.tcpFlags = part.flags
        record.processes = part.processes
        return record
    }
}
