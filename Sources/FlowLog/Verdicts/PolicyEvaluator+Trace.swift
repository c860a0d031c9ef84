import FlowModel

extension PolicyEvaluator {
    /// What policies decide at both ends of a connection.
    func traces(of connection: ResolvedFlow) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
        traces(
            of: connection.packets,
            source: connection.source.owner,
            destination: connection.destination.owner
        )
    }

    /// What policies decide at the reporting end of a connection; nil if it has none.
    func trace(of connection: ResolvedFlow) -> PolicyTrace? {
        let traces = traces(of: connection)
        return connection.reporter == .source ? traces.egress : traces.ingress
    }
}
