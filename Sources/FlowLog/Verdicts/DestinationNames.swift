import FlowModel

/// Looks up the domain names by which the sources of connections know their destinations, for policies that use names.
struct DestinationNames {
    /// Looks names up; nil where they are not collected.
    let names: (any DomainResolver)?
    /// Finds the addresses of this host.
    let resolver: any EndpointResolver

    /// Returns the names for an evaluator; none are looked up if no policy uses any.
    ///
    /// - Parameters:
    ///   - connection: the connection.
    ///   - interface: the index of the interface that it was seen at.
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
