/// The datapath's action on a flow (`action`).
public enum FlowAction: String, Sendable, Hashable, CaseIterable {
    /// The packets were forwarded.
    case allow
    /// The packets were dropped by a decision.
    case deny
}

/// The end that reports a record (`reporter`).
public enum FlowReporter: String, Sendable, Hashable, CaseIterable {
    /// The source: the reporting endpoint is the initiator.
    case source = "src"
    /// The destination: the reporting endpoint is the responder.
    case destination = "dst"
    /// A host endpoint whose policies govern forwarded connections; it is neither end of the connection.
    case forward = "fwd"
}

/// The detail of a record (`flowLogsFileAggregationKindForAllowed`, `…ForDenied`).
public enum AggregationLevel: Int, Sendable, Hashable, Comparable, CaseIterable {
    /// Each 5-tuple has its own record.
    case none = 0
    /// Source ports are folded together.
    case sourcePort = 1
    /// Addresses and full names are folded, too: one record per pair of aggregated names.
    case podPrefix = 2
    /// Destination ports are folded, too.
    case noDestinationPort = 3

    /// Orders by the extent of folding.
    public static func < (left: AggregationLevel, right: AggregationLevel) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// The numbers of connections that a record contains (`num_flows…`).
public struct FlowCounts: Sendable, Hashable {
    /// Distinct 5-tuples active at any time in the interval.
    public var total: UInt64
    /// The number of these that began in the interval.
    public var started: UInt64
    /// The number of these that ended in the interval.
    public var completed: UInt64

    /// Takes all members.
    public init(total: UInt64, started: UInt64, completed: UInt64) {
        self.total = total
        self.started = started
        self.completed = completed
    }
}

/// A line of the flow log: all connections of one group over one interval, as one end saw them.
///
/// Fields that Weir never fills have no member here; ``FlowField`` defines their values.
public struct FlowRecord: Sendable {
    /// An end of the connections.
    public struct End: Sendable {
        /// The address; nil if it is folded away.
        public var address: IPAddress?
        /// The port; nil if it is folded away, 0 for a protocol without ports.
        public var port: UInt16?
        /// The owner of the address.
        public var endpoint: Endpoint
        /// The labels that all endpoints of the record's connections had throughout the interval; nil if not known.
        public var labels: LabelSet?

        /// Takes all members.
        public init(address: IPAddress?, port: UInt16?, endpoint: Endpoint, labels: LabelSet?) {
            self.address = address
            self.port = port
            self.endpoint = endpoint
            self.labels = labels
        }
    }

    /// The reasons why the connections were allowed or denied (`policies`).
    public struct Policies: Sendable {
        /// The trace whose ``PolicyTrace/enforced`` hits decided when the connections began.
        public var enforced: PolicyTrace
        /// The trace whose ``PolicyTrace/pending`` hits would decide if the connections began now and staged policies were
        /// enforced.
        public var pending: PolicyTrace

        /// Takes both members.
        public init(enforced: PolicyTrace, pending: PolicyTrace) {
            self.enforced = enforced
            self.pending = pending
        }
    }

    /// Packets of the connections that the kernel dropped, by a decision or because of a network problem.
    public struct Drops: Sendable {
        /// Packets to the reporting endpoint (`dropped_packets_in`).
        public var inbound: UInt64
        /// Packets from the reporting endpoint (`dropped_packets_out`).
        public var outbound: UInt64
        /// The reason for the last drop (`drop_reason`).
        public var reason: DropReason

        /// Takes all members.
        public init(inbound: UInt64, outbound: UInt64, reason: DropReason) {
            self.inbound = inbound
            self.outbound = outbound
            self.reason = reason
        }
    }

    /// The maximum number of source ports that a record lists (`flowLogsFileNatOutgoingPortLimit`).
    public static let natOutgoingPortLimit = 3

    /// The maximum number of a group's process names with records of their own (`flowLogsFilePerFlowProcessLimit`); others
    /// share one.
    public static let processLimit = 2

    /// The maximum number of domain names in a record (`flowLogsFileDomainsLimit`).
    public static let domainLimit = 5

