import FlowModel

/// Looks up by which domain names the sources of connections know their destinations, for policies that ask for names.
struct DestinationNames {
    /// Knows names; nil where they are not collected.
    let names: (any DomainResolver)?
    /// Knows which addresses are this host's.
    let resolver: any EndpointResolver

    /// The names for an evaluator; none are looked up if no policy asks for any.
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
