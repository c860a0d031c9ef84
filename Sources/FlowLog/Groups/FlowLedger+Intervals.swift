import FlowModel

/// The end of an interval.
extension FlowLedger {
    /// Ends the interval: emits a record for every group that had a flow in it, and begins the next interval.
    ///
    /// - Parameters:
    ///   - interval: the seconds of the interval.
    ///   - evaluator: evaluates the present policies, including pending ones.
    ///   - names: looks up domain names for policies.
    ///   - domains: domain names of destinations, by group; empty if none are known.
    ///   - emit: called with each record, groups in the order of their numbers.
    mutating func endInterval(
        _ interval: ClosedRange<Int64>,
        policies evaluator: (any PolicyEvaluator)?,
        names: DestinationNames,
        domains: [[String]] = [],
        emit: (borrowing FlowRecord) -> Void
    ) {
        let survey = IntervalSurvey(of: flows, flags, endpoints: &folding.endpoints, groupLimit: groups.limit)
        processes.divide(flows, flags: flags, isDenied: { [groups] in groups[$0].action == .deny })
        var unreported: Set<UInt32> = []
        for group in 0..<groups.limit {
            guard let report = groups.endInterval(of: group) else { continue }
            let isPostponed = report.isOfNothingDenied && !report.isLast
            if isPostponed { unreported.insert(group) }
            self.report(report, of: group, interval, evaluator, names, survey, domains, emit)
        }
        // A flow that began in an unreported group is reported as started once the group is reported.
        let postponed = unreported.isEmpty ? [] : flows.beginnings { unreported.contains($0) }
        processes.beginInterval()
        forgetEndedFlows()
        for flow in postponed where flows.count(.started, of: flow) {
            groups.count(in: flows[flow].group) { $0.started += 1 }
            noteTry(of: flow)
        }
        folding.beginInterval()
    }

    /// Ends the last interval within a time limit: emits a record for every group as long as there is time.
    ///
    /// - Parameters:
    ///   - interval: the seconds of the interval.
    ///   - evaluator: evaluates the present policies, including pending ones.
    ///   - names: looks up domain names for policies.
    ///   - domains: domain names of destinations, by group; empty if none are known.
    ///   - hasTime: whether there is time for more records.
    ///   - emit: called with each record, those of interfaces with few groups first.
    /// - Returns: the groups for which there was not enough time.
    mutating func endLastInterval(
        _ interval: ClosedRange<Int64>,
        policies evaluator: (any PolicyEvaluator)?,
        names: DestinationNames,
        domains: [[String]] = [],
        while hasTime: () -> Bool,
        emit: (borrowing FlowRecord) -> Void
    ) -> [UnreportedGroup] {
        let survey = IntervalSurvey(of: flows, flags, endpoints: &folding.endpoints, groupLimit: groups.limit)
        processes.divide(flows, flags: flags, isDenied: { [groups] in groups[$0].action == .deny })
        var unreported: [UnreportedGroup] = []
        var isLate = false
        for (position, group) in groupsOfQuietInterfacesFirst(survey).enumerated() {
            if !isLate, position.isMultiple(of: Self.recordsBetweenLooks) { isLate = !hasTime() }
            guard let report = groups.endInterval(of: group) else { continue }
            guard isLate else {
                self.report(report, of: group, interval, evaluator, names, survey, domains, emit)
                continue
            }
            let flow = flows[survey.flow(of: group)]
            let local = folding.endpoints[flow.tuple.local]
            unreported.append(UnreportedGroup(local: local, share: flow.share, report: report))
            if report.isLast { folding.release(report.key) }
        }
        processes.beginInterval()
        forgetEndedFlows()
        folding.beginInterval()
        return unreported
    }

    /// The number of records between checks of the time.
    private static let recordsBetweenLooks = 64

    private func groupsOfQuietInterfacesFirst(_ survey: borrowing IntervalSurvey) -> [UInt32] {
        var byShare: [UInt16: [UInt32]] = [:]
        for group in 0..<groups.limit where groups.isDue(group) {
            byShare[flows[survey.flow(of: group)].share, default: []].append(group)
        }
        return byShare.values.sorted { $0.count < $1.count }.flatMap { $0 }
    }

    /// Emits the record of a group, unless it is a denial without denied packets.
    private mutating func report(
        _ report: GroupReport,
        of group: UInt32,
        _ interval: ClosedRange<Int64>,
        _ evaluator: (any PolicyEvaluator)?,
        _ names: DestinationNames,
        _ survey: borrowing IntervalSurvey,
        _ domains: [[String]],
        _ emit: (borrowing FlowRecord) -> Void
    ) {
        if !report.isOfNothingDenied {
            let hasPolicies = report.key.policies != GroupKey.none
            let pending = hasPolicies ? evaluator.flatMap { trace(of: survey.flow(of: group), by: $0, names) } : nil
            var record = folding.record(of: report, pending: pending, as: group, in: survey, interval: interval)
            if !domains.isEmpty { record.domains = domains[Int(group)] }
            if processes.isOn {
                processes.emit(&record, of: report, as: group, emit)
            } else {
                emit(record)
            }
        }
        if report.isLast { folding.release(report.key) }
    }

    /// Returns the current decision of policies for a flow.
    private func trace(
        of flow: UInt32,
        by evaluator: any PolicyEvaluator,
        _ names: DestinationNames
    ) -> PolicyTrace? {
        let connection = resolved(flow)
        if connection.reporter == .forward { return connection.policies }
        let domains = names.domains(
            of: connection,
            at: budget.interfaceIndex(of: connection.share),
            for: evaluator
        )
        return evaluator.trace(of: connection, domains: domains)
    }

    private mutating func forgetEndedFlows() {
        while let flow = flows.forgetNext() {
            folding.release(flow.tuple)
            budget.release(Int(flow.cost), from: flow.share)
        }
    }
}

/// A group without a record, because there was not enough time.
struct UnreportedGroup {
    /// The end that the record would have been reported for.
    let local: FlowEndpoint
    /// The share of the interface.
    let share: UInt16
    /// The report from which the record would have been made.
    let report: GroupReport
}
