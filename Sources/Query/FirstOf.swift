/// The first elements in an order, of any number that are added one by one; twice as many are held at most.
package struct FirstOf<Element> {
    private let limit: Int
    private let precedes: (Element, Element) -> Bool
    private var found: [Element] = []

    /// Begins without elements.
    ///
    /// - Parameters:
    ///   - limit: how many elements are wanted.
    ///   - precedes: whether one element comes before another.
    package init(_ limit: Int, by precedes: @escaping (Element, Element) -> Bool) {
        (self.limit, self.precedes) = (limit, precedes)
    }

    /// Adds an element.
    ///
    /// - Returns: the elements that are not among the first, once there are enough of them.
    @discardableResult
    package mutating func add(_ element: Element) -> ArraySlice<Element> {
        found.append(element)
        return found.count >= 2 * limit + 64 ? cut() : []
    }

    /// Removes and returns the elements that are not among the first.
    package mutating func cut() -> ArraySlice<Element> {
        found.sort(by: precedes)
        let rest = found.dropFirst(limit)
        found = Array(found.prefix(limit))
        return rest
    }

    /// The first elements, in order.
    package var sorted: [Element] { Array(found.sorted(by: precedes).prefix(limit)) }
}
