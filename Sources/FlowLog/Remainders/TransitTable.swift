import FlowModel

/// The traffic of flows that are not reported because neither end is this node's: since it was last taken, by the place of
/// their conversation.
struct TransitTable {
    private var traffic: [TrafficCounters] = []
    /// Places that carried something, some of them more than once.
    private var changed: [UInt32] = []

    /// Adds to the traffic of the flow at a place.
    mutating func add(_ more: TrafficCounters, at place: UInt32) {
        guard more != .zero else { return }
        while traffic.count <= Int(place) { traffic.append(.zero) }
        if traffic[Int(place)] == .zero { changed.append(place) }
        traffic[Int(place)] += more
    }

    /// Takes the traffic of the flow at a place.
    mutating func take(_ place: UInt32) -> TrafficCounters {
        guard Int(place) < traffic.count else { return .zero }
        defer { traffic[Int(place)] = .zero }
        return traffic[Int(place)]
    }

    /// Takes the places that carried something, each with its traffic, or with none where it was taken before.
    mutating func takeAll() -> [(place: UInt32, traffic: TrafficCounters)] {
        let places = changed
        changed = []
        return places.map { ($0, take($0)) }
    }
}
