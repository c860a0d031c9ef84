/// The changes of the datapath's flows since the last batch.
///
/// The consumer processes DNS messages first, and then the lists in the order births, flags, deltas, drops, verdicts, sockets,
/// ends. The birth of a flow precedes its first delta; after its end, a later batch may reuse the identifier for another flow.
public struct FlowBatch: Sendable {
    /// Flows seen for the first time.
    public var births: [FlowBirth] = []
    /// The counts, one for each flow with traffic.
    public var deltas: [FlowDelta] = []
    /// TCP flows with flags that they did not have before.
    public var flags: [FlowFlags] = []
    /// The drops, one for each flow with dropped packets.
    public var drops: [FlowDrop] = []
    /// The verdicts that rules of the packet filter logged.
    public var verdicts: [LoggedVerdict] = []
    /// Reports of the flows' TCP sockets, one for each socket that has changed since its last report.
    public var sockets: [FlowSocket] = []
    /// Packets that are counted in no flow, one entry for each interface with such packets.
    public var remainders: [FlowRemainder] = []
    /// DNS messages of the clients behind the interfaces, in the order in which they crossed an interface.
    public var dns: [DNSPacket] = []
    /// Identifiers of the flows that ended: closed, idle for too long, or on an interface that is gone.
    public var ends: [UInt32] = []
    /// The kernel's indices of interfaces that are gone, or not watched any more; nothing of them follows.
    public var goneInterfaces: [UInt32] = []

    /// Makes an empty batch.
    public init() {}

    /// Whether all lists are empty.
    public var isEmpty: Bool {
        births.isEmpty && deltas.isEmpty && drops.isEmpty && verdicts.isEmpty && sockets.isEmpty
            && remainders.isEmpty && dns.isEmpty && ends.isEmpty && flags.isEmpty && goneInterfaces.isEmpty
    }

    /// Empties the lists and keeps their storage.
    public mutating func removeAll() {
        births.removeAll(keepingCapacity: true)
        deltas.removeAll(keepingCapacity: true)
        flags.removeAll(keepingCapacity: true)
        drops.removeAll(keepingCapacity: true)
        verdicts.removeAll(keepingCapacity: true)
        sockets.removeAll(keepingCapacity: true)
        remainders.removeAll(keepingCapacity: true)
        dns.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        goneInterfaces.removeAll(keepingCapacity: true)
    }
}

/// The identity of a flow that the datapath starts to count.
public struct FlowBirth: Sendable, Equatable {
    /// The datapath's identifier of the flow: small and dense, valid until it appears in ``FlowBatch/ends``.
    public var flowID: UInt32
    /// The two ends of the flow, as seen by the interface.
    public var key: FlowKey
    /// The role of the interface.
    public var role: InterfaceRole
    /// The marks of the connection's opening, as far as seen.
    public var marks: FlowMarks
    /// Whether the connection began before it was watched; its first packet then does not show the initiator.
    public var joined: Bool
    /// Whether an earlier flow of the same connection ended: this one continues it, and is not a new connection.
    public var resumed: Bool
    /// The place to which the near end's address belongs.
    public var nearPlace: NearPlace
    /// The time of the flow's first packet, CLOCK_MONOTONIC ns; 0 if it is not known.
    public var began: Int64

    /// Takes all members.
    public init(
        flowID: UInt32,
        key: FlowKey,
        role: InterfaceRole,
        marks: FlowMarks,
        joined: Bool,
        resumed: Bool = false,
        nearPlace: NearPlace = .unknown,
        began: Int64 = 0
    ) {
        self.nearPlace = nearPlace
        self.flowID = flowID
        self.key = key
        self.role = role
        self.marks = marks
        self.joined = joined
        self.resumed = resumed
        self.began = began
    }
}

/// The traffic of one flow since its last delta.
public struct FlowDelta: Sendable, Equatable {
    /// The datapath's identifier of the flow: small and dense.
    public var flowID: UInt32
    /// Traffic that entered the node through the interface.
    public var ingress: TrafficCounters
    /// Traffic that left the node through the interface.
    public var egress: TrafficCounters

    /// Takes all members.
    @inlinable
    public init(flowID: UInt32, ingress: TrafficCounters, egress: TrafficCounters) {
        self.flowID = flowID
        self.ingress = ingress
        self.egress = egress
    }
}

/// The two ends of a flow as seen by one interface (`weir_flow_key`).
public struct FlowKey: Hashable, Sendable {
    /// The kernel's index of the interface.
    public var interfaceIndex: UInt32
    /// The end on the wire side of the interface: source of ingress, destination of egress.
    public var near: IPAddress
    /// The end behind the node's network stack.
    public var far: IPAddress
    /// Port of the near end, host order; for ICMP the identifier of a query.
    public var nearPort: UInt16
    /// Port of the far end, host order; for ICMP `type << 8 | code`.
    public var farPort: UInt16
    /// The protocol above IP.
    public var proto: IPProtocol

    /// Takes all members.
    public init(
        interfaceIndex: UInt32,
        near: IPAddress,
        far: IPAddress,
        nearPort: UInt16,
        farPort: UInt16,
        proto: IPProtocol
    ) {
        self.interfaceIndex = interfaceIndex
        self.near = near
        self.far = far
        self.nearPort = nearPort
        self.farPort = farPort
        self.proto = proto
    }
}

/// The marks of a flow's packets, or-ed together (`WEIR_MARK_*`).
public struct FlowMarks: OptionSet, Hashable, Sendable {
    /// The bits as the BPF programs store them.
    public var rawValue: UInt32

    /// Takes the bits as the BPF programs store them.
    @inlinable
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The near end opened the connection: SYN without ACK, or an ICMP query, entered.
    public static let openedIngress = FlowMarks(rawValue: 1 << 16)
    /// The far end opened the connection.
    public static let openedEgress = FlowMarks(rawValue: 1 << 17)
    /// The near end answered an opening: SYN with ACK, or an ICMP reply, entered.
    public static let acceptedIngress = FlowMarks(rawValue: 1 << 18)
    /// The far end answered an opening.
    public static let acceptedEgress = FlowMarks(rawValue: 1 << 19)
    /// The first packet that was seen left the node.
    public static let firstEgress = FlowMarks(rawValue: 1 << 20)
}

/// The part of the network that an interface connects to the node.
public enum InterfaceRole: UInt8, Sendable, Hashable, CaseIterable {
    /// An uplink or any other interface of the node itself: flows with an end on this host are reported.
    case host
    /// The node's side of a workload's (a pod's) device: every flow is reported for the workload behind it.
    case workload

    /// The name in reports.
    public var name: String {
        switch self {
        case .host: "host"
        case .workload: "workload"
        }
    }
}
