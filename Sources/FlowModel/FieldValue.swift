/// The value of one field of a record: a view, without copies or allocations.
///
/// The value is the same as in the JSON line: `-` is the text `-`, and null is ``absent``.
package enum FieldValue: Sendable {
    /// null.
    case absent
    /// A text; `-` if the value is not known.
    case text(String)
    /// A number of 0 or more: counters, ports, Unix seconds.
    case number(UInt64)
    /// An address.
    case address(IPAddress)
    /// Port numbers, never empty.
    case ports([UInt16])
    /// Texts, never empty.
    case texts([String])
    /// Labels; the set may be empty.
    case labels(LabelSet)
    /// Policy hits; the lists may be empty.
    case hits(enforced: [String], pending: [String], transit: [String])
}

/// A source of the fields of a flow record: a record of this process, a stored row, or a parsed line.
package protocol FieldSource {
    /// The value of a field.
    borrowing func value(of field: FlowField) -> FieldValue
}

extension FlowRecord: FieldSource {
    /// Returns the value of a field in the form of the format, at this record's level; allocates only for unnamed protocols.
    package borrowing func value(of field: FlowField) -> FieldValue {
        switch field {
        case .sourceIP: source.addressValue
        case .sourceName: source.nameValue(at: level)
        case .natOutgoingPorts: natOutgoingPorts.isEmpty ? .absent : .ports(natOutgoingPorts)
        case .sourcePort: source.portValue(of: proto)
        case .sourceType: .text(source.endpoint.kind.rawValue)
        case .sourceLabels: source.labelsValue
        case .destIP: destination.addressValue
        case .destName: destination.nameValue(at: level)
        case .destPort: destination.portValue(of: proto)
        case .destType: .text(destination.endpoint.kind.rawValue)
        case .destLabels: destination.labelsValue
        case .destServicePort: .text(level < .noDestinationPort ? service?.portName ?? "-" : "-")
        case .destServicePortNum: service.map { $0.port == 0 ? .absent : .number(UInt64($0.port)) } ?? .absent
        case .proto: .text(proto.name)
        case .action: .text(action.rawValue)
        case .reporter: .text(reporter.rawValue)
        case .policies:
            policies.map {
                .hits(enforced: $0.enforced.enforced, pending: $0.pending.pending, transit: $0.pending.transit)
            } ?? .absent
        case .sourceNameAggr, .sourceNamespace, .destNameAggr, .destNamespace, .destServiceNamespace, .destServiceName:
            .text(name(in: field))
        case .startTime, .endTime, .bytesIn, .bytesOut, .numFlows, .numFlowsStarted, .numFlowsCompleted, .packetsIn,
            .packetsOut:
            .number(count(in: field))
        case .droppedPacketsIn: .number(drops?.inbound ?? 0)
        case .droppedPacketsOut: .number(drops?.outbound ?? 0)
        case .dropReason: drops.map { .text($0.reason.name) } ?? .absent
        case .causedBy: cause.map { .texts($0.texts) } ?? .absent
        case .connectTime: .number(handshakes?.connect.mean ?? 0)
        case .handshakeRTT: .number(handshakes?.rtt.mean ?? 0)
        case .tcpFlags: tcpFlags.isEmpty ? .absent : .texts(tcpFlags.texts)
        case .dnsLatency: .number(lookups?.mean ?? 0)
        case .containerID: .text(containerID ?? "-")
        case .containerName: .text(containerName ?? "-")
        case .destDomains: domains.isEmpty ? .absent : .texts(domains)
        case .originalSourceIPs: .absent
        case .processName: .text(processes.map { $0.name?.text ?? "*" } ?? "-")
        case .processID: .text(processes.map { $0.id.map(String.init) ?? "*" } ?? "-")
        case .numProcessNames: .number(UInt64(processes?.nameCount ?? 0))
        case .numProcessIDs: .number(UInt64(processes?.count ?? 0))
        case .processArgs: .texts(processArguments)
        case .numProcessArgs: .number(UInt64(processes?.argumentCount ?? 0))
        case .transitBytesIn: .number(forwarded.inbound.bytes)
        case .transitBytesOut: .number(forwarded.outbound.bytes)
        case .transitPacketsIn: .number(forwarded.inbound.packets)
        case .transitPacketsOut: .number(forwarded.outbound.packets)
        case .httpRequestsAllowedIn, .httpRequestsDeniedIn, .numOriginalSourceIPs:
            .number(0)
        case .tcpMeanSendCongestionWindow: .number(tcp?.window.mean ?? 0)
        case .tcpMinSendCongestionWindow: .number(UInt64(tcp?.window.smallest ?? 0))
        case .tcpMeanSmoothRTT: .number(tcp?.rtt.mean ?? 0)
        case .tcpMaxSmoothRTT: .number(UInt64(tcp?.rtt.largest ?? 0))
        case .tcpMeanMinRTT: .number(minRTT.mean)
        case .tcpMaxMinRTT: .number(UInt64(minRTT.largest))
        case .tcpMeanMSS: .number(tcp?.mss.mean ?? 0)
        case .tcpMinMSS: .number(UInt64(tcp?.mss.smallest ?? 0))
        case .tcpTotalRetransmissions: .number(tcp?.retransmissions ?? 0)
        case .tcpLostPackets: .number(tcp?.lost ?? 0)
        case .tcpUnrecoveredTO: .number(tcp?.timeouts ?? 0)
        }
    }
}

