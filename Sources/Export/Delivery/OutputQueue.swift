/// Batches that wait for the sink, bounded in bytes.
///
/// A batch that was taken still counts until it is settled, so that the limit bounds all that an output holds.
struct OutputQueue {
    /// The most bytes that may be held.
    let limit: Int
    /// The bytes that are held.
    private(set) var bytes = 0
    private var batches: [RecordBatch] = []
    private var head = 0

    /// Makes an empty queue.
    init(limit: Int) {
        self.limit = limit
    }

    /// Whether a batch fits; one that is larger than the whole queue never does.
    func hasRoom(for batch: RecordBatch) -> Bool {
        batch.bytes.count <= limit - bytes
    }

    /// Appends a batch, or refuses it whole if it does not fit.
    mutating func append(_ batch: RecordBatch) -> Bool {
        guard hasRoom(for: batch) else { return false }
        bytes += batch.bytes.count
        batches.append(batch)
        return true
    }

    /// Takes the oldest batch; amortized O(1).
    mutating func take() -> RecordBatch? {
        guard head < batches.count else { return nil }
        let batch = batches[head]
        // The slot must not keep the bytes alive.
        batches[head] = RecordBatch(bytes: [], records: 0)
        head += 1
        if head == batches.count || head > 1024 {
            batches.removeFirst(head)
            head = 0
        }
        return batch
    }

    /// Frees the room of a batch that was taken and is done with.
    mutating func settle(bytes count: Int) {
        bytes -= count
    }

    /// Takes everything out and returns the number of records.
    mutating func removeAll() -> Int {
        let waiting = batches[head...]
        bytes -= waiting.reduce(0) { $0 + $1.bytes.count }
        let records = waiting.reduce(0) { $0 + $1.records }
        batches = []
        head = 0
        return records
    }
}
