import FlowModel

/// A cache of the labels that two label sets have in common, across intervals.
///
/// The result for the same two sets is the same object as long as it is requested in every interval, so that encoders render it
/// once. A pair that is not requested in an interval is removed at the end of the next one.
struct LabelIntersections {
    /// The ids of two sets, regardless of their order.
    private struct Pair: Hashable {
        let smaller: UInt64
        let larger: UInt64
    }

    private var recent: [Pair: LabelSet] = [:]
    private var former: [Pair: LabelSet] = [:]

    /// The number of cached results.
    var count: Int { recent.count + former.count }

    /// Returns the labels that both sets have.
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
