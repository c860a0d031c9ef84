public import ClusterModel
public import FlowModel

/// The explanation of a verdict at one end of a connection.
public struct PolicyExplanation: Sendable {
    /// A rule that was evaluated.
    public struct Rule: Sendable {
        /// The rule's number in hits.
        ///
        /// One rule of a Kubernetes policy can have several numbers.
        public var index: Int
        /// The path of the rule, such as `spec.ingress[0]`.
        public var path: String
        /// The action for matching connections.
        public var action: CalicoRule.Action
        /// Whether it matches.
        public var matches: Bool
        /// The criteria as texts: all of them if the rule matches, otherwise the first unmet one with the actual value.
        public var reasons: [String]
    }

    /// A policy that applies to the endpoint and the direction.
    public struct Policy: Sendable {
        /// The policy.
        public var object: ObjectReference
        /// Whether the policy is staged.
        public var isStaged: Bool
        /// The rules, up to the deciding one.
        public var rules: [Rule]
        /// The deciding rule; nil if no rule decides.
        public var decision: Rule? { rules.last.flatMap { $0.matches && $0.action != .log ? $0 : nil } }
    }

    /// A tier that contains applicable policies.
    public struct Tier: Sendable {
        /// The name of the tier.
        public var name: String
        /// The action for connections that no policy of the tier decides.
        public var defaultAction: ClusterModel.Tier.DefaultAction
        /// The policies, in order.
        public var policies: [Policy]
    }

    /// A hit and its explanation.
    public struct Hit: Sendable {
        /// The hit, as in records.
        public var text: String
        /// A text with tier, policy, rule and reason; if no rule matched, the unmet criteria.
        public var words: String
    }

    /// The verdict of the enforced policies.
    public var action: FlowAction
    /// Hits of the enforced policies, in order.
    public var enforced: [Hit]
    /// Hits as if staged policies were enforced, in order.
    public var pending: [Hit]
    /// All tiers with applicable policies, in order, including those that are not reached.
    public var tiers: [Tier]
    /// Whether the verdict depends on domain names of the destination, including names that are unknown.
    public var dependsOnDomains: Bool
}

extension PolicySnapshot {
    /// Explains the verdicts at the two ends of a connection; nil for an end without policies.
    ///
    /// It is not optimized for speed, and intended for interactive use.
    public func explain(
        _ packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint,
        domains: DestinationDomains = .unknown
    ) -> (egress: PolicyExplanation?, ingress: PolicyExplanation?) {
        let traces = traces(of: packets, source: source, destination: destination, domains: domains)
        let query = PolicyQuery(packets, source, destination, domains, world)
        func explain(_ direction: FlowDirection, _ trace: PolicyTrace?, _ subject: EndpointIdentity?)
            -> PolicyExplanation?
        {
            guard let trace, let subject else { return nil }
            return Explaining(query: query, world: world, direction: direction, subject: subject).explanation(trace)
        }
        return (
            explain(.egress, traces.egress, query.source), explain(.ingress, traces.ingress, query.destination)
        )
    }
}
