import FlowModel

/// The flows that are reported, and the groups they count for.
///
/// A flow is one 5-tuple as one reporting end sees it; several datapath flows may count for it.
struct FlowLedger {
    var flows = FlowTable()
    var groups = GroupTable()
    var folding: Folding
    /// The processes that own the sockets of flows, and the traffic of these flows.
    var processes: ProcessRows
    /// The TCP flags of flows.
    private(set) var flags = FlowFlagTable()
    /// The TCP flags by the datapath's identifiers.
    private var datapathFlags = FlowFlagTable()
    /// The memory budget that flows are charged to.
    var budget: DetailBudget
    /// The number of flows that began in a coarser group than their level, for lack of memory.
    private(set) var coarseFlows: UInt64 = 0

    /// Creates an empty ledger.
    init(configuration: FlowLogConfiguration) {
        budget = DetailBudget(limit: configuration.memoryLimit)
        folding = Folding(configuration: configuration)
        processes = ProcessRows(isOn: configuration.dividesProcesses)
    }

    /// The number of active flows.
    var liveFlows: Int { flows.live }

    /// The number of flows that ended in this interval; they are kept until its end.
    var endedFlows: Int { flows.count - flows.live }

    /// The number of groups for which a record is due.
    var groupCount: Int { groups.count }

    /// The number of names that flows and groups need.
    var nameCounts: NameCounts { folding.counts }

    /// Adds traffic to and from the reporting end to a flow of a group.
    mutating func add(inbound: TrafficCounters, outbound: TrafficCounters, to flow: UInt32, in group: UInt32) {
        groups.add(inbound: inbound, outbound: outbound, to: group)
        processes.add(inbound: inbound, outbound: outbound, of: flow)
    }

    /// Adds a socket's statistics to a flow of a group.
    mutating func add(_ socket: borrowing FlowSocket, to flow: UInt32, in group: UInt32) {
        if processes.isOn {
            processes.add(socket, of: flow, in: group)
        } else {
            groups.add(socket, to: group)
        }
    }
}

extension FlowLedger {
    /// Adds a socket's statistics to a flow that is kept until the interval ends; its group has a record then, even if nothing
    /// was denied.
    mutating func add(_ socket: borrowing FlowSocket, to flow: UInt32) {
        let group = flows[flow].group
        add(socket, to: flow, in: group)
        groups.requireRecord(of: group)
        noteTry(of: flow)
    }

    /// Counts a denied flow as active in the interval; does nothing for an allowed one.
    mutating func noteTry(of flow: UInt32) {
        let group = flows[flow].group
        guard groups[group].action == .deny, flows.count(.tried, of: flow) else { return }
        groups.count(in: group) { $0.tried += 1 }
    }
}

// MARK: - TCP flags

extension FlowLedger {
    /// Replaces the flags of an identifier when a new datapath flow uses it.
    mutating func beginFlags(_ flags: TCPFlags, of flowID: UInt32) {
        datapathFlags[flowID] = flags
    }

    /// Adds flags to a datapath flow, and to the ledger's flow that it counts for, if that is known.
    mutating func add(_ flags: TCPFlags, of flowID: UInt32, to flow: UInt32?) {
        datapathFlags[flowID].formUnion(flags)
        if let flow { self.flags[flow].formUnion(flags) }
    }
}

// MARK: - Begin and end

