/// The fields of a flow record, in the order of the format; encoders, schemas and documentation derive from this list.
///
/// The fields of the format come first (``standard``), then Weir's own (``extensions``).
///
/// Source: the file keys of the Calico flow log (Enterprise `flows.log`, `datatypes` reference).
public enum FlowField: Int, Sendable, CaseIterable {
    /// `start_time`: start of the interval, the same for every record of a flush.
    case startTime
    /// `end_time`: end of the interval.
    case endTime
    /// `source_ip`: address of the end that began the connection; null from level 2.
    case sourceIP
    /// `source_name`: full name of the source; - from level 2 and for net.
    case sourceName
    /// `source_name_aggr`: name that like sources share; pub or pvt for net, - in a remainder.
    case sourceNameAggr
    /// `source_namespace`: namespace of the source; - where it is in none.
    case sourceNamespace
    /// `nat_outgoing_ports`: source ports after masquerade, 3 at most.
    case natOutgoingPorts
    /// `source_port`: port of the source; null from level 1 and for ICMP; identifier of a query for ICMPv6.
    case sourcePort
    /// `source_type`: wep, hep, ns or net.
    case sourceType
    /// `source_labels`: labels that all sources of the record share; null where labels are not known.
    case sourceLabels
    /// `dest_ip`: address of the end that was called, after DNAT; null from level 2.
    case destIP
    /// `dest_name`: full name of the destination; - from level 2 and for net.
    case destName
    /// `dest_name_aggr`: name that like destinations share; pub or pvt for net, - in a remainder.
    case destNameAggr
    /// `dest_namespace`: namespace of the destination; - where it is in none.
    case destNamespace
    /// `dest_port`: port of the destination, after DNAT; null at level 3 and for ICMP; type * 256 + code for ICMPv6.
    case destPort
    /// `dest_type`: wep, hep, ns or net.
    case destType
    /// `dest_labels`: labels that all destinations of the record share; null where labels are not known.
    case destLabels
    /// `dest_service_namespace`: namespace of the service that was called; - unknown, * several.
    case destServiceNamespace
    /// `dest_service_name`: name of the service that was called; - unknown, * several.
    case destServiceName
    /// `dest_service_port`: name of the service port; - unknown, unnamed or level 3, * several.
    case destServicePort
    /// `dest_service_port_num`: number of the service port, before DNAT; null where unknown.
    case destServicePortNum
    /// `dest_domains`: domain names that resolved to the destination.
    case destDomains
    /// `proto`: icmp, ipip, tcp, udp, esp, icmp6, sctp, or the protocol number.
    case proto
    /// `action`: allow or deny.
    case action
    /// `reporter`: src or dst: the end that reports the flow.
    case reporter
    /// `policies`: the rules that decided and those that would now; null where no policies are known to apply.
    case policies
    /// `bytes_in`: IP bytes to the reporting endpoint in the interval.
    case bytesIn
    /// `bytes_out`: IP bytes from the reporting endpoint in the interval.
    case bytesOut
    /// `num_flows`: distinct 5-tuples active at any time in the interval.
    case numFlows
    /// `num_flows_started`: of these, begun in the interval.
    case numFlowsStarted
    /// `num_flows_completed`: of these, ended in the interval.
    case numFlowsCompleted
    /// `packets_in`: packets to the reporting endpoint in the interval.
    case packetsIn
    /// `packets_out`: packets from the reporting endpoint in the interval.
    case packetsOut
    /// `transit_bytes_in`: bytes in, evaluated in the forward path.
    case transitBytesIn
    /// `transit_bytes_out`: bytes out, evaluated in the forward path.
    case transitBytesOut
    /// `transit_packets_in`: packets in, evaluated in the forward path.
    case transitPacketsIn
    /// `transit_packets_out`: packets out, evaluated in the forward path.
    case transitPacketsOut
    /// `http_requests_allowed_in`: HTTP requests that a proxy allowed.
    case httpRequestsAllowedIn
    /// `http_requests_denied_in`: HTTP requests that a proxy denied.
    case httpRequestsDeniedIn
    /// `process_name`: name of the reporting end's process, or its path; - not known, * the others of several.
    case processName
    /// `num_process_names`: number of process names in the record.
    case numProcessNames
    /// `process_id`: process id, as a string; - not known, * several.
    case processID
    /// `num_process_ids`: number of process ids in the record.
    case numProcessIDs
    /// `process_args`: arguments of the processes; ["-"] not known.
    case processArgs
    /// `num_process_args`: number of argument lists in the record.
    case numProcessArgs
    /// `original_source_ips`: client addresses from X-Forwarded-For.
    case originalSourceIPs
    /// `num_original_source_ips`: how many of these there were.
    case numOriginalSourceIPs
    /// `tcp_mean_send_congestion_window`: mean send congestion window.
    case tcpMeanSendCongestionWindow
    /// `tcp_min_send_congestion_window`: smallest send congestion window.
    case tcpMinSendCongestionWindow
    /// `tcp_mean_smooth_rtt`: mean smoothed round-trip time.
    case tcpMeanSmoothRTT
    /// `tcp_max_smooth_rtt`: largest smoothed round-trip time.
    case tcpMaxSmoothRTT
    /// `tcp_mean_min_rtt`: mean of the minimum round-trip times.
    case tcpMeanMinRTT
    /// `tcp_max_min_rtt`: largest minimum round-trip time.
    case tcpMaxMinRTT
    /// `tcp_mean_mss`: mean maximum segment size.
    case tcpMeanMSS
    /// `tcp_min_mss`: smallest maximum segment size.
    case tcpMinMSS
    /// `tcp_total_retransmissions`: retransmitted packets in the interval.
    case tcpTotalRetransmissions
    /// `tcp_lost_packets`: lost packets in the interval.
    case tcpLostPackets
    /// `tcp_unrecovered_to`: unrecovered retransmission timeouts in the interval.
    case tcpUnrecoveredTO
    /// `dropped_packets_in`: packets to the reporting endpoint that the kernel dropped. An extension.
    case droppedPacketsIn
    /// `dropped_packets_out`: packets from the reporting endpoint that the kernel dropped. An extension.
    case droppedPacketsOut
    /// `drop_reason`: why the last of these packets was dropped; null where none was. An extension.
    case dropReason
    /// `caused_by`: the change of the cluster behind a new verdict or rule; null where none is known. An extension.
    case causedBy
    /// `connect_time_us`: mean time from the first SYN to the end of the handshake. An extension.
    case connectTime
    /// `rtt_us`: mean time from a packet of the reporting endpoint in the handshake to its answer. An extension.
    case handshakeRTT
    /// `tcp_flags`: flags of TCP that connections of the record have had; null where none were seen. An extension.
    case tcpFlags
    /// `dns_latency_us`: mean time from a DNS question of the reporting endpoint to its answer. An extension.
    case dnsLatency
    /// `container_id`: the container of the reporting end's process; - not known, * several. An extension.
    case containerID
    /// `container_name`: the name of this container in its pod; - not known, * several. An extension.
    case containerName
}

