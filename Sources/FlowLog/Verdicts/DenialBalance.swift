import FlowModel

/// The number of a flow's denied packets that must still be subtracted from the interface's counts.
///
/// A denied packet is reported twice: when the interface counts it, and when it is dropped. The drop may be read one scan
/// before the count. It is then owed, and subtracted from the next count.
struct DenialBalance {
    /// Denied packets that were not yet found among counted packets.
    private(set) var owed = TrafficCounters.zero

    /// Adds denied packets that are, or will be, among the counted packets.
    mutating func deny(_ traffic: TrafficCounters) {
        owed += traffic
    }

    /// Removes owed packets that will not be counted.
    mutating func forgive(_ traffic: TrafficCounters) {
        owed = owed.subtracting(traffic)
    }

    /// Splits counted packets into denied and forwarded ones.
    ///
    /// - Parameters:
    ///   - counted: the counted packets of one direction.
    ///   - isDenied: whether the flow was denied so far; bytes without packets get the same verdict.
    ///   - later: packets that will be in the next count. If packets were allowed before, the denied ones are the last of all.
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
        // If all packets are denied, the denied bytes are exactly the counted bytes.
        let bytes = packets == counted.packets ? counted.bytes : min(due.bytes, counted.bytes)
        let denied = TrafficCounters(packets: packets, bytes: bytes)
        owed = owed.packets == packets ? .zero : owed.subtracting(denied)
        return (counted.subtracting(denied), denied)
    }
}
