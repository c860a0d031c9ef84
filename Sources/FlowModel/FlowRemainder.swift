/// Packets of one interface that are counted in no flow.
///
/// Either the flow table and the memory for overflowing flows had no room for their flow, or there was no time to read each
/// flow. With remainders, the totals of records are exact even if detail is lost: flows + remainder = traffic of the interface.
public struct FlowRemainder: Sendable, Equatable {
    /// The kernel's index of the interface.
    public var interfaceIndex: UInt32
    /// The role of the interface.
    public var role: InterfaceRole
    /// An address of the workload behind the interface, or of the host for a host interface; nil if none is known.
    public var local: IPAddress?
    /// The reason why no record of this interface contains the packets; nil if one does.
    public var unreported: Unreported?
    /// Traffic that entered the node through the interface.
    public var ingress: TrafficCounters
    /// Traffic that left the node through the interface.
    public var egress: TrafficCounters
    /// Packets that entered, were counted on the interface, and were dropped by a decision.
    ///
    /// Not all of them are in ``ingress``: a flow may have counted the packet.
    public var deniedIngress: TrafficCounters
    /// Packets that were to leave and were dropped by a decision; they are counted nowhere else.
    public var deniedEgress: TrafficCounters
    /// Packets that were dropped by a decision before they were counted (XDP); they are counted nowhere else.
    public var deniedUncounted: TrafficCounters

    /// The reason why a flow is in no record of an interface.
    public enum Unreported: UInt64, Sendable {
        /// Neither end belongs to this node.
        case transit
        /// Another interface reports the flow.
        case elsewhere
    }

    /// Takes all members.
    public init(
        interfaceIndex: UInt32,
        role: InterfaceRole,
        local: IPAddress?,
        unreported: Unreported? = nil,
        ingress: TrafficCounters = .zero,
        egress: TrafficCounters = .zero,
        deniedIngress: TrafficCounters = .zero,
        deniedEgress: TrafficCounters = .zero,
        deniedUncounted: TrafficCounters = .zero
    ) {
        self.interfaceIndex = interfaceIndex
        self.role = role
        self.local = local
        self.unreported = unreported
        self.ingress = ingress
        self.egress = egress
        self.deniedIngress = deniedIngress
        self.deniedEgress = deniedEgress
        self.deniedUncounted = deniedUncounted
    }
}
