/// Flows that wait for a few batches: for log entries of their first packets, or for the flow that they answer.
struct AwaitedFlows {
    /// Batches that a flow waits for: the rest of its scan, and the next one.
    static let batches = 3

    private var recent: [[UInt32]] = [[]]

    /// Whether none waits.
    var isEmpty: Bool { recent.allSatisfy(\.isEmpty) }

    /// Adds a flow of this batch.
    mutating func append(_ flowID: UInt32) {
        recent[recent.count - 1].append(flowID)
    }

    /// Begins a batch.
    ///
    /// - Returns: the flows that have waited long enough.
    mutating func nextBatch() -> [UInt32] {
        recent.append([])
        return recent.count > Self.batches ? recent.removeFirst() : []
    }
}
