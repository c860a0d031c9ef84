import FlowModel

/// Verdicts that wait to be taken: packets with the same addresses that met the same rule are one.
///
/// So a flood makes few entries; there are at most so many as the table is made for.
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
    ///   - rule: the rule that it met.
    ///   - bytes: its length.
    ///   - connection: returns its connection; called until that is known.
    /// - Returns: false if it is one of a new kind and there is no room for more of these.
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

    /// Gives away what waits.
    mutating func take() -> [LoggedVerdict] {
        guard !verdicts.isEmpty else { return [] }
        defer { verdicts = [] }
        places.removeAll(keepingCapacity: true)
        return verdicts
    }
}