// MARK: - Direct access

extension FlowField {
    /// The fastest access to the field's value in a record of this process.
    package enum Access: UInt8, Sendable {
        /// One of a few texts: ``FlowRecord/choice(in:)``.
        case choice
        /// A number that is never null: ``FlowRecord/count(in:)``.
        case count
        /// A text that is never null: ``FlowRecord/name(in:)``.
        case name
        /// Any ``FieldValue``.
        case value
    }

    /// The fastest access to the field's value in a record.
    package var access: Access {
        switch self {
        case .action, .reporter, .sourceType, .destType: .choice
        case .startTime, .endTime, .bytesIn, .bytesOut, .numFlows, .numFlowsStarted, .numFlowsCompleted, .packetsIn,
            .packetsOut:
            .count
        case .sourceNameAggr, .sourceNamespace, .destNameAggr, .destNamespace, .destServiceNamespace, .destServiceName:
            .name
        default: .value
        }
    }

    /// The possible texts of a field with few values, in the order of ``FlowRecord/choice(in:)``; empty for other fields.
    package var choices: [String] {
        switch self {
        case .action: FlowAction.allCases.map(\.rawValue)
        case .reporter: FlowReporter.allCases.map(\.rawValue)
        case .sourceType, .destType: Endpoint.Kind.allCases.map(\.rawValue)
        default: []
        }
    }
}

extension FlowRecord {
    /// Returns the index of a field's value in ``FlowField/choices``; 0 for other fields.
    package borrowing func choice(in field: FlowField) -> UInt8 {
        switch field {
        case .action: action.place
        case .reporter: reporter.place
        case .sourceType: source.endpoint.kind.place
        case .destType: destination.endpoint.kind.place
        default: 0
        }
    }

    /// Returns the value of a field with ``FlowField/Access/count``; 0 for other fields.
    package borrowing func count(in field: FlowField) -> UInt64 {
        switch field {
        case .startTime: UInt64(clamping: startTime)
        case .endTime: UInt64(clamping: endTime)
        case .bytesIn: ended.inbound.bytes
        case .bytesOut: ended.outbound.bytes
        case .numFlows: flows.total
        case .numFlowsStarted: flows.started
        case .numFlowsCompleted: flows.completed
        case .packetsIn: ended.inbound.packets
        case .packetsOut: ended.outbound.packets
        default: 0
        }
    }

    /// Returns the value of a field with ``FlowField/Access/name``; `-` for other fields.
    package borrowing func name(in field: FlowField) -> String {
        switch field {
        case .sourceNameAggr: source.endpoint.aggregatedName
        case .sourceNamespace: source.endpoint.namespace ?? "-"
        case .destNameAggr: destination.endpoint.aggregatedName
        case .destNamespace: destination.endpoint.namespace ?? "-"
        case .destServiceNamespace: service?.namespace ?? "-"
        case .destServiceName: service?.name ?? "-"
        default: "-"
        }
    }
}

extension FlowAction {
    /// The index in `allCases`.
    fileprivate var place: UInt8 {
        switch self {
        case .allow: 0
        case .deny: 1
        }
    }
}

extension FlowReporter {
    /// The index in `allCases`.
    fileprivate var place: UInt8 {
        switch self {
        case .source: 0
        case .destination: 1
        case .forward: 2
        }
    }
}

extension Endpoint.Kind {
    /// The index in `allCases`.
    fileprivate var place: UInt8 {
        switch self {
        case .workload: 0
        case .host: 1
        case .networkSet: 2
        case .network: 3
        }
    }
}

extension FlowRecord {
    /// The arguments of the record's processes, or the value for unknown arguments.
    fileprivate var processArguments: [String] {
        guard let texts = processes?.arguments, !texts.isEmpty else { return FlowField.processArgs.unknownTexts }
        return texts
    }
}

extension FlowField {
    /// The texts of a list that is not known: `-` for the arguments of processes, none for other lists.
    package var unknownTexts: [String] { self == .processArgs ? ["-"] : [] }
}

extension FlowRecord.End {
    var addressValue: FieldValue { address.map { .address($0) } ?? .absent }

    var labelsValue: FieldValue { labels.map { .labels($0) } ?? .absent }

    /// Returns the full name; `-` at levels that fold pods, and for networks.
    func nameValue(at level: AggregationLevel) -> FieldValue {
        .text(level < .podPrefix && endpoint.kind != .network ? endpoint.name : "-")
    }

    /// Returns the port; absent for ICMP, which has no ports in this format.
    func portValue(of proto: IPProtocol) -> FieldValue {
        guard let port, proto != .icmp else { return .absent }
        return .number(UInt64(port))
    }
}
