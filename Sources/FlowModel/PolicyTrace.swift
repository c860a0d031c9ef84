/// The evaluation of policies for a flow at one of its ends: the tiers and the rule that decided in each.
///
/// Immutable and shared: flows that match the same rules have the same object, and encoders keep its rendered text by ``id``.
public final class PolicyTrace: Sendable {
    /// A number no other trace of this process has or had.
    public let id: UInt64
    /// The action that the enforced policies decide.
    public let action: FlowAction
    /// Hits of the enforced policies in order (`enforced_policies`), in the configured generation of the format.
    public let enforced: [String]
    /// Hits if the flow began now and staged policies were enforced (`pending_policies`), in order.
    public let pending: [String]
    /// Whether domain names of the destination decided, or would have if more of them were known.
    public let dependsOnDomains: Bool
    /// Hits of host endpoints' policies for forwarded traffic (`transit_policies`), in order.
    public let transit: [String]

    /// Makes a trace with a new number.
    public init(action: FlowAction, enforced: [String], pending: [String], dependsOnDomains: Bool = false) {
        id = UniqueNumber.next()
        self.action = action
        self.enforced = enforced
        self.pending = pending
        self.dependsOnDomains = dependsOnDomains
        transit = []
    }

    /// Makes a trace of forwarded traffic, with a new number.
    public init(action: FlowAction, transit: [String]) {
        id = UniqueNumber.next()
        self.action = action
        self.transit = transit
        (enforced, pending, dependsOnDomains) = ([], [], false)
    }
}

/// Evaluates policies: the interface between the flows and the policy engine.
///
/// An evaluator is an immutable snapshot, used from one thread at a time; it may cache results.
public protocol PolicyEvaluator: AnyObject, Sendable {
    /// Grows with every snapshot that may answer differently.
    var generation: UInt64 { get }

    /// Whether any policy or network set has domain names, so that ``DestinationDomains`` matter.
    var usesDomains: Bool { get }

    /// Returns the decisions of policies at the two ends of a connection, after address translation.
    ///
    /// - Parameters:
    ///   - packets: addresses, ports and protocol of the initiator.
    ///   - source: the owner of the source address.
    ///   - destination: the owner of the destination address.
    ///   - domains: the names that the source has looked up for the destination.
    /// - Returns: egress of the source and ingress of the destination; nil for an end that has no policies: neither a
    ///   workload nor a host endpoint.
    func traces(
        of packets: TrackedConnection.Tuple,
        source: Endpoint,
        destination: Endpoint,
        domains: DestinationDomains
    ) -> (egress: PolicyTrace?, ingress: PolicyTrace?)

    /// Returns the decision of a host endpoint's policies on a connection that this host forwards; nil where none governs it.
    func transit(of connection: ForwardedConnection) -> PolicyTrace?
}

extension PolicyEvaluator {
    /// Returns the decision of a host endpoint's policies on a connection that this host forwards, or on a part of its way.
    ///
    /// - Parameter connection: the connection at an interface.
    /// - Returns: nil where no policy governs it, and from an evaluator without host endpoints.
    public func transit(of connection: ForwardedConnection) -> PolicyTrace? { nil }
}

/// The domain names by which the source of a connection knows the destination's address.
public enum DestinationDomains: Sendable, Equatable {
    /// DNS answers are not collected.
    case unknown
    /// The destination is an endpoint of the cluster, for which domain names in policies do not apply.
    case none
    /// The names in DNS answers, in lower case and without the last dot; empty if none of them named the address.
    case known([String])
}
