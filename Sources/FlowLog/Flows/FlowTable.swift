import FlowModel

/// A 5-tuple as the reporting endpoint sees it; its ends are endpoint numbers.
struct FlowTuple: Hashable {
    /// The reporting end.
    let local: UInt32
    /// The other end.
    let remote: UInt32
    /// The reporting end's port; for ICMP the identifier.
    let localPort: UInt16
    /// The other end's port; for ICMP type and code.
    let remotePort: UInt16
    /// The protocol above IP.
    let proto: IPProtocol

    /// The same tuple after endpoints were renumbered.
    func moved(_ endpoints: [UInt32]) -> FlowTuple {
        FlowTuple(
            local: endpoints[Int(local)],
            remote: endpoints[Int(remote)],
            localPort: localPort,
            remotePort: remotePort,
            proto: proto
        )
    }

    /// Hashes the tuple in two words.
    func hash(into hasher: inout Hasher) {
        hasher.combine(UInt64(local) << 32 | UInt64(remote))
        hasher.combine(UInt64(localPort) << 32 | UInt64(remotePort) << 16 | UInt64(proto.rawValue))
    }
}

/// A 5-tuple in the group that it counts for; 32 bytes.
struct Flow {
    /// The ends, ports and protocol.
    var tuple: FlowTuple
    /// The events that were counted for the flow in this interval.
    var counted: Counted
    /// The source port after source NAT, or 0; if a tuple returns within the interval, the newest port.
    var natPort: UInt16
    /// The group that the flow counts for, as long as the flow is kept.
    var group: UInt32
    /// The number of datapath flows that count for it; 0 once it has ended.
    var datapathFlows: UInt32
    /// The datapath flow that began last among these.
    var lastFlowID: UInt32
    /// The share that is charged for it (``DetailBudget``).
    let share: UInt16
    /// The bytes that were charged to the share for the flow.
    var cost: UInt16

    /// The events of a flow in an interval, each counted once per interval, and its lasting properties.
    struct Counted: OptionSet {
        let rawValue: UInt8
        /// The flow began.
        static let started = Counted(rawValue: 1)
        /// The flow ended.
        static let completed = Counted(rawValue: 2)
        /// The flow ended, but the end is not counted: it was reported in an earlier interval, or was not an end.
        static let uncounted = Counted(rawValue: 4)
        /// All of these events.
        static let events: Counted = [.started, .completed, .uncounted, .tried]
        /// The initiator is a guess.
        static let guessed = Counted(rawValue: 8)
        /// An end of the flow has been reported.
        static let wasCompleted = Counted(rawValue: 16)
        /// The flow answers packets that another endpoint sent with its destination's address.
        static let unsolicited = Counted(rawValue: 32)
        /// The flow is denied, and began or had packets in the interval: an event.
        static let tried = Counted(rawValue: 64)
    }

    /// The uncertainties of how the flow began.
    var origin: FlowOrigin {
        var origin: FlowOrigin = counted.contains(.guessed) ? .guessed : []
        if counted.contains(.unsolicited) { origin.insert(.unsolicited) }
        return origin
    }
}

/// All flows that are or were active in this interval.
///
/// A tuple that has ended is kept until the end of the interval, so that it counts once if it returns. It may return in another
/// group, because the other end is the initiator or the verdict has changed. So the table has a tuple once per group. Among
/// these, at most one allowed flow is active, and at most one flow for the policies that deny it.
struct FlowTable {
    private var flows = Slab<Flow>()
    private var index = HashIndex()
    /// The flows with any event in ``Flow/counted``.
    private var changed: [UInt32] = []

    /// The number of active flows.
    private(set) var live = 0

    /// The number of kept flows.
    var count: Int { flows.count }

    /// Every flow's number is below this.
    var limit: UInt32 { flows.limit }

    /// A kept flow.
    subscript(flow: UInt32) -> Flow { flows[flow] }

    /// The flow under a number below ``limit``, or nil if none is kept there.
    func kept(_ number: UInt32) -> Flow? {
        let flow = flows[number]
        // An ended flow has the event `completed` or `uncounted` until it is removed.
        return flow.datapathFlows > 0 || !flow.counted.isDisjoint(with: .events) ? flow : nil
    }

    /// Returns the active flow with a tuple.
    ///
    /// - Parameters:
    ///   - tuple: the ends, ports and protocol.
    ///   - hash: the hash of the tuple, from ``HashIndex/hash(of:)``; the same for the methods below.
    ///   - isRight: selects among the active flows with this tuple, by number.
    /// - Returns: its number; nil if there is none.
    func active(_ tuple: FlowTuple, hash: UInt32, where isRight: (UInt32) -> Bool) -> UInt32? {
        index.first(hash) { flows[$0].datapathFlows > 0 && flows[$0].tuple == tuple && isRight($0) }
    }

    /// Whether a flow with this tuple is kept, active or not, for which `isRight` returns true.
    func kept(_ tuple: FlowTuple, hash: UInt32, where isRight: (UInt32) -> Bool) -> Bool {
        index.first(hash) { flows[$0].tuple == tuple && isRight($0) } != nil
    }

