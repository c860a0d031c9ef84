/// The result of evaluating policies for a flow at one of its ends: the tiers, and the rule that decided in each.
///
/// Immutable and shared: flows that match the same rules have the same object, and encoders cache its rendered text by ``id``.
public final class PolicyTrace: Sendable {
    /// A number that no other trace of this process has or had.
    public let id: UInt64
    /// The action of the enforced policies.
    public let action: FlowAction
    /// Hits of the enforced policies in order (`enforced_policies`), in the configured generation of the format.
    public let enforced: [String]
    /// Hits if the flow began now and staged policies were enforced (`pending_policies`), in order.
    public let pending: [String]
    /// Whether domain names of the destination decided, or could have decided if more of them were known.
    public let dependsOnDomains: Bool
    /// Hits of host endpoints' policies for forwarded traffic (`transit_policies`), in order.
    public let transit: [String]
    /// Whether the policies of a host endpoint decided about forwarded traffic; ``transit`` is empty if no rule matched.
    public let isForwarded: Bool

    /// Creates a trace with a new number.
    public init(action: FlowAction, enforced: [String], pending: [String], dependsOnDomains: Bool = false) {
        id = UniqueNumber.next()
        self.action = action
        self.enforced = enforced
        self.pending = pending
        self.dependsOnDomains = dependsOnDomains
        (transit, isForwarded) = ([], false)
    }

    /// Creates a trace of forwarded traffic, with a new number.
    public init(action: FlowAction, transit: [String]) {
        id = UniqueNumber.next()
        self.action = action
        self.transit = transit
        isForwarded = true
        (enforced, pending, dependsOnDomains) = ([], [], false)
    }
}

/// Evaluates policies: the interface between the flows and the policy engine.
///
/// An evaluator is an immutable snapshot, used from one thread at a time; it may cache results.
public protocol PolicyEvaluator: AnyObject, Sendable {
    /// Increases with every snapshot whose results may differ; never 0.
    var generation: UInt64 { get }

    /// Whether any policy or network set contains domain names, so that ``DestinationDomains`` are needed.
    var usesDomains: Bool { get }

    /// Returns the decisions of policies at the two ends of a connection, after address translation.
    ///
    /// - Parameters:
    ///   - packets: addresses, ports and protocol of the initiator.
    ///   - source: the owner of the source address.
    ///   - destination: the owner of the destination address.
    ///   - domains: the names that the source has looked up for the destination.
    /// - Returns: egress of the source and ingress of the destination; nil for an end without policies, which is neither a
    ///   workload nor a host endpoint.
    func traces(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint,
        domains: DestinationDomains
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?)

    /// Returns the decision of a host endpoint's policies on a connection that this host forwards; nil if none governs it.
    func transit(of connection: ForwardedConnection) -> PolicyTrace?

    /// Returns the decision of a host endpoint that denies a connection at any interface of the node that forwards it.
    ///
    /// - Parameter connection: the connection; only the node of its interface is used.
    /// - Returns: nil if no host endpoint of the node denies it, or while not all policies are known.
    func transitDenial(of connection: ForwardedConnection) -> PolicyTrace?
}

extension PolicyEvaluator {
    /// Returns nil, as an evaluator without host endpoints does.
    ///
    /// - Parameter connection: the connection at an interface.
    /// - Returns: nil.
    public func transit(of connection: ForwardedConnection) -> PolicyTrace? { nil }

    /// Returns nil, as an evaluator without host endpoints does.
    ///
    /// - Parameter connection: the connection.
    /// - Returns: nil.
    public func transitDenial(of connection: ForwardedConnection) -> PolicyTrace? { nil }
}

/// The domain names that the source of a connection has looked up for the destination's address.
public enum DestinationDomains: Sendable, Equatable {
    /// DNS responses are not collected.
    case unknown
    /// The destination is an endpoint of the cluster; domain names in policies do not apply to it.
    case none
    /// The names in DNS responses, in lower case and without the trailing dot; empty if no response contained the address.
    case known([String])
}
