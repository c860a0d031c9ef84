/// Numbers that wait for a few batches.
struct AwaitedNumbers {
    /// Batches that a number waits for: the rest of its scan, and the next one.
    static let batches = 3

    private var recent: [[UInt32]] = [[]]

    /// Lets a number of this batch wait.
    mutating func append(_ number: UInt32) {
        recent[recent.count - 1].append(number)
    }

    /// Begins a batch.
    ///
    /// - Returns: the numbers that have waited long enough.
    mutating func nextBatch() -> [UInt32] {
        recent.append([])
        return recent.count > Self.batches ? recent.removeFirst() : []
    }
}
