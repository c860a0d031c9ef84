import FlowModel

extension PolicyEvaluator {
    /// Returns the decisions of policies at both ends of a connection; nil for an end whose verdict depends on unknown domain
    /// names.
    func traces(
        of connection: ResolvedFlow,
        domains: DestinationDomains
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        let traces = traces(
            of: connection.packets,
            source: connection.source.owner,
            destination: connection.destination.owner,
            domains: domains
        )
        guard domains == .unknown, let egress = traces.egress, egress.dependsOnDomains else { return traces }
        return (nil, traces.ingress)
    }

    /// Returns the decision of policies at the reporting end of a connection; nil if it has none.
    func trace(of connection: ResolvedFlow, domains: DestinationDomains) -> PolicyTrace? {
        let traces = traces(of: connection, domains: domains)
        return connection.reporter == .source ? traces.egress : traces.ingress
    }
}
