import FlowModel

extension FlowAggregator {
    /// A flow that begins again under other names or policies.
    struct RenamedFlow {
        let flowID: UInt32
        let localEnd: InterfaceEnd
        let resolved: ResolvedFlow
        let share: UInt16
        /// The process that owns its socket; an idle flow does not report it again.
        var process: FlowProcess?
    }

    /// Ends flows that need new names, policies or levels, and returns them under these.
    ///
    /// These are flows with an end or policies that were unknown when they began and are known now, and all flows whose level
    /// changes with the next interval. A running flow changes its names only here, and only once. The cost is a check of every
    /// endpoint; every datapath flow is checked only if an endpoint or the policies became known, or if levels change.
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

    /// Returns a reported flow under its new names, policies or level; nil if none of these has changed.
    private mutating func resolvedAnew(_ flow: ReportedFlow) -> ResolvedFlow? {
        if let renamed = ledger.renamed(flow.flow, by: resolver) { return renamed }
        if gotPolicies, let unexplained = ledger.unexplained(flow.flow), trace(of: unexplained) != nil {
            return unexplained
        }
        return nextLevels.flatMap { ledger.refolded(flow.flow, to: $0) }
    }
}
