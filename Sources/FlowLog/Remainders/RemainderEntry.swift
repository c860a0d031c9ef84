import FlowModel

/// The remainder of one endpoint.
struct RemainderEntry {
    /// The key of the remainder.
    let key: RemainderKey
    /// The number of datapath flows that count for it.
    var flowCount: UInt32 = 0
    /// The traffic that the endpoint sent.
    private var sent = RemainderSide()
    /// The traffic that the endpoint received.
    private var got = RemainderSide()
    private var owner: Endpoint?
    /// An address of the endpoint; nil if none is certain.
    private var address: IPAddress?

    /// Creates an entry without traffic.
    init(key: RemainderKey) {
        self.key = key
    }

    /// Whether nothing is left to count or report.
    var isOver: Bool { flowCount == 0 && sent.isEmpty && got.isEmpty }

    /// Sets the endpoint, if it is known.
    mutating func learn(_ local: FlowEndpoint?, isAddressCertain: Bool) {
        guard let local else { return }
        if owner == nil || isAddressCertain { owner = local.owner }
        if isAddressCertain { address = local.address }
    }

    /// Adds traffic that the endpoint sent and received.
    mutating func add(sent: TrafficCounters, got: TrafficCounters) {
        self.sent.counted += sent
        self.got.counted += got
    }

    /// Adds denied packets.
    ///
    /// - Parameters:
    ///   - counted: denied packets that are, or will be, among the counted packets.
    ///   - uncounted: denied packets that are counted nowhere else.
    ///   - direction: whether the endpoint sent the packets (source), or was to receive them (destination).
    ///   - reason: the last decision.
    mutating func deny(
        counted: TrafficCounters,
        uncounted: TrafficCounters,
        _ direction: FlowReporter,
        _ reason: DropReason?
    ) {
        change(direction) { side in
            side.balance.deny(counted)
            side.denied += uncounted
            side.reason = reason ?? side.reason
        }
    }

    /// Adds packets that were dropped without a decision.
    mutating func drop(sent: UInt64, got: UInt64, _ reason: DropReason) {
        if sent > 0 { self.sent.drop(sent, reason) }
        if got > 0 { self.got.drop(got, reason) }
    }

    /// Ends the interval of one direction.
    mutating func endInterval(of direction: FlowReporter) -> (verdicts: [RemainderPart], forgiven: UInt64) {
        change(direction) { $0.endInterval() }
    }

    /// Returns the current endpoint, which may have become known, in its newest version.
    func resolved(by resolver: any EndpointResolver) -> (owner: Endpoint, address: IPAddress?) {
        guard let owner else { return (.unknown, nil) }
        guard let address else { return (owner, nil) }
        if owner.kind == .network { return (resolver.endpoints(source: address, destination: address).source, address) }
        return (resolver.refreshed(owner, at: address), address)
    }

    private mutating func change<Value>(_ direction: FlowReporter, _ body: (inout RemainderSide) -> Value) -> Value {
        direction == .source ? body(&sent) : body(&got)
    }
}

/// The traffic that an endpoint sent, or the traffic that it received.
struct RemainderSide {
    /// All counted packets.
    var counted = TrafficCounters.zero
    /// Denied packets that are counted nowhere else.
    var denied = TrafficCounters.zero
    /// Denied packets among the counted packets.
    var balance = DenialBalance()
    /// The last decision.
    var reason: DropReason?
    /// Denied packets that were not yet subtracted from counted packets at the end of the previous interval.
    private var overdue = TrafficCounters.zero
    private var dropped: UInt64 = 0
    private var dropReason: DropReason?

    /// Whether nothing is left to report or to subtract.
    var isEmpty: Bool { counted == .zero && denied == .zero && dropped == 0 && balance.owed == .zero }

    /// Adds packets that were dropped without a decision.
    mutating func drop(_ packets: UInt64, _ reason: DropReason) {
        dropped += packets
        dropReason = reason
    }

    /// Ends the interval.
    ///
    /// Denied packets of one interval may be counted in the next one, but not later: then a flow has counted them.
    ///
    /// - Returns: the allowed and the denied part, and the number of denied packets that were not found among counted packets.
    mutating func endInterval() -> (verdicts: [RemainderPart], forgiven: UInt64) {
        let (allowed, found) = balance.split(counted, isDenied: false)
        let forgiven = overdue.subtracting(found)
        balance.forgive(forgiven)
        overdue = balance.owed
        let parts = [
            RemainderPart(action: .allow, traffic: allowed, dropped: dropped, reason: dropReason),
            RemainderPart(action: .deny, traffic: found + denied, dropped: (found + denied).packets, reason: reason),
        ]
        (counted, denied, dropped) = (.zero, .zero, 0)
        return (parts, forgiven.packets)
    }
}

/// The content of one record of a remainder.
struct RemainderPart {
    /// Whether the packets were allowed or denied.
    let action: FlowAction
    /// The packets.
    let traffic: TrafficCounters
    /// The number of these packets that were dropped.
    let dropped: UInt64
    /// The reason for the drops.
    let reason: DropReason?

    /// Whether it is empty.
    var isEmpty: Bool { traffic == .zero && dropped == 0 }
}
