public import ClusterModel
public import FlowModel

/// Why policies decide what they decide at one end of a connection.
public struct PolicyExplanation: Sendable {
    /// A rule that was asked.
    public struct Rule: Sendable {
        /// Its number in hits.
        ///
        /// Of a Kubernetes policy several numbers may come of one rule that is written.
        public var index: Int
        /// Where it is written, as in `spec.ingress[0]`.
        public var path: String
        /// What it does with what it matches.
        public var action: CalicoRule.Action
        /// Whether it matches.
        public var matches: Bool
        /// If it matches, all that it asks for, in words; else the first thing that does not hold, and what is instead.
        public var reasons: [String]
    }

    /// A policy that governs the direction and applies to the endpoint.
    public struct Policy: Sendable {
        /// The policy.
        public var object: ObjectReference
        /// Whether it is not in force.
        public var isStaged: Bool
        /// Its rules, up to the one that decides.
        public var rules: [Rule]
        /// The rule that decides; nil if none does.
        public var decision: Rule? { rules.last.flatMap { $0.matches && $0.action != .log ? $0 : nil } }
    }

    /// A tier with policies that apply.
    public struct Tier: Sendable {
        /// Its name.
        public var name: String
        /// What happens to what none of the policies decides.
        public var defaultAction: ClusterModel.Tier.DefaultAction
        /// The policies, in order.
        public var policies: [Policy]
    }

    /// A hit and what it means.
    public struct Hit: Sendable {
        /// The hit, as a record has it.
        public var text: String
        /// Tier, policy, rule, and why; where no rule matched, what was missing.
        public var words: String
    }

    /// What the policies in force decide.
    public var action: FlowAction
    /// Hits of the policies in force, in order.
    public var enforced: [Hit]
    /// Hits as if staged policies were in force, in order.
    public var pending: [Hit]
    /// All tiers with policies that apply, in order, also those that are not reached.
    public var tiers: [Tier]
}

extension PolicySnapshot {
    /// Why policies decide what they decide at the two ends of a connection; nil for an end that has no policies.
    ///
    /// Takes no care of time: for people who ask.
    public func explain(
        _ packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint
    ) -> (egress: PolicyExplanation?, ingress: PolicyExplanation?) {
        let traces = traces(of: packets, source: source, destination: destination)
        let query = PolicyQuery(packets, source, destination, world)
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
