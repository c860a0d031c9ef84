import FlowModel

/// The policies of a scenario: the first entry that fits decides at both ends.
struct ScenarioPolicies {
    /// What policies say of packets from and to an address; what is left out fits all, and an end without hits has no
    /// policies.
    struct Entry: Decodable {
        var from: String?
        var to: String?
        var port: UInt16?
        var egress: [String]?
        var pendingEgress: [String]?
        var ingress: [String]?
        var pendingIngress: [String]?
    }

    private struct Rule: Sendable {
        let from: IPAddress?
        let to: IPAddress?
        let port: UInt16?
        let egress: PolicyTrace?
        let ingress: PolicyTrace?
    }

    private var generation: UInt64 = 0

    /// The evaluator for policies that are in force from now on.
    mutating func evaluator(_ entries: [Entry]) throws -> FakeEvaluator {
        generation += 1
        let rules = try entries.map(Self.rule)
        return FakeEvaluator(generation: generation) { packets in
            let rule = rules.first {
                ($0.from ?? packets.source) == packets.source
                    && ($0.to ?? packets.destination) == packets.destination
                    && ($0.port ?? packets.destinationPort) == packets.destinationPort
            }
            return (rule?.egress, rule?.ingress)
        }
    }

    private static func rule(_ entry: Entry) throws -> Rule {
        Rule(
            from: try entry.from.map(ScenarioCluster.address),
            to: try entry.to.map(ScenarioCluster.address),
            port: entry.port,
            egress: entry.egress.map { PolicyTrace(enforced: $0, pending: entry.pendingEgress) },
            ingress: entry.ingress.map { PolicyTrace(enforced: $0, pending: entry.pendingIngress) }
        )
    }
}
