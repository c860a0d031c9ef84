package import FlowModel

/// The columns of a block: the values of a record besides its flow key.
///
/// Numbers are part of the stored format: a column keeps its number for ever.
enum StoreColumn {
    /// The number of the flow key, ascending.
    static let key = 0
    /// Start of the interval, in roll-ups of the first record's interval: seconds before ``end``.
    static let duration = 1
    /// End of the interval, in roll-ups of the last record's interval: seconds after the block's start.
    static let end = 2
    /// Bytes of each record's detail.
    static let detailLength = 3
    /// The details, one behind the other.
    static let detail = 4
    /// In roll-ups: how many records a row stands for.
    static let records = 5
    /// The first column of a counter.
    static let counters = 8
    /// More than the number of any column.
    static let limit = 64
}

/// The fields of a record by how they are stored.
package enum StoreFields {
    /// The fields that a group of connections shares over a long time: together the flow key, kept once.
    package static let key: [FlowField] = [
        .sourceNameAggr, .sourceNamespace, .sourceType, .sourceLabels, .destNameAggr, .destNamespace, .destPort,
        .destType,
        .destLabels, .destServiceNamespace, .destServiceName, .destServicePort, .destServicePortNum, .destDomains,
        .proto,
        .action, .reporter, .policies, .processName,
    ]

    /// The fields of single connections: texts, kept for each record, empty at level 2 and above; a new one goes behind the
    /// others.
    package static let detail: [FlowField] = [
        .sourceIP, .sourceName, .natOutgoingPorts, .sourcePort, .destIP, .destName, .processID, .processArgs,
        .originalSourceIPs, .dropReason, .causedBy, .tcpFlags, .containerID, .containerName,
    ]

    /// Counters, in the order of their columns; a new one goes behind the others.
    package static let counters: [FlowField] = [
        .bytesIn, .bytesOut, .packetsIn, .packetsOut, .numFlows, .numFlowsStarted, .numFlowsCompleted,
        .droppedPacketsIn,
        .droppedPacketsOut, .transitBytesIn, .transitBytesOut, .transitPacketsIn, .transitPacketsOut,
        .httpRequestsAllowedIn, .httpRequestsDeniedIn, .numProcessNames, .numProcessIDs, .numProcessArgs,
        .numOriginalSourceIPs, .tcpMeanSendCongestionWindow, .tcpMinSendCongestionWindow, .tcpMeanSmoothRTT,
        .tcpMaxSmoothRTT, .tcpMeanMinRTT, .tcpMaxMinRTT, .tcpMeanMSS, .tcpMinMSS, .tcpTotalRetransmissions,
        .tcpLostPackets, .tcpUnrecoveredTO, .connectTime, .handshakeRTT,
        .dnsLatency,
    ]

    /// The number of counters, from the first on, that roll-ups add up.
    package static let summed = 13

    /// The separator between the values of a key or a detail, which occurs in no JSON value.
    package static let separator: UInt8 = 0x1e
    /// The most bytes of a key, and of a detail.
    static let maximumTextBytes = 1 << 16
}
