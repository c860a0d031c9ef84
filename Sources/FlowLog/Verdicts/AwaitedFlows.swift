/// Flows that wait for a few batches: for log entries of their first packets, or for the flow that they answer.
struct AwaitedFlows {
    /// The number of batches that a flow waits for: the rest of its scan, and the next scan.
    static let batches = 3

    private var recent: [[UInt32]] = [[]]

    /// Whether no flow waits.
    var isEmpty: Bool { recent.allSatisfy(\.isEmpty) }

    /// Adds a flow of the current batch.
    mutating func append(_ flowID: UInt32) {
        recent[recent.count - 1].append(flowID)
    }

    /// Begins a batch.
    ///
    /// - Returns: the flows whose wait is over.
    mutating func nextBatch() -> [UInt32] {
        recent.append([])
        return recent.count > Self.batches ? recent.removeFirst() : []
    }
}
