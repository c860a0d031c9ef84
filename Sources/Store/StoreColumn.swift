package import FlowModel

/// The columns of a block: the values of a record except its flow key.
///
/// Column numbers are part of the stored format, and never change.
enum StoreColumn {
    /// The number of the flow key, ascending.
    static let key = 0
    /// Start of the interval, in roll-ups the start of the first record's interval: seconds before ``end``.
    static let duration = 1
    /// End of the interval, in roll-ups the end of the last record's interval: seconds after the block's start.
    static let end = 2
    /// The number of bytes of each record's detail.
    static let detailLength = 3
    /// The details, concatenated.
    static let detail = 4
    /// In roll-ups, the number of records in each row.
    static let records = 5
    /// The first column of a counter.
    static let counters = 8
    /// The upper limit (exclusive) of column numbers.
    static let limit = 64
}

/// The fields of a record, grouped by how they are stored.
package enum StoreFields {
    /// The flow key: the fields that connections share over a long time, stored once.
    package static let key: [FlowField] = [
        .sourceNameAggr, .sourceNamespace, .sourceType, .sourceLabels, .destNameAggr, .destNamespace, .destPort,
        .destType,
        .destLabels, .destServiceNamespace, .destServiceName, .destServicePort, .destServicePortNum, .destDomains,
        .proto,
        .action, .reporter, .policies, .processName,
    ]

    /// The detail: text fields that are stored for each record.
    ///
    /// At level 2 and above, addresses, ports and full names are empty; the other fields do not depend on the level.
    ///
    /// New fields must be added at the end.
    package static let detail: [FlowField] = [
        .sourceIP, .sourceName, .natOutgoingPorts, .sourcePort, .destIP, .destName, .processID, .processArgs,
        .originalSourceIPs, .dropReason, .causedBy, .tcpFlags, .containerID, .containerName,
    ]

    /// The counters, in the order of their columns; new ones must be added at the end.
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

    /// The number of counters, from the first on, that roll-ups sum.
    package static let summed = 13

    /// The separator between the values of a key or a detail; JSON values do not contain it.
    package static let separator: UInt8 = 0x1e
    /// The maximum number of bytes of a key, and of a detail.
    static let maximumTextBytes = 1 << 16
}
