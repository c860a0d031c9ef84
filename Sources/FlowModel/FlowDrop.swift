/// The name of the kernel's reason for a dropped packet (`enum skb_drop_reason`, include/net/dropreason-core.h).
///
/// Numbers differ between kernels; names do not. There is one object for each reason of the running kernel.
public final class DropReason: Sendable {
    /// The name without its prefix, as in `NETFILTER_DROP`.
    public let name: String
    /// Whether the packet was dropped by a decision, which makes its flow denied; otherwise it was lost to a network problem.
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
    /// Packets that entered the node through the interface and were dropped by a decision.
    public var deniedIngress: TrafficCounters
    /// Packets that were to leave the node through the interface and were dropped by a decision.
    public var deniedEgress: TrafficCounters
    /// Whether the interface counted the denied ingress before the drop, so that the flow's deltas contain it.
    ///
    /// Only XDP drops packets before the count. Denied egress is never counted, because it does not reach the interface.
    public var isIngressCounted: Bool
    /// Packets that entered after the flow's counters were read.
    ///
    /// Up to this part of the denied ingress may be in the next delta instead of earlier ones.
    public var later: TrafficCounters
    /// The destination of the last denied ingress packet; nil if it is the destination in the flow's key, or not known.
    ///
    /// Connection tracking discards the translation of a connection whose first packet is dropped.
    public var destination: Destination?
    /// The last decision; nil if there was none.
    public var decision: DropReason?
    /// Packets of ingress and egress that were dropped for other reasons than a decision.
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

    /// Whether packets were dropped by a decision.
    public var isDenied: Bool { deniedIngress != .zero || deniedEgress != .zero }

    /// Adds later drops of the same flow; both must have the same ``isIngressCounted``.
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
