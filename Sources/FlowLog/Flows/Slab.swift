/// Values under small numbers, which stay the same until the value is removed; numbers of removed values are reused.
///
/// The memory is one contiguous array, into which an index can point. All operations are O(1).
struct Slab<Element> {
    private var elements: [Element] = []
    private var free: [UInt32] = []

    /// The number of values.
    var count: Int { elements.count - free.count }

    /// Every identifier in use is below this.
    var limit: UInt32 { UInt32(truncatingIfNeeded: elements.count) }

    /// The value under a number in use.
    subscript(number: UInt32) -> Element {
        // Values of hundreds of bytes are read and changed in place, a few bytes at a time.
        _read { yield elements.span[Int(number)] }
        _modify { yield &elements[Int(number)] }
    }

    /// Adds a value and returns its number: the one that was freed last, else the next one.
    mutating func insert(_ element: Element) -> UInt32 {
        if let number = free.popLast() {
            elements[Int(number)] = element
            return number
        }
        elements.append(element)
        return UInt32(truncatingIfNeeded: elements.count - 1)
    }

    /// Frees a number; the value remains in memory until the number is reused.
    mutating func remove(_ number: UInt32) {
        free.append(number)
    }

    /// Whether most of the memory belongs to removed values.
    var isSparse: Bool { elements.count > 4 * count + 4096 }

    /// Moves values to the lowest numbers, in order, and frees unused memory; O(``limit``).
    ///
    /// - Returns: the new numbers, by former number; `UInt32.max` for numbers that were not in use.
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
