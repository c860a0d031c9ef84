/// A rule of the packet filter that logs its decisions, identified by its log prefix; there is one object for each prefix.
public final class LoggedRule: Sendable {
    /// The packets that the rule matches.
    public enum Direction: Sendable {
        /// Packets to the endpoint that the policy selects.
        case ingress
        /// Packets from that endpoint.
        case egress
    }

    /// The action of the rule on a packet.
    public enum Action: String, Sendable {
        /// The packet is allowed.
        case allow
        /// The packet is dropped.
        case deny
        /// Another tier decides.
        case pass
    }

    /// The log prefix, as the kernel reports it.
    public let prefix: String
    /// The packets that the rule matches; nil if the prefix does not name a direction.
    public let direction: Direction?
    /// The action of the rule on a packet.
    public let action: Action
    /// The policy hit without the leading index: `tier|name-part|action|rule-index`.
    public let hit: String

    /// Takes all members.
    public init(prefix: String, direction: Direction?, action: Action, hit: String) {
        self.prefix = prefix
        self.direction = direction
        self.action = action
        self.hit = hit
    }
}

/// Packets with the same addresses that matched the same logging rule (NFLOG).
public struct LoggedVerdict: Sendable {
    /// The packets as the rule saw them.
    ///
    /// For ICMP, the ports are the identifier, and `type << 8 | code` of the query, as in ``FlowKey``.
    public var packets: TrackedConnection.Tuple
    /// The connection of the packets; nil if the kernel does not track it.
    public var connection: TrackedConnection?
    /// The rule that matched.
    public var rule: LoggedRule
    /// The packets and bytes; a segmentation-offload super-packet counts as one.
    public var traffic: TrafficCounters

    /// Takes all members.
    public init(
        packets: TrackedConnection.Tuple,
        connection: TrackedConnection?,
        rule: LoggedRule,
        traffic: TrafficCounters
    ) {
        self.packets = packets
        self.connection = connection
        self.rule = rule
        self.traffic = traffic
    }
}
