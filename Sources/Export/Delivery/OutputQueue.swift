/// The queue of batches for a sink, in the order of submission, with a limit in bytes.
///
/// A batch counts until it is settled, so the limit bounds all bytes of an output. A batch that does not fit evicts batches of
/// higher ranks, the newest of the highest rank first.
struct OutputQueue {
    /// The maximum number of bytes.
    let limit: Int
    /// The number of bytes of unsettled batches.
    private(set) var bytes = 0
    private var lanes = [Lane](repeating: Lane(), count: RecordBatch.ranks)
    /// The number for the next batch.
    private(set) var nextNumber: UInt64 = 0

    /// The batches of one rank.
    private struct Lane {
        private struct Place {
            var number: UInt64
            var batch: RecordBatch
        }

        private var places: [Place] = []
        private var head = 0
        private(set) var bytes = 0

        /// The number of the oldest batch.
        var first: UInt64? { head < places.count ? places[head].number : nil }

        mutating func append(_ batch: RecordBatch, _ number: UInt64) {
            places.append(Place(number: number, batch: batch))
            bytes += batch.bytes.count
        }

        /// Removes and returns the oldest batch; amortized O(1).
        mutating func takeFirst() -> RecordBatch {
            let batch = places[head].batch
            // Releases the bytes of the batch; the array keeps its own storage.
            places[head].batch = RecordBatch(bytes: [], records: 0, number: 0)
            head += 1
            if head == places.count {
                places.removeAll(keepingCapacity: places.count <= 1024)
                head = 0
            } else if head > 1024 {
                places.removeFirst(head)
                head = 0
            }
            bytes -= batch.bytes.count
            return batch
        }

        /// Removes and returns the newest batch; nil if there is none.
        mutating func takeLast() -> RecordBatch? {
            guard head < places.count, let batch = places.popLast()?.batch else { return nil }
            bytes -= batch.bytes.count
            return batch
        }
    }

    /// The number of the oldest batch; nil if there is none.
    var oldest: UInt64? { oldestLane.flatMap { lanes[$0].first } }

    /// The lane of the oldest batch; it is read often, so it does not allocate.
    private var oldestLane: Int? {
        var found: (lane: Int, number: UInt64)?
        for lane in lanes.indices {
            guard let number = lanes[lane].first, number < found?.number ?? .max else { continue }
            found = (lane, number)
        }
        return found?.lane
    }

    /// Makes an empty queue.
    init(limit: Int) {
        self.limit = limit
    }

    /// Whether a batch fits without evictions; never true for a batch larger than the queue.
    func hasRoom(for batch: RecordBatch) -> Bool {
        batch.bytes.count <= limit - bytes
    }

    /// Appends a batch, or rejects it.
    ///
    /// - Returns: whether it was appended, and the number of evicted records of higher ranks.
    mutating func append(_ batch: RecordBatch) -> (isAccepted: Bool, evicted: Int) {
        var evicted = 0
        if !hasRoom(for: batch) {
            let above = batch.rank + 1..<lanes.count
            let evictable = above.reduce(0) { $0 + lanes[$1].bytes }
            guard batch.bytes.count <= limit - bytes + evictable else { return (false, 0) }
            for rank in above.reversed() {
                while !hasRoom(for: batch), let given = lanes[rank].takeLast() {
                    bytes -= given.bytes.count
                    evicted += given.records
                }
            }
        }
        bytes += batch.bytes.count
        lanes[batch.rank].append(batch, nextNumber)
        nextNumber += 1
        return (true, evicted)
    }

    /// Removes and returns the oldest batch.
    mutating func take() -> RecordBatch? {
        oldestLane.map { lanes[$0].takeFirst() }
    }

    /// Frees the space of a batch that was taken and is settled.
    mutating func settle(bytes count: Int) {
        bytes -= count
    }

    /// Removes all batches and returns the number of their records.
    mutating func removeAll() -> Int {
        var records = 0
        while let batch = take() {
            bytes -= batch.bytes.count
            records += batch.records
        }
        return records
    }
}
