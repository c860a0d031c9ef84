import FlowModel

extension FlowAggregator {
    /// A flow that is to begin again under other names or policies.
    struct RenamedFlow {
        let flowID: UInt32
        let localEnd: InterfaceEnd
        let resolved: ResolvedFlow
        let share: UInt16
        /// The process that has its socket, which an idle flow does not report again.
        var process: FlowProcess?
    }

    /// Ends flows with an end or policies that were unknown and are known by now, and flows of other levels than
    /// the next interval's.
    ///
    /// This is the only time that a running flow changes its name, and it happens once: the new name is kept. It costs a look
    /// at every endpoint, and at every datapath flow only if any of them became known, or the levels change.
    mutating func endRenamed() -> [RenamedFlow] {
        let gotNames = ledger.refresh(by: resolver)
        guard gotNames || gotPolicies || nextLevels != nil else { return [] }
        defer { gotPolicies = false }
        var renamed: [RenamedFlow] = []
        for flowID in 0..<states.limit {
            switch states[flowID] {
            case .denied(let place):
                guard let resolved = endRenamed(deniedAt: place) else { continue }
                let (localEnd, share) = (deniedFlows[place].localEnd, deniedFlows[place].share)
                renamed.append(RenamedFlow(flowID: flowID, localEnd: localEnd, resolved: resolved, share: share))
            case .reported(let flow):
                guard let resolved = resolvedAnew(flow) else { continue }
                let share = ledger.share(of: flow.flow)
                renamed.append(
                    RenamedFlow(
                        flowID: flowID,
                        localEnd: flow.localEnd,
                        resolved: resolved,
                        share: share,
                        process: ledger.processes.process(of: flow.flow)
                    )
                )
                ledger.end(flow.flow)
            case .waiting, .held, .folded, .unused:
                continue
            }
        }
        return renamed
    }

    /// Returns a reported flow under another name, other policies or another level; nil if none of these has changed.
    private mutating func resolvedAnew(_ flow: ReportedFlow) -> ResolvedFlow? {
        if let renamed = ledger.renamed(flow.flow, by: resolver) { return renamed }
        if gotPolicies, let unexplained = ledger.unexplained(flow.flow), trace(of: unexplained) != nil {
            return unexplained
        }
        return nextLevels.flatMap { ledger.refolded(flow.flow, to: $0) }
    }
}
