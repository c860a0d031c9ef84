import FlowModel

/// The properties that the entries in one record share.
struct RemainderGroup: Hashable {
    private let identity: Endpoint.Identity
    fileprivate let address: IPAddress?
    /// Whether the endpoint sent the packets (source) or received them (destination).
    fileprivate let direction: FlowReporter
    fileprivate let action: FlowAction
    fileprivate let level: AggregationLevel

    /// The group of an endpoint's packets of one direction and verdict.
    init(
        _ local: (owner: Endpoint, address: IPAddress?),
        _ direction: FlowReporter,
        _ action: FlowAction,
        _ level: AggregationLevel
    ) {
        let keepsAddresses = level < .podPrefix
        identity = local.owner.identity(inDetail: keepsAddresses)
        address = keepsAddresses ? local.address : nil
        self.direction = direction
        self.action = action
        self.level = level
    }
}

/// The sum of the entries in one record.
struct RemainderSum {
    private let owner: Endpoint
    private var labels: LabelSet?
    private var traffic = TrafficCounters.zero
    private var dropped: UInt64 = 0
    private var reason: DropReason?

    /// Starts with the owner of the first entry, which the record shows.
    init(_ owner: Endpoint) {
        self.owner = owner
        labels = owner.labels
    }

    /// Adds another entry's part.
    mutating func add(_ part: RemainderPart, of other: Endpoint, _ intersections: inout LabelIntersections) {
        traffic += part.traffic
        dropped += part.dropped
        reason = part.reason ?? reason
        if let labels, let others = other.labels { self.labels = intersections.common(labels, others) }
    }

    /// Returns the record: the endpoint is the end that sent or received the packets, and the other end is unknown.
    func record(of group: RemainderGroup, interval: ClosedRange<Int64>) -> FlowRecord {
        let local = FlowRecord.End(address: group.address, port: nil, endpoint: owner, labels: labels)
        let other = FlowRecord.End(address: nil, port: nil, endpoint: .unknown, labels: nil)
        let isSource = group.direction == .source
        let drops = reason.map {
            FlowRecord.Drops(inbound: isSource ? 0 : dropped, outbound: isSource ? dropped : 0, reason: $0)
        }
        return FlowRecord(
            startTime: interval.lowerBound,
            endTime: interval.upperBound,
            level: group.level,
            source: isSource ? local : other,
            destination: isSource ? other : local,
            proto: IPProtocol(rawValue: 0),
            action: group.action,
            reporter: group.direction,
            inbound: isSource ? .zero : traffic,
            outbound: isSource ? traffic : .zero,
            flows: FlowCounts(total: 0, started: 0, completed: 0),
            drops: drops
        )
    }
}
