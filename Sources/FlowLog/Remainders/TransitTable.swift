import FlowModel

/// The traffic of flows that are not reported because neither end is this node's: since it was last taken, by the place of
/// their conversation.
struct TransitTable {
    private var traffic: [TrafficCounters] = []
    /// Places that carried something, some of them more than once.
    private var changed: [UInt32] = []

    /// Adds to what the flow at a place carried.
    mutating func add(_ more: TrafficCounters, at place: UInt32) {
        guard more != .zero else { return }
        while traffic.count <= Int(place) { traffic.append(.zero) }
        if traffic[Int(place)] == .zero { changed.append(place) }
        traffic[Int(place)] += more
    }

    /// Takes what the flow at a place carried.
    mutating func take(_ place: UInt32) -> TrafficCounters {
        guard Int(place) < traffic.count else { return .zero }
        defer { traffic[Int(place)] = .zero }
        return traffic[Int(place)]
    }

    /// Takes the places that carried something, each with what it was, or with nothing where it was taken before.
    mutating func takeAll() -> [(place: UInt32, traffic: TrafficCounters)] {
        let places = changed
        changed = []
        return places.map { ($0, take($0)) }
    }
}
