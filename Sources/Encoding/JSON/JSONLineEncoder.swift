public import FlowModel

/// Writes flow records as the lines of a Calico flow log: one compact JSON object with all fields of the format, then a
/// newline.
///
/// The catalogue (``FlowField``) determines the order of fields and the values of unknown ones. A record costs a few dozen
/// copies and number conversions. Names, labels, services and policy traces are rendered once per object, and cached until
/// ``forgetUnused()`` finds that no recent record used the object.
public struct JSONLineEncoder: ~Copyable {
    private let plan: JSONPlan
    private let isExtended: Bool
    private var endpoints: TextCache<Endpoint>
    private var labelSets: TextCache<LabelSet>
    private var services: TextCache<ServicePort>
    private var policyTraces: TextCache<PolicyTrace>
    private var processes: TextCache<FlowProcess>
    private let limits: RecordLimits
    /// The last endpoint whose labels were shortened.
    public private(set) var lastShortened: Endpoint?
    /// The drop reason of the current record; it is so rare that it is not cached.
    private var dropReason = ByteBuffer(capacity: 64)
    /// The change behind the current record's verdict; it is rare as well.
    private var cause = ByteBuffer(capacity: 64)
    /// Domain names of a record; those of the next one are often the same.
    private var domains = ByteBuffer(capacity: 64)
    private var renderedDomains: [String] = []
    /// The name and the arguments of the current record's processes, if there are several; empty if none are known.
    private var processName = ByteBuffer(capacity: 64)
    private var processArguments = ByteBuffer(capacity: 64)
    /// The container of the current record, and its name; empty if they are not known.
    private var containerID = ByteBuffer(capacity: 80)
    private var containerName = ByteBuffer(capacity: 80)
    private let protocols = (0...255).map { ShortText("\"\(IPProtocol(rawValue: UInt8($0)).name)\"") }
    private let allow = ShortText("\"\(FlowAction.allow.rawValue)\"")
    private let deny = ShortText("\"\(FlowAction.deny.rawValue)\"")
    private let source = ShortText("\"\(FlowReporter.source.rawValue)\"")
    private let destination = ShortText("\"\(FlowReporter.destination.rawValue)\"")
    private let forward = ShortText("\"\(FlowReporter.forward.rawValue)\"")
    private let icmp = IPProtocol.icmp
    private let null = ShortText("null")
    private let dash = ShortText("\"-\"")
    private let noArguments = ShortText(FlowField.processArgs.description.emptyJSON)
    private let several = ShortText("\"*\"")
    private let noService = ServicePort.noneText

    /// Makes an encoder with an empty cache of endpoints.
    ///
    /// - Parameters:
    ///   - extendedFields: whether lines also have Weir's own fields, after those of the format.
    ///   - limits: the maximum lengths of texts.
    public init(extendedFields: Bool = false, limits: RecordLimits = RecordLimits()) {
        isExtended = extendedFields
        self.limits = limits
        endpoints = TextCache(limits)
        labelSets = TextCache(limits)
        services = TextCache(limits)
        policyTraces = TextCache(limits)
        processes = TextCache(limits)
        plan = JSONPlan(extendedFields ? FlowField.standard + FlowField.extensions : FlowField.standard)
    }

    /// The number of endpoints with cached text.
    public var cachedEndpoints: Int { endpoints.count }

    /// The number of label sets with cached text.
    public var cachedLabelSets: Int { labelSets.count }

    /// The number of service ports with cached text.
    public var cachedServices: Int { services.count }

    /// The number of policy traces with cached text.
    public var cachedPolicyTraces: Int { policyTraces.count }

    /// The number of processes that are held as text.
    public var cachedProcesses: Int { processes.count }

    /// The maximum size of a line, in bytes.
    public var maximumLineBytes: Int { plan.maximumSize + limits.maximumTextBytes }

    /// The number of texts that were shortened so far.
    public var shortened: ShortenedTexts {
        var texts = ShortenedTexts()
        texts.labelSets = labelSets.shortened
        texts.names = endpoints.shortened + services.shortened
        texts.policyTraces = policyTraces.shortened
        return texts
    }

    /// Evicts the texts of objects that no record used since the last call; must be called once per flush.
    public mutating func forgetUnused() {
        endpoints.forgetUnused()
        labelSets.forgetUnused()
        services.forgetUnused()
        policyTraces.forgetUnused()
        processes.forgetUnused()
    }