extension FlowLedger {
    /// Adds a datapath flow to a flow, which begins unless it is active already.
    ///
    /// - Parameters:
    ///   - resolved: the flow.
    ///   - flowID: the datapath's identifier.
    ///   - share: the share of memory that a new flow is charged to.
    /// - Returns: the flow and its group.
    mutating func begin(_ resolved: ResolvedFlow, as flowID: UInt32, for share: UInt16) -> LedgerFlow {
        let flow = flow(for: resolved, share)
        let group = flows[flow].group
        flags[flow].formUnion(datapathFlags[flowID])
        var isNew = false
        if resolved.natPort != 0 { flows.setNATPort(resolved.natPort, of: flow) }
        if flows.add(flowID, to: flow, origin: resolved.origin) {
            let goesOn = resolved.action == .allow && resolved.origin.contains(.resumed)
            // Takes back an end that was counted in this interval; an end of an earlier interval has been reported already.
            let isTakenBack = goesOn && flows.takeBack(.completed, of: flow)
            isNew = !goesOn && flows.count(.started, of: flow)
            groups.count(in: group) { counts in
                counts.live += 1
                if isNew { counts.started += 1 }
                if isTakenBack { counts.completed -= 1 }
            }
            if isNew { noteTry(of: flow) }
        }
        return LedgerFlow(flow: flow, group: group, action: resolved.action, isNew: isNew)
    }

    /// Removes a datapath flow from a flow; the flow ends if it was the last one.
    mutating func end(_ flow: UInt32) {
        guard flows.removeFlowID(from: flow) else { return }
        let isDenied = groups[flows[flow].group].action == .deny
        let wasCompleted = isDenied || flows[flow].counted.contains(.wasCompleted)
        let isNew = flows.count(wasCompleted ? .uncounted : .completed, of: flow) && !wasCompleted
        groups.count(in: flows[flow].group) { counts in
            counts.live -= 1
            if isNew { counts.completed += 1 }
        }
    }

    /// Moves an active flow to the group of other policies, as if it had begun there.
    ///
    /// - Parameters:
    ///   - flow: the flow.
    ///   - resolved: the same flow with the other policies.
    /// - Returns: nil if it cannot be moved: several datapath flows count for it, its process is known, or the same tuple ended
    ///   in the other group in this interval.
    mutating func move(_ flow: UInt32, to resolved: ResolvedFlow) -> LedgerFlow? {
        let (tuple, former, counted) = (flows[flow].tuple, flows[flow].group, flows[flow].counted)
        guard flows[flow].datapathFlows == 1, processes.process(of: flow) == nil else { return nil }
        let isCoarse = groups[former].level > folding.configuration.level(for: groups[former].action)
        let key = folding.key(of: resolved, tuple, isCoarse: isCoarse)
        let group = groups.group(of: key)
        if !group.isNew { folding.release(key) }
        let moved = LedgerFlow(flow: flow, group: group.number, action: resolved.action, isNew: false)
        guard group.number != former else { return moved }
        guard flows.ended(tuple, hash: HashIndex.hash(of: tuple), in: group.number) == nil else { return nil }
        flows.setGroup(group.number, of: flow)
        let formerKey = groups[former]
        if groups.move(counted, from: former, to: group.number) { folding.release(formerKey) }
        return moved
    }

    /// Does the same for a flow that began in this interval and has no traffic, with another verdict; nil for any other flow.
    mutating func moveUnused(_ flow: UInt32, to resolved: ResolvedFlow) -> LedgerFlow? {
        guard flows[flow].counted.contains(.started), groups.isUnused(flows[flow].group) else { return nil }
        return move(flow, to: resolved)
    }

    /// Whether datapath flows of a connection may count for an active flow with its tuple.
    ///
    /// The verdicts must be the same; for denied flows the policies, too. A host endpoint that forwards a connection reports it
    /// beside the end that it belongs to.
    private func mayBe(_ flow: UInt32, _ resolved: ResolvedFlow) -> Bool {
        let key = groups[flows[flow].group]
        guard key.action == resolved.action, (key.reporter == .forward) == (resolved.reporter == .forward) else {
            return false
        }
        let (known, wanted) = (folding.policies(of: key), resolved.policies)
        return key.action == .allow || (known?.enforced == wanted?.enforced && known?.transit == wanted?.transit)
    }

