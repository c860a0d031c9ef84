/// Selects the first elements in an order from any number of added elements; stores at most twice as many.
package struct FirstOf<Element> {
    private let limit: Int
    private let precedes: (Element, Element) -> Bool
    private var found: [Element] = []

    /// Creates an empty selection.
    ///
    /// - Parameters:
    ///   - limit: the number of elements to keep.
    ///   - precedes: whether one element comes before another.
    package init(_ limit: Int, by precedes: @escaping (Element, Element) -> Bool) {
        (self.limit, self.precedes) = (limit, precedes)
    }

    /// Adds an element.
    ///
    /// - Returns: the elements that are discarded, if there are too many.
    @discardableResult
    package mutating func add(_ element: Element) -> ArraySlice<Element> {
        found.append(element)
        return found.count >= 2 * limit + 64 ? cut() : []
    }

    /// Removes and returns the elements that are not among the first ones.
    package mutating func cut() -> ArraySlice<Element> {
        found.sort(by: precedes)
        let rest = found.dropFirst(limit)
        found = Array(found.prefix(limit))
        return rest
    }

    /// The first elements, in order.
    package var sorted: [Element] { Array(found.sorted(by: precedes).prefix(limit)) }
}
