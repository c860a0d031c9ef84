import Testing

@testable import Export

/// The queue of an output: bounded, in order, and fair.
struct OutputQueueTests {
    private func batch(_ size: Int, rank: Int = 0) -> RecordBatch {
        RecordBatch(bytes: [UInt8](repeating: 10, count: size), records: size, rank: rank)
    }

    @Test func rejectsBatchOverLimit() {
        var queue = OutputQueue(limit: 10)
        #expect(queue.append(batch(11)) == (false, 0))
        #expect(queue.append(batch(6)) == (true, 0))
        #expect(queue.append(batch(4)) == (true, 0))
        #expect(queue.append(batch(1)) == (false, 0))
        #expect(queue.take()?.records == 6)
        // A taken batch occupies its room until it is settled.
        #expect(queue.append(batch(1)) == (false, 0))
        queue.settle(bytes: 6)
        #expect(queue.append(batch(5)) == (true, 0))
        #expect(queue.removeAll() == 9)
        #expect(queue.bytes == 0)
        #expect(queue.take()?.records == nil)
    }

    @Test func keepsOrderAcrossRanks() {
        var queue = OutputQueue(limit: 1 << 20)
        var next = 0
        for number in 0..<10_000 {
            let batch = RecordBatch(bytes: [], records: number, rank: number % RecordBatch.ranks)
            #expect(queue.append(batch) == (true, 0))
            guard number % 3 == 2 else { continue }
            for _ in 0..<2 {
                #expect(queue.take()?.records == next)
                next += 1
            }
        }
        while let batch = queue.take() {
            #expect(batch.records == next)
            next += 1
        }
        #expect(next == 10_000)
    }

    /// The queued items (size and rank), the new ones, and those that remain, oldest first.
    struct Pressure: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var queued: [(Int, Int)]
        var comes: (Int, Int)
        var isAccepted: Bool
        var evicted: Int
        var left: [Int]
    }

    @Test(arguments: [
        Pressure(
            testDescription: "bulk makes room for little",
            queued: [(4, 4), (6, 4)],
            comes: (1, 0),
            isAccepted: true,
            evicted: 6,
            left: [4, 1]
        ),
        Pressure(
            testDescription: "the highest rank first, its newest first",
            queued: [(3, 1), (2, 4), (2, 4), (3, 3)],
            comes: (3, 0),
            isAccepted: true,
            evicted: 4,
            left: [3, 3, 3]
        ),
        Pressure(
            testDescription: "equals do not give way",
            queued: [(5, 2), (5, 2)],
            comes: (1, 2),
            isAccepted: false,
            evicted: 0,
            left: [5, 5]
        ),
        Pressure(
            testDescription: "nor do those who write less",
            queued: [(5, 0), (5, 1)],
            comes: (1, 4),
            isAccepted: false,
            evicted: 0,
            left: [5, 5]
        ),
        Pressure(
            testDescription: "nobody gives way for nothing",
            queued: [(8, 0), (2, 4)],
            comes: (3, 1),
            isAccepted: false,
            evicted: 0,
            left: [8, 2]
        ),
        Pressure(
            testDescription: "there is room",
            queued: [(4, 4)],
            comes: (6, 0),
            isAccepted: true,
            evicted: 0,
            left: [4, 6]
        ),
    ])
    func fullQueueEvictsHigherRanks(_ row: Pressure) {
        var queue = OutputQueue(limit: 10)
        for (size, rank) in row.queued { #expect(queue.append(batch(size, rank: rank)).isAccepted) }
        let (isAccepted, evicted) = queue.append(batch(row.comes.0, rank: row.comes.1))
        #expect(isAccepted == row.isAccepted)
        #expect(evicted == row.evicted)
        #expect(queue.bytes == row.left.reduce(0, +))
        var left: [Int] = []
        while let batch = queue.take() { left.append(batch.records) }
        #expect(left == row.left)
    }

    /// A taken batch is being written, and stays.
    @Test func doesNotEvictTakenBatch() {
        var queue = OutputQueue(limit: 10)
        #expect(queue.append(batch(10, rank: 4)).isAccepted)
        #expect(queue.take()?.records == 10)
        #expect(queue.append(batch(1)) == (false, 0))
        queue.settle(bytes: 10)
        #expect(queue.append(batch(10)) == (true, 0))
    }
}
