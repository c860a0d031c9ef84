import FlowModel

/// The policies of a scenario: the first entry that fits decides at both ends.
struct ScenarioPolicies {
    /// The policies' decision on packets from and to an address; a member that is left out matches everything, and an end
    /// without hits has no policies.
    struct Entry: Decodable {
        var from: String?
        var to: String?
        var port: UInt16?
        var egress: [String]?
        var pendingEgress: [String]?
        var ingress: [String]?
        var pendingIngress: [String]?
        /// The decisions of host endpoints' policies where the packets are forwarded.
        var transit: [Transit]?
    }

    /// The policies' decision at an interface, `eth` and its index, that packets of the originator enter through or leave by.
    struct Transit: Decodable {
        var entering: String?
        var leaving: String?
        var hits: [String]
    }

    private struct Rule: Sendable {
        let from: IPAddress?
        let to: IPAddress?
        let port: UInt16?
        let egress: PolicyTrace?
        let ingress: PolicyTrace?
        let transit: [String: PolicyTrace]

        func fits(_ packets: TrackedConnection.Tuple) -> Bool {
            (from ?? packets.source) == packets.source && (to ?? packets.destination) == packets.destination
                && (port ?? packets.destinationPort) == packets.destinationPort
        }
    }

    private var generation: UInt64 = 0

    /// The evaluator for policies that are in force from now on.
    mutating func evaluator(_ entries: [Entry]) throws -> FakeEvaluator {
        generation += 1
        let rules = try entries.map(Self.rule)
        return FakeEvaluator(generation: generation) { connection in
            let rule = rules.first { $0.fits(connection.packets) }
            return rule?.transit["\(connection.direction) \(connection.interface.name)"]
        } decide: { packets in
            let rule = rules.first { $0.fits(packets) }
            return (rule?.egress, rule?.ingress)
        }
    }

    private static func rule(_ entry: Entry) throws -> Rule {
        Rule(
            from: try entry.from.map(ScenarioCluster.address),
            to: try entry.to.map(ScenarioCluster.address),
            port: entry.port,
            egress: entry.egress.map { PolicyTrace(enforced: $0, pending: entry.pendingEgress) },
            ingress: entry.ingress.map { PolicyTrace(enforced: $0, pending: entry.pendingIngress) },
            transit: transit(entry.transit ?? [])
        )
    }

    private static func transit(_ entries: [Transit]) -> [String: PolicyTrace] {
        var traces: [String: PolicyTrace] = [:]
        for entry in entries {
            let isDenied = entry.hits.last?.contains("|deny|") ?? false
            let trace = PolicyTrace(action: isDenied ? .deny : .allow, transit: entry.hits)
            if let name = entry.entering { traces["entering \(name)"] = trace }
            if let name = entry.leaving { traces["leaving \(name)"] = trace }
        }
        return traces
    }
}
