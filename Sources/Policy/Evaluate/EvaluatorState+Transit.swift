import FlowModel

/// The decision of a host endpoint's policies on forwarded traffic at one hook.
struct TransitDecision: Sendable {
    /// The hook.
    var hook: PolicyHook
    /// The index of the table.
    var table: Int
    /// The steps of the decision, one for each tier that decided.
    var steps: [DecisionStep]
    /// The action; nil if evaluation continues.
    var action: FlowAction?
}

/// The evaluation of forwarded traffic at a host endpoint.
extension EvaluatorState {
    /// The maximum number of cached traces.
    private static let maximumTransitTraces = 1 << 12

    /// The trace of a forwarded connection; nil if no policy of the host endpoint applies to it.
    mutating func transit(
        _ connection: ForwardedConnection,
        _ endpoint: InterfaceEndpoint,
        _ world: PolicyWorld
    ) -> PolicyTrace? {
        let decisions = transitDecisions(connection, endpoint, world)
        guard !decisions.isEmpty else { return nil }
        let key = decisions.flatMap { [UInt32($0.table), UInt32($0.steps.count)] + $0.steps.map(\.rawValue) }
        if let known = transitTraces[key] { return known }
        var hits: [String] = []
        for decision in decisions {
            hits += HitText.enforced(decision.steps, tables[decision.table], from: hits.count)
        }
        let trace = PolicyTrace(action: decisions.last?.action ?? .allow, transit: hits)
        if transitTraces.count >= Self.maximumTransitTraces { transitTraces.removeAll() }
        transitTraces[key] = trace
        return trace
    }

    /// Returns the decision at each hook with policies, up to the decision that ends the evaluation.
    ///
    /// The order is that of Felix: before connection tracking, before destination NAT, in the forward path. A denial ends
    /// the evaluation, and so does an action allow before connection tracking. Traffic that no policy of the forward path
    /// decides continues.
    mutating func transitDecisions(
        _ connection: ForwardedConnection,
        _ endpoint: InterfaceEndpoint,
        _ world: PolicyWorld
    ) -> [TransitDecision] {
        limit()
        var decisions: [TransitDecision] = []
        let hooks: [PolicyHook] = connection.direction == .entering ? [.untracked, .preDNAT, .forward] : [.forward]
        for hook in hooks {
            guard let decision = decide(hook, connection, endpoint, world) else { continue }
            decisions.append(decision)
            if decision.action == .deny || hook == .untracked && decision.action == .allow { break }
        }
        return decisions
    }

    private mutating func decide(
        _ hook: PolicyHook,
        _ connection: ForwardedConnection,
        _ endpoint: InterfaceEndpoint,
        _ world: PolicyWorld
    ) -> TransitDecision? {
        let direction: FlowDirection = connection.direction == .entering ? .ingress : .egress
        let query = PolicyQuery(connection, at: hook, world)
        if hook.hasFailsafePorts, world.isFailsafe(query, direction, at: endpoint.node) { return nil }
        let table = table(HookDirection(hook: hook, direction: direction), number(of: endpoint.identity, world), world)
        guard tables[table].stretches.contains(where: { $0.lastEnforced != nil }) else { return nil }
        let ends = Ends(
            source: query.source.map { number(of: $0, world) },
            destination: query.destination.map { number(of: $0, world) }
        )
        let rules = lists[list(table, query, world)]
        enforced.removeAll(keepingCapacity: true)
        follow(rules, table, staged: false, query, ends, world)
        // Profiles do not apply to forwarded traffic.
        let isDecided = enforced.last != .profiles
        if !isDecided { enforced.removeLast() }
        return TransitDecision(
            hook: hook,
            table: table,
            steps: enforced,
            action: isDecided ? HitText.action(enforced, tables[table]) : nil
        )
    }

    private mutating func table(_ place: HookDirection, _ number: Int, _ world: PolicyWorld) -> Int {
        if let known = identities[number].atHooks[place] { return known }
        let table = makeTable(place.direction, place.hook, number, world)
        identities[number].atHooks[place] = table
        return table
    }
}

extension PolicyQuery {
    /// The packets of a forwarded connection at a hook: before or after destination NAT.
    init(_ connection: ForwardedConnection, at hook: PolicyHook, _ world: PolicyWorld) {
        guard hook == .forward else {
            var packets = connection.packets
            if connection.packets.proto.hasPorts || connection.called.address != packets.destination {
                let port = packets.proto.hasPorts ? connection.called.port : packets.destinationPort
                packets = TrackedConnection.Tuple(
                    source: packets.source,
                    destination: connection.called.address,
                    sourcePort: packets.sourcePort,
                    destinationPort: port,
                    proto: packets.proto
                )
            }
            let isTranslated = packets != connection.packets
            let called = Endpoint(kind: .network, name: "-", aggregatedName: "-")
            self.init(packets, connection.source, isTranslated ? called : connection.destination, .none, world)
            return
        }
        self.init(connection.packets, connection.source, connection.destination, .none, world)
    }
}
