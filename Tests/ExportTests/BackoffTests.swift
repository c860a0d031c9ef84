import Testing

@testable import Export

/// Pauses, reports of loss and the queue: the parts that only count.
struct BackoffTests {
    @Test(arguments: [
        (0.0, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]),
        (1.0, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]),
        (0.5, [75, 150, 300, 600, 1200, 2400, 4800, 7500, 7500]),
    ])
    func doublesToALimit(chance: Double, milliseconds: [Int]) {
        var backoff = Backoff()
        for expected in milliseconds { #expect(backoff.next(chance: chance) == .milliseconds(expected)) }
        backoff.reset()
        #expect(backoff.next(chance: chance) == .milliseconds(milliseconds[0]))
    }

    @Test func lossIsReportedAtOnceThenWithDoublingPeriod() {
        var report = LossReport()
        let start = ContinuousClock.now
        var reports: [Int] = []
        // Ten records are lost every half second, for a minute.
        for step in 0..<120 {
            let now = start + .milliseconds(500 * step)
            report.add(10, now: now)
            if let lost = report.take(now: now) { reports.append(lost) }
        }
        // At 0 s, then after 1, 2, 4, 8, 16 s; the one after 32 s more is still due.
        #expect(reports == [10, 20, 40, 80, 160, 320])
        #expect(report.due == start + .seconds(63))
        #expect(report.take(now: start + .seconds(63)) == 120 * 10 - 630)
        #expect(report.due == nil)
        // After a quiet time the next loss is reported at once, and after a second again.
        let later = start + .seconds(1000)
        report.add(1, now: later)
        #expect(report.take(now: later) == 1)
        report.add(2, now: later)
        #expect(report.take(now: later) == nil)
        #expect(report.take(now: later + .seconds(1)) == 2)
    }

    @Test func queueRefusesWhatDoesNotFit() {
        func batch(_ size: Int) -> RecordBatch {
            RecordBatch(bytes: [UInt8](repeating: 10, count: size), records: size)
        }
        var queue = OutputQueue(limit: 10)
        #expect(queue.append(batch(11)) == false)
        #expect(queue.append(batch(6)) == true)
        #expect(queue.append(batch(4)) == true)
        #expect(queue.append(batch(1)) == false)
        #expect(queue.take()?.records == 6)
        // Taken is not settled: the room is still in use.
        #expect(queue.append(batch(1)) == false)
        queue.settle(bytes: 6)
        #expect(queue.append(batch(5)) == true)
        #expect(queue.removeAll() == 9)
        #expect(queue.bytes == 0)
        #expect(queue.take()?.records == nil)
    }

    @Test func queueKeepsItsOrderOverManyBatches() {
        var queue = OutputQueue(limit: 1 << 20)
        var next = 0
        for number in 0..<10_000 {
            #expect(queue.append(RecordBatch(bytes: [], records: number)) == true)
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
}
