import FlowModel

/// The properties that the flows of one record share; 32 bytes.
///
/// A field that the level folds away is ``none`` for an endpoint and 0 for a port.
struct GroupKey: Hashable {
    /// The value for an endpoint that is folded away, for no service, and for no policies.
    static let none = UInt32.max

    /// The number of the initiator's endpoint, or ``none``.
    let sourceEndpoint: UInt32
    /// The number of the responder's endpoint, or ``none``.
    let destinationEndpoint: UInt32
    /// The number of the source's identity; it includes the full name if addresses are kept.
    let source: UInt32
    /// The number of the destination's identity.
    let destination: UInt32
    /// The number of the identity of the service that was called, or ``none``.
    let service: UInt32
    /// The number of the enforced policies' hits, or ``none``.
    let policies: UInt32
    /// The port of the source, or 0; for ICMP the identifier.
    let sourcePort: UInt16
    /// The port of the destination, or 0; for ICMP type and code.
    let destinationPort: UInt16
    /// The protocol above IP.
    let proto: IPProtocol
    /// The end that reports the flow.
    let reporter: FlowReporter
    /// Whether the packets were allowed or denied.
    let action: FlowAction
    /// The level of aggregation.
    let level: AggregationLevel

    /// The same key after endpoints were renumbered.
    func moved(_ endpoints: [UInt32]) -> GroupKey {
        GroupKey(
            sourceEndpoint: sourceEndpoint == Self.none ? Self.none : endpoints[Int(sourceEndpoint)],
            destinationEndpoint: destinationEndpoint == Self.none ? Self.none : endpoints[Int(destinationEndpoint)],
            source: source,
            destination: destination,
            service: service,
            policies: policies,
            sourcePort: sourcePort,
            destinationPort: destinationPort,
            proto: proto,
            reporter: reporter,
            action: action,
            level: level
        )
    }

    /// Hashes the key in four words.
    func hash(into hasher: inout Hasher) {
        hasher.combine(UInt64(sourceEndpoint) << 32 | UInt64(destinationEndpoint))
        hasher.combine(UInt64(source) << 32 | UInt64(destination))
        hasher.combine(UInt64(service) << 32 | UInt64(policies))
        let ports = UInt64(sourcePort) << 16 | UInt64(destinationPort)
        let verdict = (reporter == .source ? 1 : 0) | (action == .allow ? 2 : 0) | UInt64(level.rawValue) << 2 as UInt64
        hasher.combine(ports << 32 | UInt64(proto.rawValue) << 8 | verdict)
    }
}

/// The traffic of a group in an interval, as its reporting endpoint sees it.
struct GroupTraffic: Equatable {
    /// Traffic to the reporting endpoint.
    var inbound = TrafficCounters.zero
    /// Traffic from the reporting endpoint.
    var outbound = TrafficCounters.zero
}

/// The numbers of a group's flows.
struct GroupCounts {
    /// Flows active now.
    var live: UInt32 = 0
    /// Flows active at any time in the interval; 0 only if the number is not in use.
    var total: UInt32 = 0
    /// Flows that began in the interval.
    var started: UInt32 = 0
    /// Flows that ended in the interval.
    var completed: UInt32 = 0
    /// Denied flows that began or had packets in the interval.
    var tried: UInt32 = 0
}

/// The report of a group for an interval.
struct GroupReport {
    /// The properties that its flows share.
    let key: GroupKey
    /// Their traffic.
    let traffic: GroupTraffic
    /// The numbers of flows.
    let counts: GroupCounts
    /// Its dropped packets; nil if there are none.
    let drops: FlowRecord.Drops?
    /// Statistics of its sockets; nil if there are none.
    let sockets: SocketSummary?
    /// Whether it has a record even if nothing was denied.
    let isRequired: Bool

    /// Whether no flow is left; this report is then the group's last one.
    var isLast: Bool { counts.live == 0 }

    /// Whether the group's flows are denied, but none of their packets was.
    ///
    /// A denied connection does not stay active between its attempts, so there is nothing to report.
    var isOfNothingDenied: Bool {
        key.action == .deny && !isRequired && drops == nil && traffic.inbound == .zero && traffic.outbound == .zero
    }
}

/// All groups for which a record is due at the end of the interval.
///
/// Keys, traffic and counts are in separate arrays, because a delta accesses only the traffic.
struct GroupTable {
    private var keys = Slab<GroupKey>()
    private var index = HashIndex()
    private var traffic: [GroupTraffic] = []
    private var counts: [GroupCounts] = []
    /// The drops of groups that have any in the interval.
    private var drops: [UInt32: FlowRecord.Drops] = [:]
    /// The socket statistics of groups that have any in the interval.
    private var sockets: [UInt32: SocketSummary] = [:]
    /// Groups of denied flows with a record in the interval, whether any packet was denied or not.
    private var required: Set<UInt32> = []

    /// Groups with socket statistics in the interval.
    var socketCount: Int { sockets.count }

    /// The number of groups.
    var count: Int { keys.count }

    /// Every group's number is below this.
    var limit: UInt32 { keys.limit }

    /// The properties that the flows of a group in use share.
    subscript(group: UInt32) -> GroupKey { keys[group] }

    /// Returns the group with a key, and creates it if there is none.
    ///
    /// The caller must count the first flow of a new group before the interval ends.
    ///
    /// - Returns: its number, and whether it is new.
    mutating func group(of key: GroupKey) -> (number: UInt32, isNew: Bool) {
        let hash = HashIndex.hash(of: key)
        if let group = index.first(hash, where: { keys[$0] == key }) { return (group, false) }
        let group = keys.insert(key)
        index.insert(group, hash: hash)
        if Int(group) == traffic.count {
            traffic.append(GroupTraffic())
            counts.append(GroupCounts())
        } else {
            traffic[Int(group)] = GroupTraffic()
            counts[Int(group)] = GroupCounts()
        }
        return (group, true)
    }