    /// Appends a record as a line.
    public mutating func encode(_ record: borrowing FlowRecord, into buffer: inout ByteBuffer) {
        let sourceText = endpointText(of: record.source)
        let destinationText = endpointText(of: record.destination)
        let sourceLabels = labelText(of: record.source)
        let destinationLabels = labelText(of: record.destination)
        let serviceText = serviceText(of: record)
        let policyText = policyText(of: record)
        if isExtended {
            renderDropReason(of: record)
            renderCause(of: record)
            renderContainer(of: record)
        }
        let processText = processText(of: record)
        let hasDomains = renderDomains(of: record)
        buffer.reserve(
            plan.maximumSize + sourceText.count + destinationText.count + (sourceLabels?.count ?? 0)
                + (destinationLabels?.count ?? 0) + (serviceText?.count ?? 0) + (policyText?.count ?? 0)
                + dropReason.count + cause.count + domains.count + processName.count + processArguments.count
                + (processText?.count ?? 0)
                + containerID.count + containerName.count
        )
        var cursor = buffer.cursor()
        for index in plan.steps.indices {
            let step = plan.steps[index]
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
            case .labels(.source): write(labels: sourceLabels, to: &cursor)
            case .labels(.destination): write(labels: destinationLabels, to: &cursor)
            case .service: write(service: serviceText, at: record.level, to: &cursor)
            case .natPorts where record.natOutgoingPorts.isEmpty: cursor.text(null)
            case .natPorts: write(record.natOutgoingPorts, to: &cursor)
            case .proto: cursor.text(protocols[Int(record.proto.rawValue)])
            case .action: cursor.text(record.action == .allow ? allow : deny)
            case .reporter: cursor.text(reporterText(record.reporter))
            case .policies: write(policies: policyText, to: &cursor)
            case .dropReason: write(dropReason, to: &cursor)
            case .causedBy: write(cause, to: &cursor)
            case .domains where hasDomains: write(domains, to: &cursor)
            case .domains: cursor.text(null)
            case .processName: write(processText?.first, or: processName, to: &cursor, insteadOfNone: dash)
            case .processArguments:
                write(processText?.second, or: processArguments, to: &cursor, insteadOfNone: noArguments)
            case .processID: writeProcessID(of: record, to: &cursor)
            case .tcpFlags: write(record.tcpFlags, to: &cursor)
            case .containerID: write(containerID, to: &cursor, insteadOfNone: dash)
            case .containerName: write(containerName, to: &cursor, insteadOfNone: dash)
            }
        }
        buffer.advance(to: cursor)
    }
}

// MARK: - Cached texts

extension JSONLineEncoder {
    // Objects are looked up by number, and accessed only to be rendered: reference counting would cost as much as the rest of
    // the lookup.

    private mutating func endpointText(of end: borrowing FlowRecord.End) -> CachedText {
        endpoints.text(of: end.endpoint.id) ?? endpoints.render(end.endpoint)
    }

    private mutating func labelText(of end: borrowing FlowRecord.End) -> CachedText? {
        guard let id = end.labels?.id else { return nil }
        if let text = labelSets.text(of: id) { return text }
        guard let labels = end.labels else { return nil }
        let text = labelSets.render(labels)
        if text.isShortened { lastShortened = end.endpoint }
        return text
    }

    private mutating func serviceText(of record: borrowing FlowRecord) -> CachedText? {
        guard let id = record.service?.id else { return nil }
        if let text = services.text(of: id) { return text }
        return record.service.map { services.render($0) }
    }

    private mutating func policyText(of record: borrowing FlowRecord) -> PolicyText? {
        guard let enforced = record.policies?.enforced.id, let pending = record.policies?.pending.id,
            let start = policyTraces.text(of: enforced) ?? record.policies.map({ policyTraces.render($0.enforced) })
        else { return nil }
        if enforced == pending { return PolicyText(enforced: start.first, pending: start.second) }
        guard let now = policyTraces.text(of: pending) ?? record.policies.map({ policyTraces.render($0.pending) })
        else { return nil }
        return PolicyText(enforced: start.first, pending: now.second)
    }

    private func reporterText(_ reporter: FlowReporter) -> ShortText {
        switch reporter {
        case .source: source
        case .destination: destination
        case .forward: forward
        }
    }

    private mutating func renderDropReason(of record: borrowing FlowRecord) {
        dropReason.removeAll()
        if let reason = record.drops?.reason { _ = dropReason.appendJSON(reason.name, limit: RecordLimits.nameBytes) }
    }

    /// Renders domain names; returns whether there are any that fit.
    private mutating func renderDomains(of record: borrowing FlowRecord) -> Bool {
        guard !record.domains.isEmpty else { return false }
        if record.domains == renderedDomains { return !domains.isEmpty }
        renderedDomains = record.domains
        domains.removeAll()
        domains.append(UInt8(ascii: "["))
        let names = record.domains.prefix(FlowRecord.domainLimit)
        guard domains.appendElements(names, limit: RecordLimits.domainBytes) < names.count else {
            domains.removeAll()
            return false
        }
        domains.append(UInt8(ascii: "]"))
        return true
    }

