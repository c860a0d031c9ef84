import FlowModel

/// Finds the domain names that sources have looked up for their destinations, for policies that use names.
struct DestinationNames {
    /// Looks names up; nil if they are not collected.
    let names: (any DomainResolver)?
    /// Determines whether an address belongs to this host.
    let resolver: any EndpointResolver

    /// Returns the names for an evaluator; no name is looked up if no policy uses names.
    ///
    /// - Parameters:
    ///   - connection: the connection.
    ///   - interface: the index of the interface at which the connection was seen.
    ///   - evaluator: evaluates the policies.
    /// - Returns: the names that the source has looked up for the destination.
    func domains(
        of connection: ResolvedFlow,
        at interface: @autoclosure () -> UInt32,
        for evaluator: any PolicyEvaluator
    ) -> DestinationDomains {
        guard evaluator.usesDomains else { return .unknown }
        let destination = connection.destination
        if destination.owner.kind == .workload || destination.owner.kind == .host { return .none }
        guard let names else { return .unknown }
        let client = resolver.isOwn(connection.source.address) ? .host : DomainClient.workload(interface: interface())
        return .known(names.domains(of: destination.address, for: client))
    }
}
