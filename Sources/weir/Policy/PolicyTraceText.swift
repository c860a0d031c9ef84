import ClusterModel
import FlowModel
import Policy

/// The verdict for a connection and its explanation as text.
struct PolicyTraceText {
    /// The maximum number of rules per policy that are shown as not matching.
    private static let ruleLimit = 10

    private let connection: PolicyConnection
    private let question: PolicyTracer.Question
    private let explanation: (egress: PolicyExplanation?, ingress: PolicyExplanation?)
    private let transit: [TransitExplanation]
    private let place: (ObjectReference) -> String?

    /// Evaluates the policies.
    ///
    /// - Parameters:
    ///   - connection: the connection as specified.
    ///   - question: the connection with resolved endpoints.
    ///   - tracer: evaluates the policies.
    ///   - place: returns the location of a policy.
    init(
        _ connection: PolicyConnection,
        _ question: PolicyTracer.Question,
        _ tracer: PolicyTracer,
        place: @escaping (ObjectReference) -> String?
    ) {
        self.connection = connection
        self.question = question
        self.place = place
        explanation = tracer.explanation(question)
        transit = tracer.transit(question)
    }

    /// The summary, and a paragraph for each end.
    var lines: [String] {
        let ends = [
            ("egress of", question.source, question.packets.source, explanation.egress),
            ("ingress of", question.destination, question.packets.destination, explanation.ingress),
        ]
        return [headline] + ends.flatMap { [""] + paragraph($0.0, Self.name($0.1, $0.2), $0.1, $0.3) }
            + transit.flatMap { [""] + Self.paragraph($0) }
    }

    /// Returns the decision of a host endpoint on the way.
    private static func paragraph(_ end: TransitExplanation) -> [String] {
        let way = end.direction == .entering ? "into" : "out of"
        let headline = "forwarded \(way) \(end.node), host endpoint \(end.hostEndpoint): \(end.action.rawValue)"
        let condition = "  decides if the connection passes \(interface(end))"
        guard !end.hits.isEmpty else { return [headline, condition, "  no policy for forwarded traffic decides"] }
        return [headline, condition] + end.hits.flatMap { ["    \($0.text)", "      \($0.words)"] }
    }

    /// The interface of a host endpoint in words.
    private static func interface(_ end: TransitExplanation) -> String {
        switch end.interfaceName {
        case "*"?: "an interface without another host endpoint"
        case nil, ""?: "the interface with address \(end.addresses.map(\.description).joined(separator: " or "))"
        case let name?: "interface \(name)"
        }
    }

    // MARK: In short

    private var headline: String {
        let (source, destination) = (question.source, question.destination)
        let from = Self.title(source, question.packets.source)
        let to = Self.title(destination, question.packets.destination)
        return "\(from) to \(to), \(message): \(verdict)"
    }

    private var message: String {
        let proto = connection.proto.name
        if let type = connection.icmpType, connection.proto.isICMP {
            return "\(proto) type \(type) code \(connection.icmpCode ?? 0)"
        }
        guard connection.proto.hasPorts, let port = connection.port else { return proto }
        return "port \(port)/\(proto)"
    }

    private var verdict: String {
        let denials =
            [
                explanation.egress?.action == .deny ? "egress of the first" : nil,
                explanation.ingress?.action == .deny ? "ingress of the second" : nil,
            ].compactMap(\.self) + transit.filter { $0.action == .deny }.map { "host endpoint \($0.hostEndpoint)" }
        guard denials.isEmpty else { return "denied by \(denials.joined(separator: " and "))\(uncertainty)" }
        switch question.exemption {
        case .itself?: return "allowed; a pod always reaches itself"
        case .ownNode?: return "allowed; a node always reaches its own pods"
        case nil: break
        }
        let isGoverned = explanation.egress != nil || explanation.ingress != nil
        return isGoverned ? "allowed\(uncertainty)" : "no policies at either end"
    }

    /// The addition to the summary where unknown domain names could change it.
    private var uncertainty: String {
        guard question.domains == .unknown, explanation.egress?.dependsOnDomains == true,
            explanation.ingress?.action != .deny
        else { return "" }
        return ", unless a domain name of the second changes it"
    }