    private mutating func renderCause(of record: borrowing FlowRecord) {
        cause.removeAll()
        guard let texts = record.cause?.texts else { return }
        cause.appendList(texts.prefix(ChangeCause.mostTexts), limit: RecordLimits.causeBytes)
    }
}

extension JSONLineEncoder {
    // Reading `processes` as a whole would copy it.

    /// Returns the texts of the only process of a record; nil if none is known, or if there are several, whose texts are rendered.
    private mutating func processText(of record: borrowing FlowRecord) -> CachedText? {
        processName.removeAll()
        processArguments.removeAll()
        guard record.processes != nil else { return nil }
        if let only = record.processes?.only { return processes.text(of: only.number) ?? processes.render(only) }
        _ = processName.appendJSON(record.processes?.name?.text ?? "*", limit: RecordLimits.nameBytes)
        guard let texts = record.processes?.arguments, !texts.isEmpty else { return nil }
        processArguments.appendList(texts.prefix(FlowProcesses.argumentLimit), limit: RecordLimits.argumentBytes)
        return nil
    }

    private mutating func renderContainer(of record: borrowing FlowRecord) {
        containerID.removeAll()
        containerName.removeAll()
        guard let id = record.containerID else { return }
        _ = containerID.appendJSON(id, limit: RecordLimits.nameBytes)
        if let name = record.containerName { _ = containerName.appendJSON(name, limit: RecordLimits.nameBytes) }
    }

    private func writeProcessID(of record: borrowing FlowRecord, to cursor: inout ByteCursor) {
        guard record.processes != nil else { return cursor.text(dash) }
        guard let id = record.processes?.id else { return cursor.text(several) }
        cursor.byte(UInt8(ascii: "\""))
        cursor.decimal(UInt64(id))
        cursor.byte(UInt8(ascii: "\""))
    }
}

/// The places of the two halves of the policies object, which may be from different traces.
private struct PolicyText {
    /// The beginning of the object, with the enforced hits.
    let enforced: Range<Int>
    /// The end of the object, with the pending hits.
    let pending: Range<Int>

    /// The bytes of the object.
    var count: Int { enforced.count + pending.count }
}

// MARK: - Values

extension JSONLineEncoder {
    private func write(_ member: IntegerMember, of record: borrowing FlowRecord, to cursor: inout ByteCursor) {
        switch member {
        case .startTime: cursor.decimal(record.startTime)
        case .endTime: cursor.decimal(record.endTime)
        case .bytesIn: cursor.decimal(record.ended.inbound.bytes)
        case .bytesOut: cursor.decimal(record.ended.outbound.bytes)
        case .packetsIn: cursor.decimal(record.ended.inbound.packets)
        case .packetsOut: cursor.decimal(record.ended.outbound.packets)
        case .flows: cursor.decimal(record.flows.total)
        case .flowsStarted: cursor.decimal(record.flows.started)
        case .flowsCompleted: cursor.decimal(record.flows.completed)
        case .transitBytesIn: cursor.decimal(record.forwarded.inbound.bytes)
        case .transitBytesOut: cursor.decimal(record.forwarded.outbound.bytes)
        case .transitPacketsIn: cursor.decimal(record.forwarded.inbound.packets)
        case .transitPacketsOut: cursor.decimal(record.forwarded.outbound.packets)
        case .droppedPacketsIn: cursor.decimal(record.drops?.inbound ?? 0)
        case .droppedPacketsOut: cursor.decimal(record.drops?.outbound ?? 0)
        case .meanWindow: cursor.decimal(record.tcp?.window.mean ?? 0)
        case .smallestWindow: cursor.decimal(UInt64(record.tcp?.window.smallest ?? 0))
        case .meanRTT: cursor.decimal(record.tcp?.rtt.mean ?? 0)
        case .largestRTT: cursor.decimal(UInt64(record.tcp?.rtt.largest ?? 0))
        case .meanMinRTT: cursor.decimal(record.minRTT.mean)
        case .largestMinRTT: cursor.decimal(UInt64(record.minRTT.largest))
        case .meanMSS: cursor.decimal(record.tcp?.mss.mean ?? 0)
        case .smallestMSS: cursor.decimal(UInt64(record.tcp?.mss.smallest ?? 0))
        case .processNames: cursor.decimal(UInt64(record.processes?.nameCount ?? 0))
        case .processes: cursor.decimal(UInt64(record.processes?.count ?? 0))
        case .processArguments: cursor.decimal(UInt64(record.processes?.argumentCount ?? 0))
        case .retransmissions: cursor.decimal(record.tcp?.retransmissions ?? 0)
        case .lostPackets: cursor.decimal(record.tcp?.lost ?? 0)
        case .timeouts: cursor.decimal(record.tcp?.timeouts ?? 0)
        case .meanConnectTime: cursor.decimal(record.handshakes?.connect.mean ?? 0)
        case .meanLookup: cursor.decimal(record.lookups?.mean ?? 0)
        case .meanHandshakeRTT: cursor.decimal(record.handshakes?.rtt.mean ?? 0)
        }
    }