    /// Adds traffic to and from the reporting endpoint.
    mutating func add(inbound: TrafficCounters, outbound: TrafficCounters, to group: UInt32) {
        traffic[Int(group)].inbound += inbound
        traffic[Int(group)].outbound += outbound
    }

    /// Adds dropped packets to and from the reporting endpoint.
    mutating func drop(inbound: UInt64, outbound: UInt64, _ reason: DropReason, of group: UInt32) {
        guard inbound > 0 || outbound > 0 else { return }
        let former = drops[group]
        drops[group] = FlowRecord.Drops(
            inbound: (former?.inbound ?? 0) + inbound,
            outbound: (former?.outbound ?? 0) + outbound,
            reason: reason
        )
    }

    /// Adds statistics of the reporting endpoint's sockets.
    mutating func add(_ socket: borrowing FlowSocket, to group: UInt32) {
        sockets[group, default: SocketSummary()].add(socket)
    }

    /// Makes a group of denied flows have a record in the interval, even if no packet was denied.
    mutating func requireRecord(of group: UInt32) {
        if keys[group].action == .deny { required.insert(group) }
    }

    /// Whether most of the memory belongs to removed groups.
    var isSparse: Bool { keys.isSparse }

    /// Frees unused memory.
    ///
    /// - Parameter endpoints: the new numbers of endpoints, by former number.
    /// - Returns: the new numbers of groups, by former number, as ``Slab/compact()``.
    mutating func compact(endpoints: [UInt32]) -> [UInt32] {
        let moved = keys.compact()
        let kept = moved.indices.filter { moved[$0] != .max }
        traffic = kept.map { traffic[$0] }
        counts = kept.map { counts[$0] }
        drops = Dictionary(uniqueKeysWithValues: drops.map { (moved[Int($0)], $1) })
        sockets = Dictionary(uniqueKeysWithValues: sockets.map { (moved[Int($0)], $1) })
        index = HashIndex()
        for group in 0..<keys.limit {
            keys[group] = keys[group].moved(endpoints)
            index.insert(group, hash: HashIndex.hash(of: keys[group]))
        }
        return moved
    }

    /// Changes the counts of a group.
    mutating func count(in group: UInt32, _ change: (inout GroupCounts) -> Void) {
        change(&counts[Int(group)])
    }

    /// Moves a flow of a group to another group, with its counted events.
    ///
    /// If no other flow was active in the group in this interval, its traffic moves too, and the group is removed.
    ///
    /// - Returns: whether the group was removed.
    mutating func move(_ counted: Flow.Counted, from former: UInt32, to group: UInt32) -> Bool {
        let started: UInt32 = counted.contains(.started) ? 1 : 0
        let completed: UInt32 = counted.contains(.completed) ? 1 : 0
        let tried: UInt32 = counted.contains(.tried) ? 1 : 0
        count(in: group) { counts in
            counts.live += 1
            counts.total += 1
            counts.started += started
            counts.completed += completed
            counts.tried += tried
        }
        count(in: former) { counts in
            counts.live -= 1
            counts.total -= 1
            counts.started -= started
            counts.completed -= completed
            counts.tried -= tried
        }
        guard counts[Int(former)].total == 0 else { return false }
        add(inbound: traffic[Int(former)].inbound, outbound: traffic[Int(former)].outbound, to: group)
        traffic[Int(former)] = GroupTraffic()
        if let moved = drops.removeValue(forKey: former) {
            drop(inbound: moved.inbound, outbound: moved.outbound, moved.reason, of: group)
        }
        if let moved = sockets.removeValue(forKey: former) { sockets[group, default: SocketSummary()].add(moved) }
        index.remove(former, hash: HashIndex.hash(of: keys[former]))
        keys.remove(former)
        return true
    }

    /// Whether a group had only one flow in the interval, without any traffic.
    func isUnused(_ group: UInt32) -> Bool {
        let (traffic, total) = (traffic[Int(group)], counts[Int(group)].total)
        return total == 1 && traffic.inbound == .zero && traffic.outbound == .zero && drops[group] == nil
    }

    /// Whether a record is due for a group.
    func isDue(_ group: UInt32) -> Bool { counts[Int(group)].total > 0 }

    /// Ends the interval of one group: it keeps its active flows, or is removed if it has none.
    ///
    /// - Parameter group: any number below ``limit``.
    /// - Returns: the report, or nil if there is no such group.
    mutating func endInterval(of group: UInt32) -> GroupReport? {
        let position = Int(group)
        guard counts[position].total > 0 else { return nil }
        // A denied flow ends as soon as it has begun, and is active only while it is tried.
        if keys[group].action == .deny {
            counts[position].completed = counts[position].started
            counts[position].total = counts[position].tried
        }
        let report = GroupReport(
            key: keys[group],
            traffic: traffic[position],
            counts: counts[position],
            drops: drops.isEmpty ? nil : drops.removeValue(forKey: group),
            sockets: sockets.isEmpty ? nil : sockets.removeValue(forKey: group),
            isRequired: !required.isEmpty && required.remove(group) != nil
        )
        traffic[position] = GroupTraffic()
        counts[position] = GroupCounts(live: report.counts.live, total: report.counts.live)
        if report.isLast {
            index.remove(group, hash: HashIndex.hash(of: report.key))
            keys.remove(group)
        }
        return report
    }
}
