import ClusterModel
public import FlowModel

/// The explanation of the decision of a host endpoint's policies about a connection that its node forwards.
public struct TransitExplanation: Sendable {
    /// The name of the host endpoint.
    public var hostEndpoint: String
    /// The node of the host endpoint.
    public var node: String
    /// The direction in which the initiator's packets cross the interface.
    public var direction: ForwardedConnection.Direction
    /// The decision.
    public var action: FlowAction
    /// The hits, in order: before connection tracking, before destination NAT, in the forward path.
    public var hits: [PolicyExplanation.Hit]
}

extension PolicySnapshot {
    /// Explains the decisions of host endpoints on the nodes of source and destination, which forward a connection.
    ///
    /// Host endpoints without a policy for the connection are left out. The result is empty if both ends are on the same
    /// node.
    ///
    /// - Parameters:
    ///   - packets: addresses, ports and protocol of the initiator's packets.
    ///   - source: the endpoint at the source address.
    ///   - destination: the endpoint at the destination address.
    ///   - nodes: the node of a workload at each end; nil for others.
    /// - Returns: the explanations, beginning with those of the source's node.
    public func explainTransit(
        _ packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint,
        nodes: (source: String?, destination: String?)
    ) -> [TransitExplanation] {
        guard world.isComplete, !world.hostEndpoints.isEmpty, nodes.source != nodes.destination else { return [] }
        var explanations: [TransitExplanation] = []
        let ways: [(String?, ForwardedConnection.Direction)] = [
            (nodes.source, .leaving), (nodes.destination, .entering),
        ]
        for (node, direction) in ways {
            for endpoint in node.map(world.hostEndpoints.of) ?? [] {
                let connection = ForwardedConnection(
                    packets: packets,
                    called: (packets.destination, packets.destinationPort),
                    source: source,
                    destination: destination,
                    interface: HostInterface(node: endpoint.node, name: endpoint.interfaceName ?? "", addresses: []),
                    direction: direction
                )
                if let explanation = explanation(of: connection, at: endpoint) { explanations.append(explanation) }
            }
        }
        return explanations
    }

    private func explanation(
        of connection: ForwardedConnection,
        at endpoint: InterfaceEndpoint
    ) -> TransitExplanation? {
        let (trace, decisions) = transit(connection, at: endpoint)
        guard let trace else { return nil }
        let direction: FlowDirection = connection.direction == .entering ? .ingress : .egress
        let words = decisions.flatMap { decision in
            Explaining(
                query: PolicyQuery(connection, at: decision.hook, world),
                world: world,
                direction: direction,
                subject: endpoint.identity,
                hook: decision.hook
            ).wordsOfDecidingTiers.prefix(decision.steps.count)
        }
        return TransitExplanation(
            hostEndpoint: endpoint.name,
            node: endpoint.node,
            direction: connection.direction,
            action: trace.action,
            hits: zip(trace.transit, words).map { PolicyExplanation.Hit(text: $0, words: $1) }
        )
    }
}