    private func write(_ address: IPAddress?, to cursor: inout ByteCursor) {
        guard let address else { return cursor.text(null) }
        cursor.byte(UInt8(ascii: "\""))
        cursor.address(address)
        cursor.byte(UInt8(ascii: "\""))
    }

    /// Writes a port; ICMP has none in this format, regardless of the record, while ICMPv6 has its type and code.
    private func write(_ port: UInt16?, of proto: IPProtocol, to cursor: inout ByteCursor) {
        guard let port, proto != icmp else { return cursor.text(null) }
        cursor.decimal(UInt64(port))
    }

    private func write(_ flags: TCPFlags, to cursor: inout ByteCursor) {
        guard !flags.isEmpty else { return cursor.text(null) }
        var separator = UInt8(ascii: "[")
        for (bit, name) in TCPFlags.names.enumerated() where flags.rawValue & 1 << bit != 0 {
            cursor.byte(separator)
            cursor.byte(UInt8(ascii: "\""))
            for byte in name.utf8 { cursor.byte(byte) }
            cursor.byte(UInt8(ascii: "\""))
            separator = UInt8(ascii: ",")
        }
        cursor.byte(UInt8(ascii: "]"))
    }

    /// Writes at most as many ports as a record may have; there is no space for more.
    private func write(_ ports: [UInt16], to cursor: inout ByteCursor) {
        var separator = UInt8(ascii: "[")
        for port in ports.prefix(FlowRecord.natOutgoingPortLimit) {
            cursor.byte(separator)
            cursor.decimal(UInt64(port))
            separator = UInt8(ascii: ",")
        }
        cursor.byte(UInt8(ascii: "]"))
    }

    private func write(
        _ member: EndpointMember,
        of text: CachedText,
        at level: AggregationLevel,
        to cursor: inout ByteCursor
    ) {
        let part: Range<Int>
        switch member {
        case .kind:
            return cursor.text(text.short)
        case .name:
            guard level < .podPrefix else { return cursor.text(dash) }
            part = text.first
        case .aggregatedName:
            part = text.second
        case .namespace:
            part = text.third
        }
        unsafe cursor.copy(endpoints.bytes.address(of: part.lowerBound), count: part.count)
    }

    private func write(labels text: CachedText?, to cursor: inout ByteCursor) {
        guard let text else { return cursor.text(null) }
        unsafe cursor.copy(labelSets.bytes.address(of: text.offset), count: text.count)
    }

    private func write(service text: CachedText?, at level: AggregationLevel, to cursor: inout ByteCursor) {
        guard let text else {
            for byte in noService { cursor.byte(byte) }
            return
        }
        let part = level < .noDestinationPort ? text.first : text.second
        unsafe cursor.copy(services.bytes.address(of: part.lowerBound), count: part.count)
    }

    private func write(policies text: PolicyText?, to cursor: inout ByteCursor) {
        guard let text else { return cursor.text(null) }
        let (enforced, pending) = (text.enforced, text.pending)
        unsafe cursor.copy(policyTraces.bytes.address(of: enforced.lowerBound), count: enforced.count)
        unsafe cursor.copy(policyTraces.bytes.address(of: pending.lowerBound), count: pending.count)
    }

    /// Writes a text of the current record, or null if it is empty.
    private func write(_ text: borrowing ByteBuffer, to cursor: inout ByteCursor) {
        write(text, to: &cursor, insteadOfNone: null)
    }

    /// Writes a part of a process's texts, else a text that was rendered for this record, else another.
    private func write(
        _ part: Range<Int>?,
        or text: borrowing ByteBuffer,
        to cursor: inout ByteCursor,
        insteadOfNone none: ShortText
    ) {
        guard let part, !part.isEmpty else { return write(text, to: &cursor, insteadOfNone: none) }
        unsafe cursor.copy(processes.bytes.address(of: part.lowerBound), count: part.count)
    }

    private func write(_ text: borrowing ByteBuffer, to cursor: inout ByteCursor, insteadOfNone none: ShortText) {
        guard !text.isEmpty else { return cursor.text(none) }
        unsafe cursor.copy(text.address(of: 0), count: text.count)
    }
}

extension ByteBuffer {
    /// Appends a list of texts, at least one; each is truncated to a number of bytes of JSON.
    mutating func appendList(_ texts: ArraySlice<String>, limit: Int) {
        var separator = UInt8(ascii: "[")
        for text in texts {
            append(separator)
            _ = appendJSON(text, limit: limit)
            separator = UInt8(ascii: ",")
        }
        append(UInt8(ascii: "]"))
    }
}