extension FlowField {
    /// Whether the field is Weir's own: not part of the format, and only in records with `--extended-fields`.
    public var isExtension: Bool {
        switch self {
        case .droppedPacketsIn, .droppedPacketsOut, .dropReason, .causedBy, .connectTime, .handshakeRTT, .tcpFlags,
            .dnsLatency, .containerID, .containerName:
            true
        default: false
        }
    }

    /// The fields of the format, in its order; every record has them.
    public static let standard = allCases.filter { !$0.isExtension }

    /// Weir's own fields, in the order in which they follow the standard ones.
    public static let extensions = allCases.filter(\.isExtension)
}

/// The type of a field's value.
public enum FlowFieldType: String, Sendable {
    /// A whole number of 0 or more.
    case integer
    /// A port number, or null.
    case port
    /// Text, never null.
    case string
    /// A name, or null.
    case name
    /// An IP address as text, or null.
    case address
    /// A list of IP addresses, or null.
    case addresses
    /// A list of whole numbers, or null.
    case integers
    /// A list of texts, or null.
    case strings
    /// An object with one list of `key=value` texts, or null.
    case labels
    /// An object with lists of policy hits, or null.
    case policies
}

/// The description of one field of the format.
public struct FlowFieldDescription: Sendable {
    /// The JSON key.
    public let name: String
    /// The type of its value.
    public let type: FlowFieldType
    /// The unit of a number; empty for none.
    public let unit: String
    /// The JSON value if the field's value is not known.
    public let emptyJSON: String
    /// The meaning of the field, in one line.
    public let meaning: String

