import FlowModel

/// Mismatches between the verdicts of policies and datapath: they are reported only if both verdicts are certain.
extension FlowAggregator {
    /// Returns the connections, found since the last call, for which policies and datapath decided differently.
    public mutating func takeMismatches() -> [VerdictMismatch] {
        mismatches.take()
    }

    /// Compares the datapath's verdict on a new connection with the policies' verdict at its reporting end.
    mutating func compare(_ connection: ResolvedFlow, reason: DropReason?) {
        guard connection.policies.map({ $0.action != connection.action }) ?? false, isCertain(connection),
            connection.reporter != .forward, !mayHostEndpointDeny(connection)
        else { return }
        mismatches.note(connection, reason: reason)
    }

    /// Whether a denied connection between a local workload and another host may be denied by a host endpoint of this node.
    private func mayHostEndpointDeny(_ connection: ResolvedFlow) -> Bool {
        guard connection.action == .deny, resolver.isLocalWorkload(connection.local.address),
            !isLocal(connection.remote)
        else { return false }
        return transitDenial(of: connection, connection.reporter == .source ? .leaving : .entering) != nil
    }

    /// Drops mismatches that no longer exist, because policies or labels have changed or had just changed.
    ///
    /// - Parameter seconds: the length of the interval that ends.
    mutating func confirmMismatches(after seconds: Int64) {
        let now = evaluator.map { (resolver: resolver, evaluator: $0) }
        let known = [settled.snapshots, now].compactMap(\.self)
        var found = VerdictMismatches()
        swap(&found, &mismatches)
        found.confirm { connection in
            known.allSatisfy { action(of: connection, by: $0.resolver, $0.evaluator) == connection.policies?.action }
        }
        mismatches = found
        if let now { settled.note(now, after: seconds) } else { settled.end() }
    }

    /// Whether all inputs of a verdict are known.
    ///
    /// They are not known if the initiator is a guess, or if an end may be a workload that is not known yet. The same holds for
    /// an allowed flow that is resumed or began before it was watched, because other policies may have applied then.
    private func isCertain(_ connection: ResolvedFlow) -> Bool {
        guard !connection.origin.contains(.guessed), !connection.local.mayBecomeKnown, !connection.remote.mayBecomeKnown
        else { return false }
        guard connection.action == .allow else { return true }
        return connection.origin.isDisjoint(with: [.unwatched, .resumed]) && !connection.isToPodsOwnNode(by: resolver)
    }

    /// Returns the action at the reporting end under other snapshots; logged rules are the same for all snapshots.
    private func action(
        of connection: ResolvedFlow,
        by resolver: any EndpointResolver,
        _ evaluator: any PolicyEvaluator
    ) -> FlowAction? {
        if logged.contains(LoggedVerdicts.Key(packets: connection.packets, reporter: connection.reporter)) {
            return connection.policies?.action
        }
        let traces = traces(of: connection.named(by: resolver), by: resolver, evaluator)
        return (connection.reporter == .source ? traces.egress : traces.ingress)?.action
    }
}
