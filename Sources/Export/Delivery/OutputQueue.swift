/// Batches that wait for the sink, in the order in which they came, bounded in bytes.
///
/// A batch that was taken counts until it is settled, so that the limit bounds all bytes that an output holds. A batch
/// that does not fit evicts batches of higher ranks, the newest of the highest rank first.
struct OutputQueue {
    /// The most bytes that may be held.
    let limit: Int
    /// The bytes that are held.
    private(set) var bytes = 0
    private var lanes = [Lane](repeating: Lane(), count: RecordBatch.ranks)
    /// The number that the next batch gets.
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

        /// Takes the oldest batch; amortized O(1).
        mutating func takeFirst() -> RecordBatch {
            let batch = places[head].batch
            // The array must not keep the bytes alive, and keeps its own room.
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

        /// Takes the newest batch; nil if there is none.
        mutating func takeLast() -> RecordBatch? {
            guard head < places.count, let batch = places.popLast()?.batch else { return nil }
            bytes -= batch.bytes.count
            return batch
        }
    }

    /// The number of the oldest batch that waits; nil if there is none.
    var oldest: UInt64? { oldestLane.flatMap { lanes[$0].first } }

    /// The lane of the oldest batch; without an allocation, because an output asks often.
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

    /// Whether a batch fits without evictions; a batch larger than the queue never does.
    func hasRoom(for batch: RecordBatch) -> Bool {
        batch.bytes.count <= limit - bytes
    }

    /// Appends a batch, or refuses it whole.
    ///
    /// - Returns: whether it was appended, and how many records of higher ranks were evicted.
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

    /// Takes the oldest batch.
    mutating func take() -> RecordBatch? {
        oldestLane.map { lanes[$0].takeFirst() }
    }

    /// Frees the room of a batch that was taken and is settled.
    mutating func settle(bytes count: Int) {
        bytes -= count
    }

    /// Takes everything out and returns the number of records.
    mutating func removeAll() -> Int {
        var records = 0
        while let batch = take() {
            bytes -= batch.bytes.count
            records += batch.records
        }
        return records
    }
}