    fileprivate init(_ name: String, _ type: FlowFieldType, _ unit: String, _ emptyJSON: String, _ meaning: String) {
        self.name = name
        self.type = type
        self.unit = unit
        self.emptyJSON = emptyJSON
        self.meaning = meaning
    }
}

extension FlowField {
    /// The description of this field.
    public var description: FlowFieldDescription {
        switch self {
        case .startTime:
            FlowFieldDescription(
                "start_time",
                .integer,
                "seconds",
                "0",
                "start of the interval, the same for every record of a flush"
            )
        case .endTime:
            FlowFieldDescription("end_time", .integer, "seconds", "0", "end of the interval")
        case .sourceIP:
            FlowFieldDescription(
                "source_ip",
                .address,
                "",
                "null",
                "address of the end that began the connection; null from level 2"
            )
        case .sourceName:
            FlowFieldDescription(
                "source_name",
                .string,
                "",
                "\"-\"",
                "full name of the source; - from level 2 and for net"
            )
        case .sourceNameAggr:
            FlowFieldDescription(
                "source_name_aggr",
                .string,
                "",
                "\"-\"",
                "name that like sources share; pub or pvt for net, - in a remainder"
            )
        case .sourceNamespace:
            FlowFieldDescription(
                "source_namespace",
                .string,
                "",
                "\"-\"",
                "namespace of the source; - where it is in none"
            )
        case .natOutgoingPorts:
            FlowFieldDescription(
                "nat_outgoing_ports",
                .integers,
                "",
                "null",
                "source ports after masquerade, 3 at most"
            )
        case .sourcePort:
            FlowFieldDescription(
                "source_port",
                .port,
                "",
                "null",
                "port of the source; null from level 1 and for ICMP; identifier of a query for ICMPv6"
            )
        case .sourceType:
            FlowFieldDescription("source_type", .string, "", "\"net\"", "wep, hep, ns or net")
        case .sourceLabels:
            FlowFieldDescription(
                "source_labels",
                .labels,
                "",
                "null",
                "labels that all sources of the record share; null where labels are not known"
            )
        case .destIP:
            FlowFieldDescription(
                "dest_ip",
                .address,
                "",
                "null",
                "address of the end that was called, after DNAT; null from level 2"
            )
        case .destName:
            FlowFieldDescription(
                "dest_name",
                .string,
                "",
                "\"-\"",
                "full name of the destination; - from level 2 and for net"
            )
        case .destNameAggr:
            FlowFieldDescription(
                "dest_name_aggr",
                .string,
                "",
                "\"-\"",
                "name that like destinations share; pub or pvt for net, - in a remainder"
            )
        case .destNamespace:
            FlowFieldDescription(
                "dest_namespace",
                .string,
                "",
                "\"-\"",
                "namespace of the destination; - where it is in none"
            )
        case .destPort:
            FlowFieldDescription(
                "dest_port",
                .port,
                "",
                "null",
                "port of the destination, after DNAT; null at level 3 and for ICMP; type * 256 + code for ICMPv6"
            )
        case .destType:
            FlowFieldDescription("dest_type", .string, "", "\"net\"", "wep, hep, ns or net")
        case .destLabels:
            FlowFieldDescription(
                "dest_labels",
                .labels,
                "",
                "null",
                "labels that all destinations of the record share; null where labels are not known"
            )
        case .destServiceNamespace:
            FlowFieldDescription(
                "dest_service_namespace",
                .string,
                "",
                "\"-\"",
                "namespace of the service that was called; - unknown, * several"
            )
        case .destServiceName:
            FlowFieldDescription(
                "dest_service_name",
                .string,
                "",
                "\"-\"",
                "name of the service that was called; - unknown, * several"
            )
        case .destServicePort:
            FlowFieldDescription(
                "dest_service_port",
                .string,
                "",
                "\"-\"",
                "name of the service port; - unknown, unnamed or level 3, * several"
            )
        case .destServicePortNum:
            FlowFieldDescription(
                "dest_service_port_num",
                .port,
                "",
                "null",
                "number of the service port, before DNAT; null where unknown"
            )
        case .destDomains:
            FlowFieldDescription(
                "dest_domains",
                .strings,
                "",
                "null",
                "names that the source has looked up for the destination, 5 at most; src only"
            )
        case .proto:
            FlowFieldDescription(
                "proto",
                .string,
                "",
                "\"0\"",
                "icmp, ipip, tcp, udp, esp, icmp6, sctp, or the protocol number"
            )
        case .action:
            FlowFieldDescription("action", .string, "", "\"allow\"", "allow or deny")
        case .reporter:
            FlowFieldDescription(
                "reporter",
                .string,
                "",
                "\"src\"",
                "src or dst: the end that reports the flow; fwd: a host endpoint that forwards it"
            )
        case .policies:
            FlowFieldDescription(
                "policies",
                .policies,
                "",
                "null",
                "enforced_policies: hits when the connections began; pending_policies: hits if they began now with "
                    + "staged policies enforced; transit_policies: hits of host endpoints, fwd only; null where no "
                    + "policies are known to apply"
            )
        case .bytesIn:
            FlowFieldDescription(
                "bytes_in",
                .integer,
                "bytes",
                "0",
                "IP bytes to the reporting endpoint in the interval"
            )
        case .bytesOut:
            FlowFieldDescription(
                "bytes_out",
                .integer,
                "bytes",
                "0",
                "IP bytes from the reporting endpoint in the interval"
            )
        case .numFlows:
            FlowFieldDescription(
                "num_flows",
                .integer,
                "flows",
                "0",
                "distinct 5-tuples active at any time in the interval"
            )
        case .numFlowsStarted:
            FlowFieldDescription("num_flows_started", .integer, "flows", "0", "of these, begun in the interval")
        case .numFlowsCompleted:
            FlowFieldDescription("num_flows_completed", .integer, "flows", "0", "of these, ended in the interval")
        case .packetsIn:
            FlowFieldDescription(
                "packets_in",
                .integer,
                "packets",
                "0",
                "packets to the reporting endpoint in the interval"
            )
        case .packetsOut:
            FlowFieldDescription(
                "packets_out",
                .integer,
                "packets",
                "0",
                "packets from the reporting endpoint in the interval"
            )
        case .transitBytesIn:
            FlowFieldDescription("transit_bytes_in", .integer, "bytes", "0", "bytes in, evaluated in the forward path")
        case .transitBytesOut:
            FlowFieldDescription(
                "transit_bytes_out",
                .integer,
                "bytes",
                "0",
                "bytes out, evaluated in the forward path"
            )
        case .transitPacketsIn:
            FlowFieldDescription(
                "transit_packets_in",
                .integer,
                "packets",
                "0",
                "packets in, evaluated in the forward path"
            )
        case .transitPacketsOut:
            FlowFieldDescription(
                "transit_packets_out",
                .integer,
                "packets",
                "0",
                "packets out, evaluated in the forward path"
            )
        case .httpRequestsAllowedIn:
            FlowFieldDescription(
                "http_requests_allowed_in",
                .integer,
                "requests",
                "0",
                "HTTP requests that a proxy allowed"
            )
        case .httpRequestsDeniedIn:
            FlowFieldDescription(
                "http_requests_denied_in",
                .integer,
                "requests",
                "0",
                "HTTP requests that a proxy denied"
            )
        case .processName:
            FlowFieldDescription(
                "process_name",
                .string,
                "",
                "\"-\"",
                "name of the reporting end's process, or its path; - not known, * the others of several"
            )
        case .numProcessNames:
            FlowFieldDescription(
                "num_process_names",
                .integer,
                "names",
                "0",
                "number of process names in the record"
            )
        case .processID:
            FlowFieldDescription("process_id", .string, "", "\"-\"", "process id, as a string; - not known, * several")
        case .numProcessIDs:
            FlowFieldDescription(
                "num_process_ids",
                .integer,
                "processes",
                "0",
                "number of process ids in the record"
            )
        case .processArgs:
            FlowFieldDescription(
                "process_args",
                .strings,
                "",
                "[\"-\"]",
                "arguments of the processes, 5 texts at most; [\"-\"] not known"
            )
        case .numProcessArgs:
            FlowFieldDescription(
                "num_process_args",
                .integer,
                "arguments",
                "0",
                "number of argument lists in the record"
            )
        case .originalSourceIPs:
            FlowFieldDescription("original_source_ips", .addresses, "", "null", "client addresses from X-Forwarded-For")
        case .numOriginalSourceIPs:
            FlowFieldDescription("num_original_source_ips", .integer, "addresses", "0", "how many of these there were")
        case .tcpMeanSendCongestionWindow:
            FlowFieldDescription(
                "tcp_mean_send_congestion_window",
                .integer,
                "segments",
                "0",
                "mean send congestion window"
            )
        case .tcpMinSendCongestionWindow:
            FlowFieldDescription(
                "tcp_min_send_congestion_window",
                .integer,
                "segments",
                "0",
                "smallest send congestion window"
            )
        case .tcpMeanSmoothRTT:
            FlowFieldDescription("tcp_mean_smooth_rtt", .integer, "microseconds", "0", "mean smoothed round-trip time")
        case .tcpMaxSmoothRTT:
            FlowFieldDescription(
                "tcp_max_smooth_rtt",
                .integer,
                "microseconds",
                "0",
                "largest smoothed round-trip time"
            )
        case .tcpMeanMinRTT:
            FlowFieldDescription(
                "tcp_mean_min_rtt",
                .integer,
                "microseconds",
                "0",
                "mean of the minimum round-trip times"
            )
        case .tcpMaxMinRTT:
            FlowFieldDescription("tcp_max_min_rtt", .integer, "microseconds", "0", "largest minimum round-trip time")
        case .tcpMeanMSS:
            FlowFieldDescription("tcp_mean_mss", .integer, "bytes", "0", "mean maximum segment size")
        case .tcpMinMSS:
            FlowFieldDescription("tcp_min_mss", .integer, "bytes", "0", "smallest maximum segment size")
        case .tcpTotalRetransmissions:
            FlowFieldDescription(
                "tcp_total_retransmissions",
                .integer,
                "packets",
                "0",
                "retransmitted packets in the interval"
            )
        case .tcpLostPackets:
            FlowFieldDescription("tcp_lost_packets", .integer, "packets", "0", "lost packets in the interval")
        case .tcpUnrecoveredTO:
            FlowFieldDescription(
                "tcp_unrecovered_to",
                .integer,
                "timeouts",
                "0",
                "unrecovered retransmission timeouts in the interval"
            )
        case .droppedPacketsIn:
            FlowFieldDescription(
                "dropped_packets_in",
                .integer,
                "packets",
                "0",
                "packets to the reporting endpoint that the kernel dropped in the interval, whatever the reason"
            )
        case .droppedPacketsOut:
            FlowFieldDescription(
                "dropped_packets_out",
                .integer,
                "packets",
                "0",
                "packets from the reporting endpoint that the kernel dropped in the interval, whatever the reason"
            )
        case .dropReason:
            FlowFieldDescription(
                "drop_reason",
                .name,
                "",
                "null",
                "the kernel's reason for the last of these drops, as in NETFILTER_DROP; null where nothing was dropped"
            )
        case .causedBy:
            FlowFieldDescription(
                "caused_by",
                .strings,
                "",
                "null",
                "in the first interval of a new verdict or rule, the change behind it: audit ID, object, user, then likely if it is no more"
            )
        case .connectTime:
            FlowFieldDescription(
                "connect_time_us",
                .integer,
                "microseconds",
                "0",
                "mean time of TCP handshakes that ended in the interval, from the first SYN to the ACK; 0 where none was timed"
            )
        case .handshakeRTT:
            FlowFieldDescription(
                "rtt_us",
                .integer,
                "microseconds",
                "0",
                "mean time from the reporting endpoint's packet to the answer in these handshakes; 0 where none was timed"
            )
        case .tcpFlags:
            FlowFieldDescription(
                "tcp_flags",
                .strings,
                "",
                "null",
                "flags of TCP in packets of either end since the record's connections began; null where none were seen"
            )
        case .dnsLatency:
            FlowFieldDescription(
                "dns_latency_us",
                .integer,
                "microseconds",
                "0",
                "mean time from the reporting endpoint's DNS questions to their answers in the interval; 0 where none was timed"
            )
        case .containerID:
            FlowFieldDescription(
                "container_id",
                .string,
                "",
                "\"-\"",
                "identifier of the container of the reporting end's process; - not known, * several"
            )
        case .containerName:
            FlowFieldDescription(
                "container_name",
                .string,
                "",
                "\"-\"",
                "name of this container in its pod; - not known, * several"
            )
        }
    }
}
