import FlowModel
import Inventory
import Policy
import Query
import Records

/// Explains why rules of an inventory's policies did not match recorded connections.
struct InventoryRules: RuleExplaining {
    private let tracer: PolicyTracer
    private let members: WorkloadMembers
    /// All policies, in words.
    let catalogue: PolicyCatalogue

    /// The maximum number of rules listed per policy, and per tier.
    private static let (ruleLimit, tierLimit) = (10, 40)

    /// Takes the current policies.
    init(_ sources: PolicySources) {
        tracer = sources.tracer
        members = WorkloadMembers(tracer)
        catalogue = tracer.policies.catalogue
    }

    /// The reasons why rules did not match a record's connection.
    func checks(_ record: ReadRecord) -> RuleChecks {
        var checks = RuleChecks()
        guard !record.isForwarded else {
            checks.notes = [
                "the inventory is not asked about forwarded connections; an end that is watched has a record of its own"
            ]
            return checks
        }
        guard let connection = connection(record) else {
            checks.notes = ["the inventory has no owner for it: the record's names or ports are aggregated"]
            return checks
        }
        var tracer = tracer
        let question: PolicyTracer.Question
        do throws(PolicyQuestionError) {
            question = try tracer.question(connection)
        } catch {
            checks.notes = ["the inventory has no owner for it: \(error)"]
            return checks
        }
        let ends = tracer.explanation(question)
        guard let end = record.isDestinationReported ? ends.ingress : ends.egress else {
            checks.notes = ["the inventory has no policies for the reporting end"]
            return checks
        }
        checks.now = Self.lines(end.tiers, withStaged: false)
        checks.pending = Self.lines(end.tiers, withStaged: true)
        checks.nearest = Self.nearest(end.tiers)
        if end.dependsOnDomains, question.domains == .unknown {
            checks.notes = ["a rule requires the destination's domain name, and the record has none"]
        } else if (end.action == .deny) != record.isDenied {
            checks.notes = ["the policies of the inventory would \(end.action.rawValue) this connection now"]
        }
        return checks
    }

    /// The connection of a record; if the record names only workloads, a connection between a pod of each.
    private func connection(_ record: ReadRecord) -> PolicyConnection? {
        if case .connection(let connection)? = try? PolicyRecordReader.line(record.bytes) { return connection }
        guard let source = members.names(end(record, .source))?.first,
            let destination = members.names(end(record, .destination))?.first,
            let proto = record.text(.proto).flatMap({ IPProtocol(recordText: $0) })
        else { return nil }
        var connection = PolicyConnection(source: source, destination: destination, proto: proto)
        connection.port = record.number(.destPort).flatMap { UInt16(exactly: $0) }
        return proto.hasPorts && connection.port == nil ? nil : connection
    }

    private func end(_ record: ReadRecord, _ end: RecordEnd) -> RecordedConnection.End {
        RecordedConnection.End(
            type: record.text(end.type) ?? "net",
            namespace: record.name(end.namespace),
            aggregatedName: record.text(end.aggregatedName) ?? "-",
            name: record.name(end.name),
            address: record.address(end.address)
        )
    }

    /// The enforced rule of each tier that would allow the connection and has the fewest criteria that do not hold.
    private static func nearest(_ tiers: [PolicyExplanation.Tier]) -> [String: String] {
        var nearest: [String: String] = [:]
        for tier in tiers {
            let missed = tier.policies.filter { !$0.isStaged }.flatMap { policy in
                policy.rules.filter { !$0.matches && $0.action == .allow }.map { (policy, $0) }
            }
            guard let (policy, rule) = missed.min(by: { $0.1.reasons.count < $1.1.reasons.count }) else { continue }
            nearest[tier.name] =
                "rule \(rule.index) of \(policy.object) would allow it, but \(rule.reasons.joined(separator: ", and "))"
        }
        return nearest
    }

    /// The rules of each tier that were evaluated and did not match.
    private static func lines(_ tiers: [PolicyExplanation.Tier], withStaged: Bool) -> [String: [String]] {
        var lines: [String: [String]] = [:]
        for tier in tiers {
            var texts: [String] = []
            for policy in tier.policies where withStaged || !policy.isStaged {
                let missed = policy.rules.filter { !$0.matches && $0.action != .log }
                texts += missed.prefix(ruleLimit).map { rule in
                    let action = rule.action.rawValue.lowercased()
                    return
                        "\(policy.object) rule \(rule.index) (\(rule.path)) \(action): \(rule.reasons.joined(separator: "; "))"
                }
                if missed.count > ruleLimit { texts.append("\(policy.object): \(missed.count - ruleLimit) more rules") }
                // Policies after the deciding one are not evaluated.
                if policy.decision != nil { break }
            }
            lines[tier.name] = Array(texts.prefix(tierLimit))
        }
        return lines
    }
}