    /// Returns the flow with this tuple that ended in this group; nil if there is none.
    func ended(_ tuple: FlowTuple, hash: UInt32, in group: UInt32) -> UInt32? {
        index.first(hash) { flows[$0].group == group && flows[$0].tuple == tuple }
    }

    /// Adds a flow, for which no datapath flow counts yet.
    mutating func insert(_ tuple: FlowTuple, hash: UInt32, in group: UInt32, for share: UInt16) -> UInt32 {
        let flow = flows.insert(
            Flow(
                tuple: tuple,
                counted: [],
                natPort: 0,
                group: group,
                datapathFlows: 0,
                lastFlowID: 0,
                share: share,
                cost: 0
            )
        )
        index.insert(flow, hash: hash)
        return flow
    }

    /// Adds a datapath flow to a flow.
    ///
    /// - Parameters:
    ///   - flowID: the datapath's identifier.
    ///   - flow: the flow.
    ///   - origin: the uncertainties of how the datapath flow began.
    /// - Returns: whether it is the flow's first one.
    mutating func add(_ flowID: UInt32, to flow: UInt32, origin: FlowOrigin) -> Bool {
        flows[flow].datapathFlows += 1
        flows[flow].lastFlowID = flowID
        guard flows[flow].datapathFlows == 1 else { return false }
        live += 1
        set(.guessed, origin.contains(.guessed), of: flow)
        set(.unsolicited, origin.contains(.unsolicited), of: flow)
        // An end that was counted in this interval can be taken back.
        set(.wasCompleted, origin.contains(.resumed) && !flows[flow].counted.contains(.completed), of: flow)
        return true
    }

    private mutating func set(_ property: Flow.Counted, _ isSo: Bool, of flow: UInt32) {
        if isSo { flows[flow].counted.insert(property) } else { flows[flow].counted.remove(property) }
    }

    /// Removes a datapath flow from a flow.
    ///
    /// - Returns: whether it was the last one.
    mutating func removeFlowID(from flow: UInt32) -> Bool {
        flows[flow].datapathFlows -= 1
        guard flows[flow].datapathFlows == 0 else { return false }
        live -= 1
        return true
    }

    /// Sets the number of bytes that were charged for a flow.
    mutating func setCost(_ bytes: Int, of flow: UInt32) {
        flows[flow].cost = UInt16(clamping: bytes)
    }

    /// Sets the source port of a flow after source NAT.
    mutating func setNATPort(_ port: UInt16, of flow: UInt32) {
        flows[flow].natPort = port
    }

    /// Moves a flow to another group.
    mutating func setGroup(_ group: UInt32, of flow: UInt32) {
        flows[flow].group = group
    }

    /// Counts an event of a flow.
    ///
    /// - Returns: whether it is the first such event in this interval.
    mutating func count(_ event: Flow.Counted, of flow: UInt32) -> Bool {
        let counted = flows[flow].counted
        guard !counted.contains(event) else { return false }
        if counted.isDisjoint(with: .events) { changed.append(flow) }
        flows[flow].counted = counted.union(event)
        return true
    }

    /// Takes back an event of a flow that was counted in this interval.
    ///
    /// - Returns: whether it had been counted.
    mutating func takeBack(_ event: Flow.Counted, of flow: UInt32) -> Bool {
        guard flows[flow].counted.contains(event) else { return false }
        flows[flow].counted.remove(event)
        flows[flow].counted.insert(.uncounted)
        return true
    }

    /// Removes the next ended flow on the way to a new interval; to be repeated until it returns nil.
    ///
    /// - Returns: the removed flow; nil once the new interval has begun.
    mutating func forgetNext() -> Flow? {
        while let flow = changed.popLast() {
            flows[flow].counted.subtract(.events)
            guard flows[flow].datapathFlows == 0 else { continue }
            let forgotten = flows[flow]
            index.remove(flow, hash: HashIndex.hash(of: forgotten.tuple))
            flows.remove(flow)
            return forgotten
        }
        return nil
    }

    /// Returns the active flows that began in this interval, in groups for which `isRight` returns true.
    func beginnings(where isRight: (_ group: UInt32) -> Bool) -> [UInt32] {
        changed.filter {
            flows[$0].datapathFlows > 0 && flows[$0].counted.contains(.started) && isRight(flows[$0].group)
        }
    }

    /// Whether most of the memory belongs to removed flows.
    var isSparse: Bool { flows.isSparse }

    /// Frees unused memory.
    ///
    /// - Parameters:
    ///   - endpoints: the new numbers of endpoints, by former number.
    ///   - groups: the new numbers of groups, by former number.
    /// - Returns: the new numbers of flows, by former number, as ``Slab/compact()``.
    mutating func compact(endpoints: [UInt32], groups: [UInt32]) -> [UInt32] {
        let moved = flows.compact()
        changed = changed.map { moved[Int($0)] }
        index = HashIndex()
        for flow in 0..<flows.limit {
            flows[flow].tuple = flows[flow].tuple.moved(endpoints)
            flows[flow].group = groups[Int(flows[flow].group)]
            index.insert(flow, hash: HashIndex.hash(of: flows[flow].tuple))
        }
        return moved
    }
}
