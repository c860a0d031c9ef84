/// Packets of one interface that are counted in no flow.
///
/// Either neither the flow table nor the memory for overflowing flows had room for their flow, or there was no time to read
/// each flow.
///
/// They keep the totals of the records exact when detail is lost: flows + remainder = traffic of the interface.
public struct FlowRemainder: Sendable, Equatable {
    /// The kernel's index of the interface.
    public var interfaceIndex: UInt32
    /// The role of the interface.
    public var role: InterfaceRole
    /// An address of the workload behind the interface, or of the host for a host interface; nil if none is known.
    public var local: IPAddress?
    /// The reason why no record of this interface is to contain it; nil if one is.
    public var unreported: Unreported?
    /// Traffic that entered the node through the interface.
    public var ingress: TrafficCounters
    /// Traffic that left the node through the interface.
    public var egress: TrafficCounters
    /// Packets that had entered, were counted on the interface, and were dropped by decision.
    ///
    /// Not all of them are in ``ingress``: the packet may have been counted in a flow.
    public var deniedIngress: TrafficCounters
    /// Packets that were to leave and were dropped by decision; counted nowhere else.
    public var deniedEgress: TrafficCounters
    /// Packets that were dropped by decision on their way in, before they were counted (XDP); counted nowhere else.
    public var deniedUncounted: TrafficCounters

    /// The reason why a flow is in no record of an interface.
    public enum Unreported: UInt64, Sendable {
        /// Neither end is this node's.
        case transit
        /// Another interface reports it.
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
