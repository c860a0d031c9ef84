import ArgumentParser
import FlowModel
import Policy

/// Says in words why the hits of a record are in it, as `weir policy trace` does.
struct YaobankPolicyWords {
    /// A hit and what it means.
    struct Hit {
        /// As the record has it.
        var text: String
        /// Tier, policy, rule, and why; where no rule matched, what was missing.
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

    /// What each hit of the policies in force means.
    func enforced(of record: YaobankRecord) -> [Hit] {
        words(record.policies?.enforced, explanation(of: record)?.enforced)
    }

    /// What each hit as if staged policies were in force means.
    func pending(of record: YaobankRecord) -> [Hit] {
        words(record.policies?.pending, explanation(of: record)?.pending)
    }

    /// The words of the policies where they say the same as the record; else what the hit says by itself.
    private func words(_ hits: [String]?, _ explained: [PolicyExplanation.Hit]?) -> [Hit] {
        (hits ?? []).map { hit in
            let words = explained?.first { $0.text == hit }?.words ?? (try? PolicyHit(hit))?.words
            return Hit(text: hit, words: words ?? "not readable")
        }
    }

    /// Why policies decide what they decide at the reporting end; nil where the record does not name both ends.
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
