import FlowModel

/// The denied part of a flow's packets, compared with the interface's counts.
///
/// A denied packet is reported twice: when it is counted, and when it is dropped. The drop may be read one scan before the
/// count; it is owed then, and subtracted from the next count.
struct DenialBalance {
    /// Denied packets that were not found among counted packets yet.
    private(set) var owed = TrafficCounters.zero

    /// Takes in denied packets that are, or will be, among the counted ones.
    mutating func deny(_ traffic: TrafficCounters) {
        owed += traffic
    }

    /// Drops denied packets that will not be counted.
    mutating func forgive(_ traffic: TrafficCounters) {
        owed = owed.subtracting(traffic)
    }

    /// Splits counted packets into denied and forwarded ones.
    ///
    /// - Parameters:
    ///   - counted: packets of one direction.
    ///   - isDenied: whether the flow was denied so far; a packet whose bytes only were seen has the same verdict.
    ///   - later: the packets behind the counted ones, which will be counted next: where packets were allowed before, the
    ///     denied ones are the last of all.
    /// - Returns: both parts; their sum is the counted traffic.
    mutating func split(
        _ counted: TrafficCounters,
        isDenied: Bool,
        later: TrafficCounters = .zero
    ) -> (allowed: TrafficCounters, denied: TrafficCounters) {
        guard counted.packets > 0 else {
            return isDenied || owed.packets > 0 ? (.zero, counted) : (counted, .zero)
        }
        guard owed.packets > later.packets else { return (counted, .zero) }
        let due = owed.subtracting(later)
        let packets = min(due.packets, counted.packets)
        // Where all packets are denied, their bytes are exactly the counted bytes.
        let bytes = packets == counted.packets ? counted.bytes : min(due.bytes, counted.bytes)
        let denied = TrafficCounters(packets: packets, bytes: bytes)
        owed = owed.packets == packets ? .zero : owed.subtracting(denied)
        return (counted.subtracting(denied), denied)
    }
}
