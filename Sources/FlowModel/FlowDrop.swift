/// The reason why the kernel dropped a packet (`enum skb_drop_reason`, include/net/dropreason-core.h), by its name.
///
/// Numbers differ between kernels; names do not. One object for each reason of the running kernel.
public final class DropReason: Sendable {
    /// The name without its prefix, as in `NETFILTER_DROP`.
    public let name: String
    /// Whether the packet was dropped by a decision, so that its flow is denied; else it was lost to a network problem.
    public let isDecision: Bool

    /// Takes both members.
    public init(name: String, isDecision: Bool) {
        self.name = name
        self.isDecision = isDecision
    }
}

/// The packets of one flow that the kernel dropped since the last report of its drops.
public struct FlowDrop: Sendable {
    /// The destination of packets behind destination NAT.
    public struct Destination: Sendable, Hashable {
        /// The address.
        public var address: IPAddress
        /// The port, host order.
        public var port: UInt16

        /// Takes both members.
        public init(address: IPAddress, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    /// The datapath's identifier of the flow: small and dense.
    public var flowID: UInt32
    /// Packets that had entered the node through the interface and were dropped by decision.
    public var deniedIngress: TrafficCounters
    /// Packets that were to leave the node through the interface and were dropped by decision.
    public var deniedEgress: TrafficCounters
    /// Whether the denied ingress was counted on the interface before, so that it is in the flow's deltas too.
    ///
    /// It is counted before unless XDP dropped it. Denied egress never is: it is dropped before it reaches the interface.
    public var isIngressCounted: Bool
    /// Packets that have entered since the flow's counters were read: up to this much of the denied ingress may be in the next
    /// delta instead of earlier ones.
    public var later: TrafficCounters
    /// The destination of the last denied ingress packet; nil if it is the one in the flow's key, or not known.
    ///
    /// Connection tracking discards the translation of a connection whose first packet is dropped.
    public var destination: Destination?
    /// The last decision; nil if there was none.
    public var decision: DropReason?
    /// Packets of ingress and egress that were dropped without a decision.
    public var failures: (ingress: UInt64, egress: UInt64)
    /// The last reason that is not a decision; nil if there was none.
    public var failureReason: DropReason?

    /// Takes all members.
    public init(
        flowID: UInt32,
        deniedIngress: TrafficCounters = .zero,
        deniedEgress: TrafficCounters = .zero,
        isIngressCounted: Bool = true,
        later: TrafficCounters = .zero,
        destination: Destination? = nil,
        decision: DropReason? = nil,
        failures: (ingress: UInt64, egress: UInt64) = (0, 0),
        failureReason: DropReason? = nil
    ) {
        self.flowID = flowID
        self.deniedIngress = deniedIngress
        self.deniedEgress = deniedEgress
        self.isIngressCounted = isIngressCounted
        self.later = later
        self.destination = destination
        self.decision = decision
        self.failures = failures
        self.failureReason = failureReason
    }

    /// Whether anything was dropped by decision.
    public var isDenied: Bool { deniedIngress != .zero || deniedEgress != .zero }

    /// Adds later drops of the same flow; ingress that was counted and ingress that was not stay apart.
    public mutating func add(_ next: FlowDrop) {
        deniedIngress += next.deniedIngress
        deniedEgress += next.deniedEgress
        later = next.later
        destination = next.destination ?? destination
        decision = next.decision ?? decision
        failures = (failures.ingress + next.failures.ingress, failures.egress + next.failures.egress)
        failureReason = next.failureReason ?? failureReason
    }
}
