import FlowModel

/// The labels that two label sets have in common, cached from interval to interval.
///
/// The same two sets give the same object as long as they are requested in every interval, so that encoders render it once. A
/// pair that is not requested in an interval is forgotten at the end of the next one.
struct LabelIntersections {
    /// The ids of two sets, whatever their order.
    private struct Pair: Hashable {
        let smaller: UInt64
        let larger: UInt64
    }

    private var recent: [Pair: LabelSet] = [:]
    private var former: [Pair: LabelSet] = [:]

    /// The number of cached results.
    var count: Int { recent.count + former.count }

    /// The labels that both sets have.
    mutating func common(_ one: LabelSet, _ other: LabelSet) -> LabelSet {
        if one === other { return one }
        let key = Pair(smaller: min(one.id, other.id), larger: max(one.id, other.id))
        if let known = recent[key] { return known }
        let result = former[key] ?? one.intersection(other)
        recent[key] = result
        return result
    }

    /// Forgets pairs that were not requested in the interval that ends.
    mutating func beginInterval() {
        swap(&recent, &former)
        recent.removeAll(keepingCapacity: true)
    }
}
