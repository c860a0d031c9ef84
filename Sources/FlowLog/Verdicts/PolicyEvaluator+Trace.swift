import FlowModel

extension PolicyEvaluator {
    /// What policies decide at both ends of a connection.
    func evaluation(of connection: ResolvedFlow) -> VerdictEvaluation {
        let traces = traces(
            of: connection.packets,
            source: connection.source.owner,
            destination: connection.destination.owner
        )
        return VerdictEvaluation(egress: traces.egress, ingress: traces.ingress, generation: generation)
    }

    /// What policies decide at the reporting end of a connection; nil if it has none.
    func trace(of connection: ResolvedFlow) -> PolicyTrace? {
        evaluation(of: connection).trace(for: connection.reporter)
    }
}
