/// The ends of the last lines in a pipe; when its reader closes, lines that it did not read are lost.
struct PipeTail {
    /// The maximum number of bytes in a pipe, unless a privileged process has made it larger (`fs.pipe-max-size`).
    private static let limit = 1 << 20

    private var written = 0
    /// The offsets after line ends, ascending.
    private var ends: [Int] = []

    /// Adds bytes that were written.
    mutating func add(_ bytes: some Collection<UInt8>) {
        for byte in bytes {
            written += 1
            if byte == UInt8(ascii: "\n") { ends.append(written) }
        }
        // Old offsets are removed in bulk, and not on each write.
        if let first = ends.first, written - first > 2 * Self.limit {
            ends.removeAll { $0 < written - Self.limit }
        }
    }

    /// Returns the number of lines that end within the last bytes that were written.
    func lines(inLast bytes: Int) -> Int {
        ends.count - ends.partitioningIndex { $0 > written - bytes }
    }
}

extension [Int] {
    /// Returns the index of the first element that satisfies a condition; all elements after it must satisfy it, too.
    fileprivate func partitioningIndex(_ condition: (Int) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if condition(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