    /// Returns the active flow with the tuple, the one that ended in this interval in the same group, or a new one.
    private mutating func flow(for resolved: ResolvedFlow, _ share: UInt16) -> UInt32 {
        let used = usedMemory
        let tuple = folding.tuple(of: resolved)
        let hash = HashIndex.hash(of: tuple)
        if let active = flows.active(tuple, hash: hash, where: { mayBe($0, resolved) }) {
            folding.release(tuple)
            return active
        }
        let isCoarse = budget.detail(for: share, used: used) != .full
        let key = folding.key(of: resolved, tuple, isCoarse: isCoarse)
        let group = groups.group(of: key)
        if !group.isNew { folding.release(key) }
        if let ended = flows.ended(tuple, hash: hash, in: group.number) {
            folding.release(tuple)
            return ended
        }
        groups.count(in: group.number) { $0.total += 1 }
        let flow = flows.insert(tuple, hash: hash, in: group.number, for: share)
        processes.begin(flow)
        flags[flow] = []
        let cost = usedMemory - used
        flows.setCost(cost, of: flow)
        budget.charge(cost, to: share)
        if isCoarse { coarseFlows += 1 }
        return flow
    }
}

// MARK: - Memory

extension FlowLedger {
    /// The estimated memory of flows, groups and names, bytes.
    var usedMemory: Int {
        let names = folding.counts
        return flows.count * (DetailCost.flow + (processes.isOn ? DetailCost.process : 0))
            + processes.count * DetailCost.processRow + groups.count * DetailCost.group + groups.socketCount
            * DetailCost.sockets
            + names.endpoints * DetailCost.endpoint + (names.identities + names.services + names.policies)
            * DetailCost.identity
    }

    /// The share of memory that a flow is charged to.
    func share(of flow: UInt32) -> UInt16 { flows[flow].share }

    /// Whether most of the memory belongs to removed flows, groups or endpoints.
    var isSparse: Bool { flows.isSparse || groups.isSparse || folding.endpoints.isSparse }

    /// Frees unused memory.
    ///
    /// - Returns: the new numbers of flows and groups.
    mutating func compact() -> MovedFlows {
        let endpoints = folding.endpoints.compact()
        let movedGroups = groups.compact(endpoints: endpoints)
        let moved = MovedFlows(flows: flows.compact(endpoints: endpoints, groups: movedGroups), groups: movedGroups)
        processes.move(moved, flowLimit: flows.limit)
        flags.move(moved.flows)
        return moved
    }
}

// MARK: - Verdicts

extension FlowLedger {
    /// Adds dropped packets to and from the reporting end to a flow of a group.
    mutating func drop(inbound: UInt64, outbound: UInt64, _ reason: DropReason, of flow: UInt32, in group: UInt32) {
        groups.drop(inbound: inbound, outbound: outbound, reason, of: group)
        processes.drop(inbound: inbound, outbound: outbound, reason, of: flow)
    }

    /// Returns an active flow as it began, with the newest versions of its ends.
    func resolved(_ flow: UInt32) -> ResolvedFlow {
        let tuple = flows[flow].tuple
        let key = groups[flows[flow].group]
        return ResolvedFlow(
            local: folding.endpoints[tuple.local],
            remote: folding.endpoints[tuple.remote],
            localPort: tuple.localPort,
            remotePort: tuple.remotePort,
            proto: tuple.proto,
            reporter: key.reporter,
            action: key.action,
            policies: folding.policies(of: key),
            service: folding.service(of: key),
            natPort: flows[flow].natPort,
            origin: flows[flow].origin.union(.unwatched),
            share: flows[flow].share
        )
    }

    /// Returns an active flow if its group's level differs from the configuration; else nil.
    func refolded(_ flow: UInt32, to configuration: FlowLogConfiguration) -> ResolvedFlow? {
        let key = groups[flows[flow].group]
        guard key.level != configuration.level(for: key.action) else { return nil }
        var resolved = resolved(flow)
        resolved.origin.insert(.resumed)
        return resolved
    }

    /// Returns an active flow if it began without policies; else nil.
    func unexplained(_ flow: UInt32) -> ResolvedFlow? {
        groups[flows[flow].group].policies == GroupKey.none ? resolved(flow) : nil
    }

