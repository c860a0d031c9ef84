public import FlowModel

/// Connections for which the verdicts of policies and datapath differ.
public struct VerdictMismatch: Sendable {
    /// The initiator.
    public let source: Endpoint
    /// The responder.
    public let destination: Endpoint
    /// The destination port; for ICMP type and code.
    public let destinationPort: UInt16
    /// The protocol above IP.
    public let proto: IPProtocol
    /// The end that reports the flow.
    public let reporter: FlowReporter
    /// The verdict of the policies.
    public let expected: PolicyTrace
    /// The action of the datapath.
    public let observed: FlowAction
    /// The reason why the datapath dropped the packets; nil if it did not drop them.
    public let reason: DropReason?
    /// The number of such connections.
    public internal(set) var connections: UInt64
}

/// Counts mismatches between policies and datapath, by pair of endpoints.
struct VerdictMismatches {
    private struct Key: Hashable {
        let source: UInt32
        let destination: UInt32
        let destinationPort: UInt16
        let proto: IPProtocol
        let reporter: FlowReporter
        let expected: UInt64
        let observed: FlowAction
    }

    /// The maximum number of distinct mismatches between two calls of ``take()``; further ones are only counted.
    private static let limit = 1024

    /// The mismatches that are not confirmed yet, each with its first connection.
    private var recent: [(mismatch: VerdictMismatch, example: ResolvedFlow)] = []
    /// The index in ``recent`` of each mismatch.
    private var places: [Key: Int] = [:]
    private var endpoints = EndpointNumbers()
    /// The mismatches that were confirmed since the last call of ``take()``.
    private var confirmed: [VerdictMismatch] = []
    /// Connections that policies allow and the datapath denied, since the beginning.
    private(set) var denied: UInt64 = 0
    /// Connections that policies deny and the datapath allowed, since the beginning.
    private(set) var allowed: UInt64 = 0

    /// Adds a connection for which the verdicts differ.
    mutating func note(_ connection: ResolvedFlow, reason: DropReason?) {
        guard let expected = connection.policies else { return }
        let (source, destination) = (connection.source.owner, connection.destination.owner)
        let hasRoom = recent.count < Self.limit
        // Mismatches beyond the limit are only counted.
        guard let sourceNumber = endpoints.number(of: source, mayBeNew: hasRoom),
            let destinationNumber = endpoints.number(of: destination, mayBeNew: hasRoom)
        else { return count(1, connection.action) }
        let key = Key(
            source: sourceNumber,
            destination: destinationNumber,
            destinationPort: connection.packets.destinationPort,
            proto: connection.proto,
            reporter: connection.reporter,
            expected: expected.id,
            observed: connection.action
        )
        if let place = places[key] {
            recent[place].mismatch.connections += 1
            return
        }
        guard hasRoom else { return count(1, connection.action) }
        places[key] = recent.count
        let mismatch = VerdictMismatch(
            source: source,
            destination: destination,
            destinationPort: key.destinationPort,
            proto: connection.proto,
            reporter: connection.reporter,
            expected: expected,
            observed: connection.action,
            reason: reason,
            connections: 1
        )
        recent.append((mismatch, connection))
    }

    /// Confirms the mismatches since the last call for which a predicate still holds; drops the others.
    mutating func confirm(where isSo: (ResolvedFlow) -> Bool) {
        for (mismatch, example) in recent where isSo(example) {
            count(mismatch.connections, mismatch.observed)
            if confirmed.count < Self.limit { confirmed.append(mismatch) }
        }
        recent.removeAll(keepingCapacity: true)
        places.removeAll(keepingCapacity: true)
        endpoints = EndpointNumbers()
    }

    /// Returns the mismatches that were confirmed since the last call, in no order.
    mutating func take() -> [VerdictMismatch] {
        defer { confirmed.removeAll(keepingCapacity: true) }
        return confirmed
    }

    private mutating func count(_ connections: UInt64, _ observed: FlowAction) {
        if observed == .deny { denied += connections } else { allowed += connections }
    }
}

/// Numbers for endpoints; endpoints that records without full names do not distinguish have the same number.
///
/// Texts are hashed once per endpoint, not once per connection.
private struct EndpointNumbers {
    private var numbers: [Endpoint.Identity: UInt32] = [:]
    /// Numbers by endpoint id; cleared when there are too many.
    private var known: [UInt64: UInt32] = [:]

    private static let limit = 1 << 14

    /// Returns the number of an endpoint; nil if it has none and may not get a new one.
    mutating func number(of endpoint: Endpoint, mayBeNew: Bool) -> UInt32? {
        if let number = known[endpoint.id] { return number }
        let identity = endpoint.identity(inDetail: false)
        var number = numbers[identity]
        if number == nil, mayBeNew {
            number = UInt32(numbers.count)
            numbers[identity] = number
        }
        guard let number else { return nil }
        if known.count == Self.limit { known.removeAll(keepingCapacity: true) }
        known[endpoint.id] = number
        return number
    }
}
