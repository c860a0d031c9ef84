public import FlowModel

/// Writes flow records as the lines of a Calico flow log: one compact JSON object with all fields, then a newline.
///
/// Which value a field has when it is not known, and in which order fields come, the catalogue says (``FlowField``).
/// A record costs a few dozen copies and number conversions; names and labels are rendered once per endpoint and kept
/// until ``forgetUnused()`` finds that no record named the endpoint any more.
public struct JSONLineEncoder: ~Copyable {
    private let plan = JSONPlan()
    private var endpoints = EndpointTextCache()
    private let protocols = (0...255).map { ShortText("\"\(IPProtocol(rawValue: UInt8($0)).name)\"") }
    private let allow = ShortText("\"\(FlowAction.allow.rawValue)\"")
    private let deny = ShortText("\"\(FlowAction.deny.rawValue)\"")
    private let source = ShortText("\"\(FlowReporter.source.rawValue)\"")
    private let destination = ShortText("\"\(FlowReporter.destination.rawValue)\"")
    private let null = ShortText("null")
    private let dash = ShortText("\"-\"")

    /// Makes an encoder that knows no endpoint yet.
    public init() {}

    /// How many endpoints are held as text.
    public var cachedEndpoints: Int { endpoints.count }

    /// Evicts the texts of endpoints that no record named since the last call; to be called once per flush.
    public mutating func forgetUnused() {
        endpoints.forgetUnused()
    }

    /// Appends one record as a line.
    public mutating func encode(_ record: borrowing FlowRecord, into buffer: inout ByteBuffer) {
        let sourceText = endpoints.text(of: record.source.endpoint)
        let destinationText = endpoints.text(of: record.destination.endpoint)
        buffer.reserve(plan.maximumSize + sourceText.count + destinationText.count)
        var cursor = buffer.cursor()
        for step in plan.steps {
            unsafe cursor.copy(plan.texts.address(of: step.offset), count: step.count)
            switch step.value {
            case .empty: break
            case .integer(let member): write(member, of: record, to: &cursor)
            case .address(.source): write(record.source.address, to: &cursor)
            case .address(.destination): write(record.destination.address, to: &cursor)
            case .port(.source): write(record.source.port, of: record.proto, to: &cursor)
            case .port(.destination): write(record.destination.port, of: record.proto, to: &cursor)
            case .endpoint(.source, let member): write(member, of: sourceText, at: record.level, to: &cursor)
            case .endpoint(.destination, let member): write(member, of: destinationText, at: record.level, to: &cursor)
            case .proto: cursor.text(protocols[Int(record.proto.rawValue)])
            case .action: cursor.text(record.action == .allow ? allow : deny)
            case .reporter: cursor.text(record.reporter == .source ? source : destination)
            }
        }
        buffer.advance(to: cursor)
    }
}

// MARK: - Values

extension JSONLineEncoder {
    private func write(_ member: IntegerMember, of record: borrowing FlowRecord, to cursor: inout ByteCursor) {
        switch member {
        case .startTime: cursor.decimal(record.startTime)
        case .endTime: cursor.decimal(record.endTime)
        case .bytesIn: cursor.decimal(record.inbound.bytes)
        case .bytesOut: cursor.decimal(record.outbound.bytes)
        case .packetsIn: cursor.decimal(record.inbound.packets)
        case .packetsOut: cursor.decimal(record.outbound.packets)
        case .flows: cursor.decimal(record.flows.total)
        case .flowsStarted: cursor.decimal(record.flows.started)
        case .flowsCompleted: cursor.decimal(record.flows.completed)
        }
    }

    private func write(_ address: IPAddress?, to cursor: inout ByteCursor) {
        guard let address else { return cursor.text(null) }
        cursor.byte(UInt8(ascii: "\""))
        cursor.address(address)
        cursor.byte(UInt8(ascii: "\""))
    }

    /// Writes a port; ICMP has none in this format, whatever the record says, while ICMPv6 has its type and code.
    private func write(_ port: UInt16?, of proto: IPProtocol, to cursor: inout ByteCursor) {
        guard let port, proto != .icmp else { return cursor.text(null) }
        cursor.decimal(UInt64(port))
    }

    private func write(
        _ member: EndpointMember,
        of text: EndpointText,
        at level: AggregationLevel,
        to cursor: inout ByteCursor
    ) {
        var offset = text.offset
        let count: Int
        switch member {
        case .kind:
            return cursor.text(text.kind)
        case .name:
            guard level < .podPrefix else { return cursor.text(dash) }
            count = text.nameCount
        case .aggregatedName:
            offset += text.nameCount
            count = text.aggregatedNameCount
        case .namespace:
            offset += text.nameCount + text.aggregatedNameCount
            count = text.namespaceCount
        case .labels:
            offset += text.nameCount + text.aggregatedNameCount + text.namespaceCount
            count = text.labelsCount
        }
        unsafe cursor.copy(endpoints.bytes.address(of: offset), count: count)
    }
}
