import FlowModel

/// Verdicts that wait to be taken; packets with the same addresses that matched the same rule share one entry.
///
/// A flood therefore makes few entries; their number has a limit.
struct VerdictLogTable {
    private struct Key: Hashable {
        var packets: TrackedConnection.Tuple
        var rule: ObjectIdentifier
    }

    private let capacity: Int
    private var places: [Key: Int] = [:]
    private var verdicts: [LoggedVerdict] = []

    /// Makes an empty table.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Adds a packet.
    ///
    /// - Parameters:
    ///   - packets: its addresses.
    ///   - rule: the rule that it matched.
    ///   - bytes: its length.
    ///   - connection: returns its connection; called until the connection is known.
    /// - Returns: false if there is no such entry yet and no room for another one.
    mutating func add(
        _ packets: TrackedConnection.Tuple,
        _ rule: LoggedRule,
        bytes: UInt64,
        connection: () -> TrackedConnection?
    ) -> Bool {
        let traffic = TrafficCounters(packets: 1, bytes: bytes)
        let key = Key(packets: packets, rule: ObjectIdentifier(rule))
        if let place = places[key] {
            verdicts[place].traffic += traffic
            if verdicts[place].connection == nil { verdicts[place].connection = connection() }
            return true
        }
        guard verdicts.count < capacity else { return false }
        places[key] = verdicts.count
        verdicts.append(LoggedVerdict(packets: packets, connection: connection(), rule: rule, traffic: traffic))
        return true
    }

    /// Takes the waiting verdicts.
    mutating func take() -> [LoggedVerdict] {
        guard !verdicts.isEmpty else { return [] }
        defer { verdicts = [] }
        places.removeAll(keepingCapacity: true)
        return verdicts
    }
}
