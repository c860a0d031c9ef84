import FlowModel

/// The contribution of an interval's flows to their groups besides traffic and counts: common labels, translated ports, TCP
/// flags.
///
/// It is made once per interval from all flows that were active in it. So nothing is stored between flushes, and deltas cost
/// nothing. While it is made, label sets are represented by numbers: most flows of a group have the same set, and comparing
/// numbers needs neither reference counting nor set comparison.
struct IntervalSurvey {
    /// Numbers of the labels that all flows of a group share at an end, or ``none``.
    private struct GroupLabels {
        var local = IntervalSurvey.none
        var remote = IntervalSurvey.none
    }

    /// The value for unknown labels.
    private static let none = UInt32.max

    private var sets: [LabelSet] = []
    private var numbers: [UInt64: UInt32] = [:]
    private var endpointLabels: [UInt32] = []
    /// Numbers of common labels, by the numbers of both sets.
    private var common: [UInt64: UInt32] = [:]
    private var groupLabels: [GroupLabels]
    /// The translated ports of each group; empty if no flow has one.
    private var groupPorts: [TranslatedPorts] = []
    /// One flow of each group.
    private var groupFlows: [UInt32]
    /// The TCP flags of each group's flows.
    private var groupFlags: [TCPFlags]

    /// Surveys all kept flows.
    init(of flows: borrowing FlowTable, _ flags: FlowFlagTable, endpoints: inout EndpointTable, groupLimit: UInt32) {
        groupFlags = Array(repeating: [], count: Int(groupLimit))
        groupLabels = Array(repeating: GroupLabels(), count: Int(groupLimit))
        groupFlows = Array(repeating: 0, count: Int(groupLimit))
        numberLabels(of: endpoints)
        for number in 0..<flows.limit {
            guard let flow = flows.kept(number) else { continue }
            let group = Int(flow.group)
            groupFlows[group] = number
            groupFlags[group].formUnion(flags[number])
            let local = endpointLabels[Int(flow.tuple.local)]
            if local != groupLabels[group].local, local != Self.none {
                groupLabels[group].local = narrowed(groupLabels[group].local, by: local, &endpoints.intersections)
            }
            let remote = endpointLabels[Int(flow.tuple.remote)]
            if remote != groupLabels[group].remote, remote != Self.none {
                groupLabels[group].remote = narrowed(groupLabels[group].remote, by: remote, &endpoints.intersections)
            }
            if flow.natPort != 0 { add(flow.natPort, isActive: flow.datapathFlows > 0, to: group) }
        }
    }

    /// The labels that all flows of a group share at the reporting end; nil if not known.
    func localLabels(of group: UInt32) -> LabelSet? {
        set(groupLabels[Int(group)].local)
    }

    /// The labels that all flows of a group share at the other end; nil if not known.
    func remoteLabels(of group: UInt32) -> LabelSet? {
        set(groupLabels[Int(group)].remote)
    }

    /// The source ports of a group's flows after source NAT, as a record lists them.
    func natPorts(of group: UInt32) -> [UInt16] {
        groupPorts.isEmpty ? [] : groupPorts[Int(group)].selection
    }

    /// Returns the flow with the highest number in a group.
    func flow(of group: UInt32) -> UInt32 {
        groupFlows[Int(group)]
    }

    /// The TCP flags of a group's flows.
    func flags(of group: UInt32) -> TCPFlags {
        groupFlags[Int(group)]
    }

    private func set(_ number: UInt32) -> LabelSet? {
        number == Self.none ? nil : sets[Int(number)]
    }
}

// MARK: - Construction

extension IntervalSurvey {
    private mutating func numberLabels(of endpoints: borrowing EndpointTable) {
        endpointLabels = Array(repeating: Self.none, count: Int(endpoints.limit))
        // On small nodes, most endpoints have labels of their own; on large nodes, the tables grow as needed.
        let expected = min(Int(endpoints.limit), 1024)
        sets.reserveCapacity(expected)
        numbers.reserveCapacity(expected)
        for endpoint in 0..<endpoints.limit {
            if let labels = endpoints.labels(endpoint) { endpointLabels[Int(endpoint)] = number(of: labels) }
        }
    }

    private mutating func number(of set: LabelSet) -> UInt32 {
        if let known = numbers[set.id] { return known }
        let number = UInt32(truncatingIfNeeded: sets.count)
        sets.append(set)
        numbers[set.id] = number
        return number
    }

    /// Returns the labels that both a group and another flow have.
    private mutating func narrowed(
        _ labels: UInt32,
        by other: UInt32,
        _ intersections: inout LabelIntersections
    ) -> UInt32 {
        if labels == Self.none { return other }
        let key = UInt64(labels) << 32 | UInt64(other)
        if let known = common[key] { return known }
        let result = number(of: intersections.common(sets[Int(labels)], sets[Int(other)]))
        common[key] = result
        return result
    }

    private mutating func add(_ port: UInt16, isActive: Bool, to group: Int) {
        if groupPorts.isEmpty { groupPorts = Array(repeating: TranslatedPorts(), count: groupLabels.count) }
        groupPorts[group].add(port, isActive: isActive)
    }
}