    /// Start of the interval, Unix seconds; the same for all records of a flush.
    public var startTime: Int64
    /// End of the interval, Unix seconds.
    public var endTime: Int64
    /// The level of aggregation; full names are kept only below ``AggregationLevel/podPrefix``.
    public var level: AggregationLevel
    /// The initiator of the connections.
    public var source: End
    /// The responder, after destination NAT.
    public var destination: End
    /// The service that was called, before destination NAT; nil if none is known.
    public var service: ServicePort?
    /// The source ports after source NAT (`nat_outgoing_ports`), ascending, at most ``natOutgoingPortLimit``.
    public var natOutgoingPorts: [UInt16]
    /// The names that the source has looked up for the destination (`dest_domains`), ascending, at most ``domainLimit``.
    public var domains: [String] = []
    /// The protocol above IP.
    public var proto: IPProtocol
    /// Whether the packets were allowed or denied.
    public var action: FlowAction
    /// The end that reports the flow.
    public var reporter: FlowReporter
    /// The policies that decided; nil if none are known to apply to the reporting endpoint.
    public var policies: Policies?
    /// The traffic to the reporting endpoint in the interval.
    public var inbound: TrafficCounters
    /// The traffic from the reporting endpoint in the interval.
    public var outbound: TrafficCounters
    /// The numbers of connections.
    public var flows: FlowCounts
    /// Packets that were dropped in the interval; nil if there were none, or if drops cannot be counted.
    public var drops: Drops?
    /// The cluster change that caused the verdict, or the rule that decided; only in the first interval with it.
    public var cause: ChangeCause?

    /// Statistics of the reporting endpoint's TCP sockets in the interval; nil if there are none, or if they are not collected.
    public var tcp: TCPStatistics?

    /// The processes that own these sockets; nil if none are known, or if they are not collected.
    public var processes: FlowProcesses?

    /// The durations of the handshakes that completed in the interval; nil if there are none, or they are not timed.
    public var handshakes: HandshakeTimes?

    /// The TCP flags of the connections; empty for other protocols.
    public var tcpFlags: TCPFlags = []

    /// The durations of DNS lookups that were answered in the interval, microseconds; nil if there are none or not collected.
    public var lookups: TCPStatistics.Gauge?

    /// The name of the processes' container in its pod; nil if it is not known, or if there are several.
    public var namedContainer: String?

    /// The smallest round-trip times (`tcp_mean_min_rtt`, `tcp_max_min_rtt`): of the sockets, or else of the handshakes.
    package var minRTT: TCPStatistics.Gauge {
        guard let minRTT = tcp?.minRTT, minRTT.count > 0 else { return handshakes?.rtt ?? TCPStatistics.Gauge() }
        return minRTT
    }

    /// Whether nothing happened: no traffic and no drop, and no connection began or ended.
    public var isIdle: Bool {
        drops == nil && tcp == nil && inbound == .zero && outbound == .zero && flows.started == 0
            && flows.completed == 0
    }

    /// Takes all members.
    public init(
        startTime: Int64,
        endTime: Int64,
        level: AggregationLevel,
        source: End,
        destination: End,
        service: ServicePort? = nil,
        natOutgoingPorts: [UInt16] = [],
        proto: IPProtocol,
        action: FlowAction,
        reporter: FlowReporter,
        policies: Policies? = nil,
        inbound: TrafficCounters,
        outbound: TrafficCounters,
        flows: FlowCounts,
        drops: Drops? = nil,
        tcp: TCPStatistics? = nil,
        processes: FlowProcesses? = nil,
        handshakes: HandshakeTimes? = nil
    ) {
        self.handshakes = handshakes
        self.processes = processes
        self.tcp = tcp
        self.startTime = startTime
        self.endTime = endTime
        self.level = level
        self.source = source
        self.destination = destination
        self.service = service
        self.natOutgoingPorts = natOutgoingPorts
        self.proto = proto
        self.action = action
        self.reporter = reporter
        self.policies = policies
        self.inbound = inbound
        self.outbound = outbound
        self.flows = flows
        self.drops = drops
    }
}

extension FlowRecord {
    /// The identifier of the processes' container; `*` if there are several, nil if it is not known.
    package var containerID: String? { processes?.containerText }

    /// The name of the container; `*` if there are several, nil if it is not known.
    package var containerName: String? {
        guard let text = processes?.containerText else { return nil }
        return text == FlowProcesses.several ? text : namedContainer
    }
}

// MARK: - Forwarded connections

extension FlowRecord {
    /// Traffic to and from the reporting endpoint.
    public typealias Traffic = (inbound: TrafficCounters, outbound: TrafficCounters)

    /// The traffic of the reporting endpoint as an end of the connections (`bytes_in`, …); zero if a host endpoint forwarded
    /// them.
    public var ended: Traffic { reporter == .forward ? (.zero, .zero) : (inbound, outbound) }

    /// The traffic that a host endpoint forwarded (`transit_bytes_in`, …): inbound from the initiator, outbound from the
    /// responder.
    public var forwarded: Traffic { reporter == .forward ? (inbound, outbound) : (.zero, .zero) }
}
