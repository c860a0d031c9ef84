import FlowModel

/// The end of an interval.
extension FlowLedger {
    /// Ends the interval: emits a record for every group that had a flow in it, and begins the next interval.
    ///
    /// - Parameters:
    ///   - interval: the seconds it was.
    ///   - evaluator: evaluates what policies would decide now.
    ///   - emit: called with each record, groups in the order of their numbers.
    mutating func endInterval(
        _ interval: ClosedRange<Int64>,
        policies evaluator: (any PolicyEvaluator)?,
        emit: (borrowing FlowRecord) -> Void
    ) {
        let survey = IntervalSurvey(of: flows, parties: &folding.parties, groupLimit: groups.limit)
        var unreported: Set<UInt32> = []
        for group in 0..<groups.limit {
            guard let report = groups.endInterval(of: group) else { continue }
            let isPostponed = report.isOfNothingDenied && !report.isLast
            if isPostponed { unreported.insert(group) }
            self.report(report, of: group, interval, evaluator, survey, emit)
        }
        // What began in a group that is not reported is reported as begun once it is.
        let postponed = unreported.isEmpty ? [] : flows.beginnings { unreported.contains($0) }
        forgetEndedFlows()
        for flow in postponed where flows.count(.started, of: flow) {
            groups.count(in: flows[flow].group) { $0.started += 1 }
        }
        folding.beginInterval()
    }

    /// Ends the last interval, in the time that there is: a record for every group as long as there is time.
    ///
    /// - Parameters:
    ///   - interval: the seconds it was.
    ///   - evaluator: evaluates what policies would decide now.
    ///   - hasTime: whether there is time for more records.
    ///   - emit: called with each record, those of interfaces with few groups first.
    /// - Returns: the groups for which there was no time.
    mutating func endLastInterval(
        _ interval: ClosedRange<Int64>,
        policies evaluator: (any PolicyEvaluator)?,
        while hasTime: () -> Bool,
        emit: (borrowing FlowRecord) -> Void
    ) -> [UnreportedGroup] {
        let survey = IntervalSurvey(of: flows, parties: &folding.parties, groupLimit: groups.limit)
        var unreported: [UnreportedGroup] = []
        var isLate = false
        for (position, group) in groupsOfQuietInterfacesFirst(survey).enumerated() {
            if !isLate, position.isMultiple(of: Self.recordsBetweenLooks) { isLate = !hasTime() }
            guard let report = groups.endInterval(of: group) else { continue }
            guard isLate else {
                self.report(report, of: group, interval, evaluator, survey, emit)
                continue
            }
            let flow = flows[survey.flow(of: group)]
            let local = folding.parties[flow.tuple.local]
            unreported.append(UnreportedGroup(local: local, share: flow.share, report: report))
            if report.isLast { folding.release(report.key) }
        }
        forgetEndedFlows()
        folding.beginInterval()
        return unreported
    }

    /// After how many records the time is looked at.
    private static let recordsBetweenLooks = 64

    private func groupsOfQuietInterfacesFirst(_ survey: borrowing IntervalSurvey) -> [UInt32] {
        var byShare: [UInt16: [UInt32]] = [:]
        for group in 0..<groups.limit where groups.isDue(group) {
            byShare[flows[survey.flow(of: group)].share, default: []].append(group)
        }
        return byShare.values.sorted { $0.count < $1.count }.flatMap { $0 }
    }

    /// Emits the record of a group, unless nothing of it was denied that its verdict says to be.
    private mutating func report(
        _ report: GroupReport,
        of group: UInt32,
        _ interval: ClosedRange<Int64>,
        _ evaluator: (any PolicyEvaluator)?,
        _ survey: borrowing IntervalSurvey,
        _ emit: (borrowing FlowRecord) -> Void
    ) {
        if !report.isOfNothingDenied {
            let hasPolicies = report.key.policies != GroupKey.none
            let pending = hasPolicies ? evaluator?.trace(of: resolved(survey.flow(of: group))) : nil
            emit(folding.record(of: report, pending: pending, as: group, in: survey, interval: interval))
        }
        if report.isLast { folding.release(report.key) }
    }

    private mutating func forgetEndedFlows() {
        while let flow = flows.forgetNext() {
            folding.release(flow.tuple)
            budget.release(Int(flow.cost), from: flow.share)
        }
    }
}

/// A group without a record, because there was no time to make it.
struct UnreportedGroup {
    /// The end that would have reported it.
    let local: Party
    /// The share of the interface.
    let share: UInt16
    /// The contents that the record would have had.
    let report: GroupReport
}