    /// Whether an active flow has the same ends, ports and enforced policies as another.
    func isRunning(_ other: ResolvedFlow, as flow: UInt32) -> Bool {
        let tuple = flows[flow].tuple
        let policies = folding.policies(of: groups[flows[flow].group])
        return folding.endpoints.number(of: other.local) == tuple.local
            && folding.endpoints.number(of: other.remote) == tuple.remote
            && other.localPort == tuple.localPort && other.remotePort == tuple.remotePort
            && policies?.enforced == other.policies?.enforced && policies?.transit == other.policies?.transit
    }

    /// Whether a flow with the same ends, ports and reporter is or was active in this interval.
    func keeps(_ resolved: ResolvedFlow) -> Bool {
        guard let tuple = knownTuple(of: resolved) else { return false }
        return flows.kept(tuple, hash: HashIndex.hash(of: tuple)) {
            groups[flows[$0].group].reporter == resolved.reporter
        }
    }

    /// Returns the tuple of a flow if both ends are in use; else nil.
    private func knownTuple(of resolved: ResolvedFlow) -> FlowTuple? {
        guard let local = folding.endpoints.number(of: resolved.local),
            let remote = folding.endpoints.number(of: resolved.remote)
        else { return nil }
        return FlowTuple(
            local: local,
            remote: remote,
            localPort: resolved.localPort,
            remotePort: resolved.remotePort,
            proto: resolved.proto
        )
    }

    /// Returns the datapath's identifier of an active flow with the same ends and ports; the newest if there are several.
    ///
    /// - Parameters:
    ///   - resolved: the other flow.
    ///   - isRight: selects a flow by its newest identifier, which may have ended since, and its number.
    /// - Returns: the identifier; nil if there is none.
    func flowID(of resolved: ResolvedFlow, where isRight: (_ flowID: UInt32, _ flow: UInt32) -> Bool) -> UInt32? {
        guard let tuple = knownTuple(of: resolved) else { return nil }
        let found = flows.active(tuple, hash: HashIndex.hash(of: tuple)) { flow in
            groups[flows[flow].group].reporter == resolved.reporter && isRight(flows[flow].lastFlowID, flow)
        }
        return found.map { flows[$0].lastFlowID }
    }
}

// MARK: - Late names

extension FlowLedger {
    /// Updates all endpoints to their newest versions; must be called before the interval ends.
    ///
    /// - Returns: whether ``renamed(_:by:)`` may return a name for any flow.
    mutating func refresh(by resolver: any EndpointResolver) -> Bool {
        folding.endpoints.refresh(by: resolver)
    }

    /// Returns a flow under its new names, if an end was unknown when it began and is known now.
    ///
    /// - Parameters:
    ///   - flow: an active flow.
    ///   - resolver: the resolver of the last ``refresh(by:)``.
    /// - Returns: the flow to begin in the next interval; nil if its names have not changed.
    func renamed(_ flow: UInt32, by resolver: any EndpointResolver) -> ResolvedFlow? {
        let tuple = flows[flow].tuple
        let localBecameKnown = folding.endpoints.becameKnown(tuple.local)
        let remoteBecameKnown = folding.endpoints.becameKnown(tuple.remote)
        guard localBecameKnown || remoteBecameKnown else { return nil }
        var resolved = resolved(flow)
        let localBegan = resolved.reporter == .source
        let (source, destination) = (resolved.source.address, resolved.destination.address)
        // An owner that has been deleted since did not own the address when the flow began; the flow would have its name.
        let owners = resolver.endpoints(source: source, destination: destination, began: .max)
        // An end that was known keeps its owner, even if the address has another owner now.
        if localBecameKnown { resolved.local.owner = localBegan ? owners.source : owners.destination }
        if remoteBecameKnown { resolved.remote.owner = localBegan ? owners.destination : owners.source }
        let isOther =
            folding.endpoints.isOther(resolved.local, than: tuple.local)
            || folding.endpoints.isOther(resolved.remote, than: tuple.remote)
        return isOther ? resolved : nil
    }
}
