import FlowModel

/// The flows that are reported, and the groups they count for.
///
/// A flow is one 5-tuple as one reporting end sees it; several of the datapath's numbers may stand for it.
struct FlowLedger {
    private var flows = FlowTable()
    private var groups = GroupTable()
    private var folding: Folding

    /// Makes an empty one.
    init(configuration: FlowLogConfiguration) {
        folding = Folding(configuration: configuration)
    }

    /// Flows that are active.
    var liveFlows: Int { flows.live }

    /// Flows that ended in this interval and are kept until its end.
    var endedFlows: Int { flows.count - flows.live }

    /// Groups that a record is due for.
    var groupCount: Int { groups.count }

    /// How many names flows and groups need.
    var nameCounts: NameCounts { folding.counts }

    /// Adds to what went to and came from the reporting end of a group's flows.
    mutating func add(inbound: TrafficCounters, outbound: TrafficCounters, to group: UInt32) {
        groups.add(inbound: inbound, outbound: outbound, to: group)
    }
}

// MARK: - Beginning and end

extension FlowLedger {
    /// Lets one more number stand for a flow, which begins unless it is running under another number.
    ///
    /// - Returns: the flow, and the group that it counts for.
    mutating func begin(_ resolved: ResolvedFlow) -> (flow: UInt32, group: UInt32) {
        let flow = flow(for: resolved)
        let group = flows[flow].group
        if resolved.natPort != 0 { flows.setNATPort(resolved.natPort, of: flow) }
        if flows.addNumber(to: flow) {
            let isNews = flows.count(.started, of: flow)
            groups.count(in: group) { counts in
                counts.live += 1
                if isNews { counts.started += 1 }
            }
        }
        return (flow, group)
    }

    /// Takes a number from a flow, which ends with the last one.
    mutating func end(_ flow: UInt32) {
        guard flows.removeNumber(from: flow) else { return }
        let isNews = flows.count(.completed, of: flow)
        groups.count(in: flows[flow].group) { counts in
            counts.live -= 1
            if isNews { counts.completed += 1 }
        }
    }

    /// The active flow with the tuple, the one that ended in this interval in the same group, or a new one.
    private mutating func flow(for resolved: ResolvedFlow) -> UInt32 {
        let tuple = folding.tuple(of: resolved)
        let hash = HashIndex.hash(of: tuple)
        if let active = flows.active(tuple, hash: hash) {
            folding.release(tuple)
            return active
        }
        let key = folding.key(of: resolved, tuple)
        let group = groups.group(of: key)
        if !group.isNew { folding.release(key) }
        if let ended = flows.ended(tuple, hash: hash, in: group.number) {
            folding.release(tuple)
            return ended
        }
        groups.count(in: group.number) { $0.total += 1 }
        return flows.insert(tuple, hash: hash, in: group.number)
    }
}

// MARK: - Late names

extension FlowLedger {
    /// Takes the newest versions of all endpoints; to be called before the interval ends.
    ///
    /// - Returns: whether ``renamed(_:by:)`` may have something to say of any flow.
    mutating func refresh(by resolver: any EndpointResolver) -> Bool {
        folding.parties.refresh(by: resolver)
    }

    /// A flow under the names that it should have, if an end of it was unknown when it began and is known by now.
    ///
    /// - Parameters:
    ///   - flow: an active flow.
    ///   - resolver: the one that ``refresh(by:)`` was called with.
    /// - Returns: the flow to begin in the next interval, or nil if its names are right.
    func renamed(_ flow: UInt32, by resolver: any EndpointResolver) -> ResolvedFlow? {
        let tuple = flows[flow].tuple
        let localBecameKnown = folding.parties.becameKnown(tuple.local)
        let remoteBecameKnown = folding.parties.becameKnown(tuple.remote)
        guard localBecameKnown || remoteBecameKnown else { return nil }
        let key = groups[flows[flow].group]
        var (local, remote) = (folding.parties[tuple.local], folding.parties[tuple.remote])
        let localBegan = key.reporter == .source
        let owners = resolver.endpoints(
            source: localBegan ? local.address : remote.address,
            destination: localBegan ? remote.address : local.address
        )
        // An end that was known keeps its owner, for the connection is that one's, whoever has the address now.
        if localBecameKnown { local.owner = localBegan ? owners.source : owners.destination }
        if remoteBecameKnown { remote.owner = localBegan ? owners.destination : owners.source }
        let isOther =
            folding.parties.isOther(local, than: tuple.local) || folding.parties.isOther(remote, than: tuple.remote)
        guard isOther else { return nil }
        return ResolvedFlow(
            local: local,
            remote: remote,
            localPort: tuple.localPort,
            remotePort: tuple.remotePort,
            proto: tuple.proto,
            reporter: key.reporter,
            action: key.action,
            service: folding.service(of: key),
            natPort: flows[flow].natPort
        )
    }
}

// MARK: - Intervals

extension FlowLedger {
    /// Ends the interval: emits a record for every group that had a flow in it, and begins the next interval.
    ///
    /// - Parameters:
    ///   - interval: the seconds it was.
    ///   - emit: called with each record, groups in the order of their numbers.
    mutating func endInterval(_ interval: ClosedRange<Int64>, emit: (borrowing FlowRecord) -> Void) {
        let survey = IntervalSurvey(of: flows, parties: &folding.parties, groupLimit: groups.limit)
        for group in 0..<groups.limit {
            guard let report = groups.endInterval(of: group) else { continue }
            emit(folding.record(of: report, as: group, in: survey, interval: interval))
            if report.isLast { folding.release(report.key) }
        }
        while let tuple = flows.forgetNext() { folding.release(tuple) }
        folding.beginInterval()
    }
}
