import FlowModel

/// The properties that records must share to be folded into one.
struct RecordKey: Hashable {
    /// The value for no service, for no policies, and for a port that is folded away.
    static let none = UInt32.max

    /// The address of the initiator; nil where it is folded away.
    let sourceAddress: IPAddress?
    /// The address of the responder; nil where it is folded away.
    let destinationAddress: IPAddress?
    /// The number of the initiator's identity.
    let source: UInt32
    /// The number of the responder's identity.
    let destination: UInt32
    /// The number of the service's identity, or ``none``.
    let service: UInt32
    /// The number of the enforced policies' hits, or ``none``.
    let policies: UInt32
    /// The port of the initiator, or ``none``.
    let sourcePort: UInt32
    /// The port that was called, or ``none``.
    let destinationPort: UInt32
    /// The protocol above IP.
    let proto: IPProtocol
    /// The end that reports the flow.
    let reporter: FlowReporter
    /// Whether the packets were allowed or denied.
    let action: FlowAction
    /// The level of aggregation.
    let level: AggregationLevel
    /// The processes that own the sockets of the flows.
    var processes = Processes.unknown

    /// The processes that own the sockets of a folded record's flows.
    enum Processes: Hashable {
        /// The processes are not known, or not collected.
        case unknown
        /// Processes with this name.
        case named(ProcessName)
        /// Processes beyond those that have records of their own.
        case others
    }
}

/// Several records that are folded into one.
struct FoldedRecord {
    /// The sum so far; ``finished`` sets its number of flows.
    private(set) var record: FlowRecord
    /// The flush of the last record.
    private var flush: Int
    /// The number of distinct flows if all later ones are new: flows of the first flush, and flows that started since.
    private var total: UInt64
    /// The number of flows in the current flush, and the maximum of all earlier flushes.
    private var current: UInt64
    private var most: UInt64 = 0

    /// Starts with a record.
    init(_ record: consuming FlowRecord, flush: Int) {
        total = record.flows.total
        current = record.flows.total
        self.flush = flush
        self.record = record
    }

    /// Adds another record, of this flush or a later one.
    mutating func add(
        _ other: borrowing FlowRecord,
        flush: Int,
        isFirstFlush: Bool,
        _ intersections: inout LabelIntersections
    ) {
        record.startTime = min(record.startTime, other.startTime)
        record.endTime = max(record.endTime, other.endTime)
        record.inbound += other.inbound
        record.outbound += other.outbound
        record.flows.started += other.flows.started
        record.flows.completed += other.flows.completed
        // A connection that continues is in the records of both flushes.
        total += isFirstFlush ? other.flows.total : other.flows.started
        if flush != self.flush { (most, current, self.flush) = (max(most, current), 0, flush) }
        current += other.flows.total
        addNames(of: other, &intersections)
        addDrops(other.drops)
        if record.cause == nil, let cause = other.cause { record.cause = cause }
        addSockets(of: other)
    }

    private mutating func addSockets(of other: borrowing FlowRecord) {
        if let statistics = other.tcp {
            if record.tcp == nil { record.tcp = statistics } else { record.tcp?.add(statistics) }
        }
        if let processes = other.processes {
            if record.processes == nil { record.processes = processes } else { record.processes?.add(processes) }
        }
        record.handshakes.add(other.handshakes)
        record.lookups.add(other.lookups)
        record.tcpFlags.formUnion(other.tcpFlags)
        if record.namedContainer == nil { record.namedContainer = other.namedContainer }
    }

    /// The sum.
    var finished: FlowRecord {
        var finished = record
        finished.flows.total = max(total, current, most)
        return finished
    }

    private mutating func addNames(of other: borrowing FlowRecord, _ intersections: inout LabelIntersections) {
        record.source.labels = intersections.common(ifKnown: record.source.labels, other.source.labels)
        record.destination.labels = intersections.common(ifKnown: record.destination.labels, other.destination.labels)
        // The newest version of an endpoint has the most complete information.
        if other.source.endpoint.id > record.source.endpoint.id { record.source.endpoint = other.source.endpoint }
        if other.destination.endpoint.id > record.destination.endpoint.id {
            record.destination.endpoint = other.destination.endpoint
        }
        if let policies = other.policies { record.policies = policies }
        if !other.domains.isEmpty, record.domains != other.domains {
            record.domains = Array(Set(record.domains).union(other.domains).sorted().prefix(FlowRecord.domainLimit))
        }
        guard !other.natOutgoingPorts.isEmpty, record.natOutgoingPorts != other.natOutgoingPorts else { return }
        let ports = Set(record.natOutgoingPorts).union(other.natOutgoingPorts).sorted()
        record.natOutgoingPorts = Array(ports.prefix(FlowRecord.natOutgoingPortLimit))
    }

    private mutating func addDrops(_ other: FlowRecord.Drops?) {
        guard let other else { return }
        record.drops = FlowRecord.Drops(
            inbound: (record.drops?.inbound ?? 0) + other.inbound,
            outbound: (record.drops?.outbound ?? 0) + other.outbound,
            reason: other.reason
        )
    }
}

extension LabelIntersections {
    /// Returns the labels that both sets have; if one set is not known, the other one.
    fileprivate mutating func common(ifKnown one: LabelSet?, _ other: LabelSet?) -> LabelSet? {
        guard let one, let other else { return one ?? other }
        return common(one, other)
    }
}
