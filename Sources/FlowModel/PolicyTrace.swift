/// The evaluation of policies for a flow at one of its ends: the tiers and the rule that decided in each.
///
/// Immutable and shared: flows that meet the same rules have the same object, and encoders keep what they rendered of it
/// by ``id``.
public final class PolicyTrace: Sendable {
    /// A number no other trace of this process has or had.
    public let id: UInt64
    /// What the enforced policies decide.
    public let action: FlowAction
    /// Hits of the enforced policies in order (`enforced_policies`), in the configured generation of the format.
    public let enforced: [String]
    /// Hits if the flow began now and staged policies were enforced (`pending_policies`), in order.
    public let pending: [String]

    /// Makes a trace with a new number.
    public init(action: FlowAction, enforced: [String], pending: [String]) {
        id = UniqueNumber.next()
        self.action = action
        self.enforced = enforced
        self.pending = pending
    }
}

/// Says what policies decide: the seam between the flows and the policy engine.
///
/// An evaluator is an immutable snapshot, used from one thread at a time; it may keep what it found out.
public protocol PolicyEvaluator: AnyObject, Sendable {
    /// Grows with every snapshot that may answer differently.
    var generation: UInt64 { get }

    /// What policies decide at the two ends of a connection, after address translation.
    ///
    /// - Parameters:
    ///   - packets: addresses, ports and protocol of the end that began.
    ///   - source: who owns the source address.
    ///   - destination: who owns the destination address.
    /// - Returns: egress of the source and ingress of the destination; nil for an end that has no policies: neither a
    ///   workload nor a host endpoint.
    func traces(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?)
}
