import FlowModel

/// An evaluator that decides with closures.
final class FakeEvaluator: PolicyEvaluator {
    /// The policies' decisions at both ends; nil for an end that has none.
    typealias Traces = (egress: PolicyTrace?, ingress: PolicyTrace?)

    let generation: UInt64
    let usesDomains = false
    private let decideTransit: @Sendable (ForwardedConnection) -> PolicyTrace?
    let decide: @Sendable (TrackedConnection.Tuple) -> Traces

    init(
        generation: UInt64,
        transit: @escaping @Sendable (ForwardedConnection) -> PolicyTrace? = { _ in nil },
        decide: @escaping @Sendable (TrackedConnection.Tuple) -> Traces
    ) {
        self.generation = generation
        decideTransit = transit
        self.decide = decide
    }

    func traces(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint,
        domains: DestinationDomains
    ) -> Traces {
        decide(packets)
    }

    func transit(of connection: ForwardedConnection) -> PolicyTrace? { decideTransit(connection) }

    func transitDenial(of connection: ForwardedConnection) -> PolicyTrace? {
        decideTransit(connection).flatMap { $0.action == .deny ? $0 : nil }
    }
}

extension PolicyTrace {
    /// Makes a trace whose action is that of the last enforced hit; without hits it allows.
    ///
    /// The pending hits are the enforced ones, unless `pending` is given.
    convenience init(enforced: [String], pending: [String]? = nil) {
        let words = (enforced.last ?? "").split(separator: "|")
        self.init(
            action: words.dropFirst(3).first == "deny" ? .deny : .allow,
            enforced: enforced,
            pending: pending ?? enforced
        )
    }
}