    private static func name(_ endpoint: Endpoint, _ address: IPAddress) -> String {
        switch endpoint.kind {
        case .workload, .networkSet: (endpoint.namespace.map { "\($0)/" } ?? "") + endpoint.name
        case .host: endpoint.name
        case .network: "\(address)"
        }
    }

    private static func title(_ endpoint: Endpoint, _ address: IPAddress) -> String {
        endpoint.kind == .network ? "\(address)" : "\(name(endpoint, address)) (\(address))"
    }

    // MARK: An end

    private func paragraph(
        _ direction: String,
        _ name: String,
        _ endpoint: Endpoint,
        _ explanation: PolicyExplanation?
    ) -> [String] {
        guard let explanation else { return ["\(direction) \(name): no policies; \(reason(endpoint))"] }
        var lines = ["\(direction) \(name): \(explanation.action.rawValue)", "  enforced"]
        lines += hits(explanation.enforced, explanation.tiers, isPending: false)
        guard explanation.pending.map(\.text) != explanation.enforced.map(\.text) else {
            return lines + ["  pending: the same"]
        }
        lines.append("  pending, if staged policies were in force: \(Self.action(explanation.pending))")
        return lines + hits(explanation.pending, explanation.tiers, isPending: true)
    }

    private func reason(_ endpoint: Endpoint) -> String {
        switch (question.exemption, endpoint.kind) {
        case (.itself?, _): return "what a pod sends to itself never leaves it"
        case (.ownNode?, .workload): return "a node always reaches its own pods"
        default: break
        }
        return switch endpoint.kind {
        case .workload: "nothing is known of its labels"
        case .host where endpoint.identity != nil: "Felix lets its failsafe ports through before policies"
        case .host: "it is a host without a HostEndpoint"
        case .networkSet: "it is a network set, and no endpoint"
        case .network: "it is no endpoint of the inventory"
        }
    }

    private static func action(_ hits: [PolicyExplanation.Hit]) -> String {
        let hit = hits.last.flatMap { try? PolicyHit($0.text) }
        return hit?.action.rawValue ?? "-"
    }

    private func hits(
        _ hits: [PolicyExplanation.Hit],
        _ tiers: [PolicyExplanation.Tier],
        isPending: Bool
    ) -> [String] {
        // Each hit belongs to one evaluated tier; the last one may belong to the profiles.
        let asked = tiers.compactMap { tier -> PolicyExplanation.Tier? in
            var tier = tier
            tier.policies.removeAll { !isPending && $0.isStaged }
            return tier.policies.isEmpty ? nil : tier
        }
        return hits.enumerated().flatMap { index, hit in
            ["    \(hit.text)"] + (index < asked.count ? why(hit, asked[index]) : ["      \(hit.words)"])
        }
    }

    /// The reason for a tier's decision, and the locations of its policies.
    private func why(_ hit: PolicyExplanation.Hit, _ tier: PolicyExplanation.Tier) -> [String] {
        if let policy = tier.policies.first(where: { $0.decision != nil }) {
            let words = "      \(hit.words)"
            return place(policy.object).map { [words, "      in \($0)"] } ?? [words]
        }
        let does = tier.defaultAction == .pass ? "leaves it to the next tier" : "denies"
        let headline = "      tier \(tier.name): no rule matches, and the default action \(does)"
        return [headline] + tier.policies.flatMap(missing)
    }

    /// The conditions of a policy that were not met.
    private func missing(_ policy: PolicyExplanation.Policy) -> [String] {
        let place = place(policy.object).map { " (\($0))" } ?? ""
        let rules = policy.rules.filter { $0.action != .log }
        guard !rules.isEmpty else { return ["        \(policy.object)\(place) has no rules for this direction"] }
        let shown = rules.prefix(Self.ruleLimit).map { rule in
            let action = rule.action.rawValue.lowercased()
            return "          rule \(rule.index) (\(rule.path)) \(action): \(rule.reasons.joined(separator: "; "))"
        }
        let more = rules.count > shown.count ? ["          and \(rules.count - shown.count) more rules"] : []
        return ["        \(policy.object)\(place)"] + shown + more
    }
}
