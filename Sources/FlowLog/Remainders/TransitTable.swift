import FlowModel

/// The traffic of flows that are not reported because neither end belongs to this node.
///
/// It is counted by the place of the flow's conversation, since it was last taken.
struct TransitTable {
    private var traffic: [TrafficCounters] = []
    /// Places with traffic; a place may be listed more than once.
    private var changed: [UInt32] = []

    /// Adds to the traffic of the flow at a place.
    mutating func add(_ more: TrafficCounters, at place: UInt32) {
        guard more != .zero else { return }
        while traffic.count <= Int(place) { traffic.append(.zero) }
        if traffic[Int(place)] == .zero { changed.append(place) }
        traffic[Int(place)] += more
    }

    /// Takes and resets the traffic of the flow at a place.
    mutating func take(_ place: UInt32) -> TrafficCounters {
        guard Int(place) < traffic.count else { return .zero }
        defer { traffic[Int(place)] = .zero }
        return traffic[Int(place)]
    }

    /// Takes and resets all traffic, by place; a place has zero traffic if it was taken before.
    mutating func takeAll() -> [(place: UInt32, traffic: TrafficCounters)] {
        let places = changed
        changed = []
        return places.map { ($0, take($0)) }
    }
}
