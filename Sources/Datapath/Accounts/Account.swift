public import FlowModel

/// The traffic of one interface in one direction, by where each packet was counted.
///
/// IP packets and IP bytes on the wire; frames and frame bytes for frames that are not IP or could not be parsed.
public struct DirectionAccount: Sendable, Hashable {
    /// Everything that crossed the interface.
    public var seen: TrafficCounters = .zero
    /// Counted in the flow table.
    public var flows: TrafficCounters = .zero
    /// Counted flow by flow by the agent, because the flow table had no room.
    public var overflow: TrafficCounters = .zero
    /// Traffic that is not IP: ARP, LLDP and others.
    public var notIP: TrafficCounters = .zero
    /// Frames that could not be parsed.
    public var unparsed: TrafficCounters = .zero
    /// The reasons, in frames.
    public var unparsedReasons = UnparsedReasons()
    /// Traffic in no flow, because neither the table nor the overflow path had room; reported as ``FlowRemainder``.
    public var remainder: TrafficCounters = .zero
    /// The same packets by skb, to compare with `ip -s link`.
    public var skb: TrafficCounters = .zero

    /// Traffic of the interface while its programs were removed, from the kernel's counters of the interface.
    ///
    /// It is not part of the counts above.
    public var gap: TrafficCounters = .zero

    /// Traffic that was dropped by a decision; the counts above include a part of it.
    public var denied = DenialAccount()

    /// Creates an empty value.
    public init() {}

    /// Whether everything that was seen, and everything that was denied, is accounted for, to the packet and to the byte.
    public var isBalanced: Bool {
        seen == accountedFor && denied.isBalanced
    }

    /// The sum of everything that has to add up to ``seen``.
    public var accountedFor: TrafficCounters { flows + overflow + remainder + notIP + unparsed }

    /// Adds another account.
    public static func += (left: inout DirectionAccount, right: DirectionAccount) {
        left.seen += right.seen
        left.flows += right.flows
        left.overflow += right.overflow
        left.notIP += right.notIP
        left.unparsed += right.unparsed
        left.unparsedReasons.link += right.unparsedReasons.link
        left.unparsedReasons.network += right.unparsedReasons.network
        left.unparsedReasons.extension += right.unparsedReasons.extension
        left.unparsedReasons.transport += right.unparsedReasons.transport
        left.remainder += right.remainder
        left.skb += right.skb
        left.gap += right.gap
        left.denied += right.denied
    }
}

/// Traffic that was dropped by a decision in one direction of an interface, by where each packet was counted.
///
/// ``DirectionAccount/seen`` includes denied packets that entered the interface, except those that XDP dropped. It does not
/// include denied packets that were about to leave.
public struct DenialAccount: Sendable, Hashable {
    /// Everything that was denied.
    public var seen: TrafficCounters = .zero
    /// Counted in the flow table.
    public var flows: TrafficCounters = .zero
    /// Counted flow by flow by the agent, because the flow table had no room.
    public var overflow: TrafficCounters = .zero
    /// Traffic in no flow, because neither the table nor the overflow path had room; reported as ``FlowRemainder``.
    public var remainder: TrafficCounters = .zero

    /// Creates an empty value.
    public init() {}

    /// Whether everything is accounted for, to the packet and to the byte.
    public var isBalanced: Bool { seen == flows + overflow + remainder }

    /// Adds another account.
    public static func += (left: inout DenialAccount, right: DenialAccount) {
        left.seen += right.seen
        left.flows += right.flows
        left.overflow += right.overflow
        left.remainder += right.remainder
    }
}

/// The reasons why frames could not be parsed (`enum weir_unparsed`).
public struct UnparsedReasons: Sendable, Hashable {
    /// The link or VLAN header is cut off, or there are more than two VLAN tags.
    public var link: UInt64 = 0
    /// The IP header is cut off, has the wrong version or an impossible length.
    public var network: UInt64 = 0
    /// IPv6 extension headers are cut off, or there are more than eight.
    public var `extension`: UInt64 = 0
    /// The transport header is cut off.
    public var transport: UInt64 = 0

    /// Creates an empty value.
    public init() {}
}

/// The traffic of one interface while it was watched.
public struct InterfaceAccount: Sendable, Hashable {
    /// The name, the last one if it was renamed.
    public var name: String
    /// The kernel's index.
    public var index: UInt32
    /// The role it was watched in, the last one if it changed.
    public var role: InterfaceRole
    /// Traffic into the node.
    public var ingress: DirectionAccount
    /// Traffic out of the node.
    public var egress: DirectionAccount
    /// The number of interfaces in the account: more than one where accounts of interfaces that are gone were added up.
    public var interfaces: Int
    /// The number of these interfaces whose account is not complete.
    var unbalanced = 0

    /// Takes all members.
    public init(
        name: String,
        index: UInt32,
        role: InterfaceRole,
        ingress: DirectionAccount,
        egress: DirectionAccount,
        interfaces: Int = 1
    ) {
        self.name = name
        self.index = index
        self.role = role
        self.ingress = ingress
        self.egress = egress
        self.interfaces = interfaces
    }

    /// Whether nothing was counted.
    var isEmpty: Bool { ingress == DirectionAccount() && egress == DirectionAccount() }

    /// Whether both directions are accounted for.
    public var isBalanced: Bool { unbalanced == 0 && ingress.isBalanced && egress.isBalanced }
}
