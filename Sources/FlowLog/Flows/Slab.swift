/// Values under small numbers, which they keep until they are removed; the numbers of removed ones are used again.
///
/// Memory is one array without gaps between values, into which an index can point. All operations are O(1).
struct Slab<Element> {
    private var elements: [Element] = []
    private var free: [UInt32] = []

    /// The number of values.
    var count: Int { elements.count - free.count }

    /// Every identifier in use is below this.
    var limit: UInt32 { UInt32(truncatingIfNeeded: elements.count) }

    /// The value under a number in use.
    subscript(number: UInt32) -> Element {
        get { elements[Int(number)] }
        // In place: values of hundreds of bytes are changed a few bytes at a time.
        _modify { yield &elements[Int(number)] }
    }

    /// Keeps a value and returns its number: the one that was freed last, else the next one.
    mutating func insert(_ element: Element) -> UInt32 {
        if let number = free.popLast() {
            elements[Int(number)] = element
            return number
        }
        elements.append(element)
        return UInt32(truncatingIfNeeded: elements.count - 1)
    }

    /// Frees a number; its value lingers until the number is used again.
    mutating func remove(_ number: UInt32) {
        free.append(number)
    }

    /// Whether most of the memory belongs to values that were removed.
    var isSparse: Bool { elements.count > 4 * count + 4096 }

    /// Moves values to the lowest numbers, in their order, and frees memory that is not needed any more; O(``limit``).
    ///
    /// - Returns: the new numbers by the former ones; of numbers that were not in use, `UInt32.max`.
    mutating func compact() -> [UInt32] {
        var moved = Array(repeating: UInt32(0), count: elements.count)
        for number in free { moved[Int(number)] = .max }
        var kept: [Element] = []
        kept.reserveCapacity(count)
        for number in moved.indices where moved[number] != .max {
            moved[number] = UInt32(truncatingIfNeeded: kept.count)
            kept.append(elements[number])
        }
        elements = kept
        free = []
        return moved
    }
}
