import FlowModel

/// The source of a field's JSON value.
enum JSONRule: Equatable {
    /// The record has no member for the field; the empty value of the catalogue is written.
    case empty
    /// A number of the record.
    case integer(IntegerMember)
    /// The address of an end, or null.
    case address(RecordEnd)
    /// The port of an end, or null.
    case port(RecordEnd)
    /// A text of the endpoint of an end.
    case endpoint(RecordEnd, EndpointMember)
    /// The labels that the endpoints of an end share, or null.
    case labels(RecordEnd)
    /// All fields of the service with their keys, at the place of the first one.
    case service
    /// Source ports after source NAT, or null.
    case natPorts
    /// The name or number of the protocol.
    case proto
    /// Whether the packets were allowed or denied.
    case action
    /// The reporting end.
    case reporter
    /// The policy hits, or null.
    case policies
    /// The reason why packets were dropped, or null.
    case dropReason
    /// The change of the cluster behind a verdict, or null.
    case causedBy
    /// Domain names of the destination, or null.
    case domains
    /// The name of the process, `*` for several, or `-`.
    case processName
    /// The arguments of the processes, or `["-"]`.
    case processArguments
    /// The PID of the process, `*` for several, or `-`.
    case processID
    /// The TCP flags, or null.
    case tcpFlags
    /// The identifier of the container, `*` for several, or `-`.
    case containerID
    /// The name of the container, `*` for several, or `-`.
    case containerName
}

/// An end of a record.
enum RecordEnd {
    case source
    case destination
}

/// A number of a record.
enum IntegerMember {
    case startTime
    case endTime
    case bytesIn
    case bytesOut
    case packetsIn
    case packetsOut
    case flows
    case flowsStarted
    case flowsCompleted
    case droppedPacketsIn
    case droppedPacketsOut
    case transitBytesIn
    case transitBytesOut
    case transitPacketsIn
    case transitPacketsOut
    case meanWindow
    case smallestWindow
    case meanRTT
    case largestRTT
    case meanMinRTT
    case largestMinRTT
    case meanMSS
    case smallestMSS
    case processNames
    case processes
    case processArguments
    case retransmissions
    case lostPackets
    case timeouts
    case meanConnectTime
    case meanHandshakeRTT
    case meanLookup
}

/// A text of an endpoint.
enum EndpointMember {
    case name
    case aggregatedName
    case namespace
    case kind
}

extension JSONRule {
    /// The rule of a field; the switch has no default, so that a new field without a rule does not compile.
    init(_ field: FlowField) {
        self =
            switch field {
            case .startTime: .integer(.startTime)
            case .endTime: .integer(.endTime)
            case .sourceIP: .address(.source)
            case .sourceName: .endpoint(.source, .name)
            case .sourceNameAggr: .endpoint(.source, .aggregatedName)
            case .sourceNamespace: .endpoint(.source, .namespace)
            case .natOutgoingPorts: .natPorts
            case .sourcePort: .port(.source)
            case .sourceType: .endpoint(.source, .kind)
            case .sourceLabels: .labels(.source)
            case .destIP: .address(.destination)
            case .destName: .endpoint(.destination, .name)
            case .destNameAggr: .endpoint(.destination, .aggregatedName)
            case .destNamespace: .endpoint(.destination, .namespace)
            case .destPort: .port(.destination)
            case .destType: .endpoint(.destination, .kind)
            case .destLabels: .labels(.destination)
            case .destServiceNamespace, .destServiceName, .destServicePort, .destServicePortNum: .service
            case .proto: .proto
            case .action: .action
            case .reporter: .reporter
            case .policies: .policies
            case .bytesIn: .integer(.bytesIn)
            case .bytesOut: .integer(.bytesOut)
            case .numFlows: .integer(.flows)
            case .numFlowsStarted: .integer(.flowsStarted)
            case .numFlowsCompleted: .integer(.flowsCompleted)
            case .packetsIn: .integer(.packetsIn)
            case .packetsOut: .integer(.packetsOut)
            case .droppedPacketsIn: .integer(.droppedPacketsIn)
            case .droppedPacketsOut: .integer(.droppedPacketsOut)
            case .dropReason: .dropReason
            case .causedBy: .causedBy
            case .connectTime: .integer(.meanConnectTime)
            case .handshakeRTT: .integer(.meanHandshakeRTT)
            case .tcpFlags: .tcpFlags
            case .dnsLatency: .integer(.meanLookup)
            case .containerID: .containerID
            case .containerName: .containerName
            case .destDomains: .domains
            case .transitBytesIn: .integer(.transitBytesIn)
            case .transitBytesOut: .integer(.transitBytesOut)
            case .transitPacketsIn: .integer(.transitPacketsIn)
            case .transitPacketsOut: .integer(.transitPacketsOut)
            case .httpRequestsAllowedIn, .httpRequestsDeniedIn, .originalSourceIPs,
                .numOriginalSourceIPs:
                .empty
            case .processName: .processName
            case .numProcessNames: .integer(.processNames)
            case .processID: .processID
            case .numProcessIDs: .integer(.processes)
            case .processArgs: .processArguments
            case .numProcessArgs: .integer(.processArguments)
            case .tcpMeanSendCongestionWindow: .integer(.meanWindow)
            case .tcpMinSendCongestionWindow: .integer(.smallestWindow)
            case .tcpMeanSmoothRTT: .integer(.meanRTT)
            case .tcpMaxSmoothRTT: .integer(.largestRTT)
            case .tcpMeanMinRTT: .integer(.meanMinRTT)
            case .tcpMaxMinRTT: .integer(.largestMinRTT)
            case .tcpMeanMSS: .integer(.meanMSS)
            case .tcpMinMSS: .integer(.smallestMSS)
            case .tcpTotalRetransmissions: .integer(.retransmissions)
            case .tcpLostPackets: .integer(.lostPackets)
            case .tcpUnrecoveredTO: .integer(.timeouts)
            }
    }
}
