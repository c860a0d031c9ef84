/// Finds the smallest of nested ranges that contains a number, by binary search over sorted disjoint intervals.
struct IntervalIndex<Word: FixedWidthInteger & UnsignedInteger & Sendable>: Sendable {
    /// A range of numbers; two ranges are either disjoint, or one contains the other.
    struct Range {
        let first: Word
        let last: Word
        let value: Int32
    }

    private static var nothing: Int32 { -1 }

    private var starts: [Word] = []
    private var values: [Int32] = []

    /// Takes ranges without duplicates; O(n log n).
    init(_ ranges: [Range]) {
        var open: [Range] = []
        for range in ranges.sorted(by: { ($0.first, $1.last) < ($1.first, $0.last) }) {
            while let inner = open.last, inner.last < range.first { close(&open, inner) }
            begin(range.first, range.value)
            open.append(range)
        }
        while let inner = open.last { close(&open, inner) }
    }

    /// The value of the smallest range that contains a number; nil if there is none; O(log n).
    @inline(__always)
    func value(at word: Word) -> Int? {
        // The number of intervals that start at or before the number.
        var low = 0
        var count = starts.count
        while count > 0 {
            let half = count >> 1
            if starts[low + half] <= word {
                low += half + 1
                count -= half + 1
            } else {
                count = half
            }
        }
        guard low > 0, values[low - 1] != Self.nothing else { return nil }
        return Int(values[low - 1])
    }

    /// Ends the innermost range; the enclosing range continues after it.
    private mutating func close(_ open: inout [Range], _ inner: Range) {
        open.removeLast()
        guard inner.last < .max else { return }
        begin(inner.last + 1, open.last?.value ?? Self.nothing)
    }

    private mutating func begin(_ start: Word, _ value: Int32) {
        if starts.last == start {
            values[values.count - 1] = value
        } else if values.last != value {
            starts.append(start)
            values.append(value)
        }
    }
}
