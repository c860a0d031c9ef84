import ArgumentParser
import FlowModel
import Policy

/// Describes the hits of a record in words, as `weir policy trace` does.
struct YaobankPolicyWords {
    /// A hit and its explanation.
    struct Hit {
        /// The hit as in the record.
        var text: String
        /// Tier, policy, rule, and the reason; if no rule matched, the first condition that was not met.
        var words: String
    }

    private let tracer: PolicyTracer

    /// Reads the inventory.
    ///
    /// - Throws: `CommandFailure` if a file is broken.
    init(inventory: String) throws {
        let options = try InventoryQueryOptions.parse(["--inventory=" + inventory])
        let sources = try PolicySources(options, format: .enterprise, purpose: "lab")
        try sources.load()
        tracer = sources.tracer
    }

    /// The explanations of the hits of enforced policies.
    func enforced(of record: YaobankRecord) -> [Hit] {
        words(record.policies?.enforced, explanation(of: record)?.enforced)
    }

    /// The explanations of the hits as if staged policies were enforced.
    func pending(of record: YaobankRecord) -> [Hit] {
        words(record.policies?.pending, explanation(of: record)?.pending)
    }

    /// The explanation from the policies if it has the same hit as the record; otherwise the description of the hit.
    private func words(_ hits: [String]?, _ explained: [PolicyExplanation.Hit]?) -> [Hit] {
        (hits ?? []).map { hit in
            let words = explained?.first { $0.text == hit }?.words ?? (try? PolicyHit(hit))?.words
            return Hit(text: hit, words: words ?? "not readable")
        }
    }

    /// Returns the reason why policies allow or deny the record's connection at the reporter; nil if an end cannot be resolved.
    private func explanation(of record: YaobankRecord) -> PolicyExplanation? {
        let connection = PolicyConnection(
            source: .named("\(record.sourceNamespace)/\(record.sourceName)"),
            destination: .named("\(record.destNamespace)/\(record.destName)"),
            proto: IPProtocol(policyText: record.proto) ?? .tcp,
            port: record.destPort
        )
        var tracer = tracer
        guard let question = try? tracer.question(connection) else { return nil }
        let explanation = tracer.explanation(question)
        return record.reporter == FlowReporter.source.rawValue ? explanation.egress : explanation.ingress
    }
}
