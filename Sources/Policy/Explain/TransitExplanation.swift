import ClusterModel
public import FlowModel

/// The explanation of the decision of a host endpoint's policies about a connection that its node forwards.
public struct TransitExplanation: Sendable {
    /// The name of the host endpoint.
    public var hostEndpoint: String
    /// The node of the host endpoint.
    public var node: String
    /// The interface; `*` for all; nil if the addresses select it.
    public var interfaceName: String?
    /// The expected addresses (`expectedIPs`); they select the interface that has one of them.
    public var addresses: [IPAddress]
    /// The direction in which the initiator's packets cross the interface.
    public var direction: ForwardedConnection.Direction
    /// The decision.
    public var action: FlowAction
    /// The hits, in order: before connection tracking, before destination NAT, in the forward path.
    public var hits: [PolicyExplanation.Hit]
}

extension PolicySnapshot {
    /// Explains the decisions of host endpoints on the nodes that forward a connection, in the order of its way.
    ///
    /// All host endpoints of these nodes are evaluated, because routes are not known. Host endpoints without a policy for
    /// the connection are left out. The result is empty if the connection does not leave a node.
    ///
    /// - Parameters:
    ///   - packets: addresses, ports and protocol of the initiator's packets, after destination NAT.
    ///   - called: the destination address and port before destination NAT, and the node that translates them; nil if the
    ///     packets are not translated, or are translated where they begin.
    ///   - source: the endpoint at the source address.
    ///   - destination: the endpoint at the destination address.
    ///   - nodes: the node of a workload at each end; nil for others.
    /// - Returns: the explanations, beginning with those of the source's node.
    public func explainTransit(
        _ packets: TrackedConnection.Tuple,
        called: (address: IPAddress, port: UInt16, node: String)?,
        source: Endpoint,
        destination: Endpoint,
        nodes: (source: String?, destination: String?)
    ) -> [TransitExplanation] {
        guard world.isComplete, !world.hostEndpoints.isEmpty else { return [] }
        let translated = (address: packets.destination, port: packets.destinationPort)
        var explanations: [TransitExplanation] = []
        for (node, direction) in Self.crossings([nodes.source, called?.node ?? nodes.destination, nodes.destination]) {
            var target = translated
            if let called, called.node == node { target = (called.address, called.port) }
            for endpoint in world.hostEndpoints.of(node) {
                let connection = ForwardedConnection(
                    packets: packets,
                    called: target,
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

    /// The nodes that a connection leaves and enters, in order, if it passes the given nodes; nil stands for no node.
    private static func crossings(_ nodes: [String?]) -> [(node: String, direction: ForwardedConnection.Direction)] {
        var crossings: [(node: String, direction: ForwardedConnection.Direction)] = []
        for (one, next) in zip(nodes, nodes.dropFirst()) where one != next {
            if let one { crossings.append((one, .leaving)) }
            if let next { crossings.append((next, .entering)) }
        }
        return crossings
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
            interfaceName: endpoint.interfaceName,
            addresses: endpoint.addresses,
            direction: connection.direction,
            action: trace.action,
            hits: zip(trace.transit, words).map { PolicyExplanation.Hit(text: $0, words: $1) }
        )
    }
}
