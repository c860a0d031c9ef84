public import FlowModel

/// Connections that policies decide otherwise than the datapath did.
public struct VerdictMismatch: Sendable {
    /// The end that began the connection.
    public let source: Endpoint
    /// The end that was called.
    public let destination: Endpoint
    /// The port that was called; for ICMP type and code.
    public let destinationPort: UInt16
    /// The protocol above IP.
    public let proto: IPProtocol
    /// Whose view it is.
    public let reporter: FlowReporter
    /// The verdict of the policies.
    public let expected: PolicyTrace
    /// What the datapath did.
    public let observed: FlowAction
    /// Why the datapath dropped the packets; nil if it did not.
    public let reason: DropReason?
    /// How many connections these were.
    public internal(set) var connections: UInt64
}

/// Counts disagreements of policies and datapath, by pair of endpoints.
struct VerdictMismatches {
    private struct Key: Hashable {
        let source: Endpoint.Identity
        let destination: Endpoint.Identity
        let destinationPort: UInt16
        let proto: IPProtocol
        let reporter: FlowReporter
        let expected: UInt64
        let observed: FlowAction
    }

    /// The most pairs that are kept apart between two takes; further ones are only counted.
    private static let limit = 1024

    /// The mismatches that were found, each with its first connection.
    private var recent: [Key: (mismatch: VerdictMismatch, example: ResolvedFlow)] = [:]
    /// What was found and confirmed since the last take.
    private var confirmed: [VerdictMismatch] = []
    /// Connections that policies allow and the datapath denied, since the beginning.
    private(set) var denied: UInt64 = 0
    /// Connections that policies deny and the datapath allowed, since the beginning.
    private(set) var allowed: UInt64 = 0

    /// Notes a connection that policies decide otherwise than was observed.
    mutating func note(_ connection: ResolvedFlow, reason: DropReason?) {
        guard let expected = connection.policies else { return }
        let key = Key(
            source: connection.source.owner.identity(inDetail: false),
            destination: connection.destination.owner.identity(inDetail: false),
            destinationPort: connection.packets.destinationPort,
            proto: connection.proto,
            reporter: connection.reporter,
            expected: expected.id,
            observed: connection.action
        )
        if recent[key] == nil {
            // What there is no room for is counted.
            guard recent.count < Self.limit else { return count(1, connection.action) }
            let mismatch = VerdictMismatch(
                source: connection.source.owner,
                destination: connection.destination.owner,
                destinationPort: key.destinationPort,
                proto: connection.proto,
                reporter: connection.reporter,
                expected: expected,
                observed: connection.action,
                reason: reason,
                connections: 0
            )
            recent[key] = (mismatch, connection)
        }
        recent[key]?.mismatch.connections += 1
    }

    /// Confirms the mismatches noted since the last call for which a predicate still holds; the others are dropped.
    mutating func confirm(where isSo: (ResolvedFlow) -> Bool) {
        for (mismatch, example) in recent.values where isSo(example) {
            count(mismatch.connections, mismatch.observed)
            if confirmed.count < Self.limit { confirmed.append(mismatch) }
        }
        recent.removeAll(keepingCapacity: true)
    }

    /// What was confirmed since the last time, in no order.
    mutating func take() -> [VerdictMismatch] {
        defer { confirmed.removeAll(keepingCapacity: true) }
        return confirmed
    }

    private mutating func count(_ connections: UInt64, _ observed: FlowAction) {
        if observed == .deny { denied += connections } else { allowed += connections }
    }
}
