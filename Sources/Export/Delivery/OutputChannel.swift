import Dispatch
import Posix
import Synchronization

/// The state shared by producers and the thread of an output.
final class OutputChannel: Sendable {
    private struct State {
        var queue: OutputQueue
        var statistics = OutputStatistics()
        var stopBy: ContinuousClock.Instant?
        /// The number of bytes of batches on disk.
        var spooledBytes = 0
        /// The number of lost records that were counted as delivered; as many later deliveries are not counted.
        var owed = 0
        var isClosed = false
        var isOpen = true
        var mustReopen = false
        /// The origin of the batches that are being submitted.
        var origin = BatchOrigin.none
        /// The last committed flush.
        var lastFlush = BatchOrigin.none
        /// Calls that are due when all batches with lower numbers are settled.
        var marks: [(number: UInt64, body: @Sendable () -> Void)] = []
    }

    private let state: Mutex<State>
    private let closed = DispatchGroup()
    /// Wakes a waiting producer.
    ///
    /// It is not a semaphore, because timed waits of semaphores use the wall clock.
    private let settled: Wakeup
    /// Wakes the output's thread.
    let wakeup: Wakeup

    /// Creates an open channel.
    init(queueLimit: Int) throws(SystemError) {
        state = Mutex(State(queue: OutputQueue(limit: queueLimit)))
        wakeup = try Wakeup()
        settled = try Wakeup()
        closed.enter()
    }

    /// The outcome of the records so far.
    var statistics: OutputStatistics { state.withLock { $0.statistics } }

    /// The number of bytes of records in queue and spool.
    var waitingBytes: Int { state.withLock { $0.queue.bytes + $0.spooledBytes } }

    /// Whether the output accepts no more records.
    var isClosed: Bool { state.withLock { $0.isClosed } }
}

// MARK: - Producers

extension OutputChannel {
    /// Queues a batch, or counts its records as dropped.
    func submit(_ batch: RecordBatch) -> Bool {
        let accepted = state.withLock { state in
            guard !state.isClosed, state.stopBy == nil else {
                state.statistics.drops.unsent += batch.records
                return false
            }
            var batch = batch
            batch.origin = state.origin
            let (isAccepted, evicted) = state.queue.append(batch)
            state.statistics.drops.queueFull += isAccepted ? evicted : batch.records
            state.statistics.queued += isAccepted ? batch.records - evicted : 0
            return isAccepted
        }
        wakeup.signal()
        return accepted
    }

    /// Counts records that the output's filters leave out.
    func notePassedOver(_ records: Int) {
        state.withLock { $0.statistics.passedOver += records }
    }

    /// Sets by how many levels the aggregation is raised above the configured level.
    func note(raisedLevels: Int) {
        state.withLock { state in
            if state.statistics.raisedLevels == 0, raisedLevels > 0 { state.statistics.raises += 1 }
            state.statistics.raisedLevels = raisedLevels
        }
    }

    /// Requests that the thread reopens its file.
    func reopen() {
        state.withLock { $0.mustReopen = true }
        wakeup.signal()
    }

    /// Sets the origin of the batches that are submitted next.
    func note(origin: BatchOrigin) {
        state.withLock { $0.origin = origin }
    }

    /// Sets the last committed flush.
    func note(committed flush: BatchOrigin) {
        state.withLock { $0.lastFlush = flush }
        wakeup.signal()
    }

    /// Requests a call on the output's thread when all currently queued batches are settled or on disk.
    func mark(_ body: @escaping @Sendable () -> Void) {
        state.withLock { state in
            guard !state.isClosed else { return }
            state.marks.append((state.queue.nextNumber, body))
        }
        wakeup.signal()
    }

    /// Requests that the thread ends by a deadline.
    func stop(by instant: ContinuousClock.Instant) {
        state.withLock { $0.stopBy = min($0.stopBy ?? instant, instant) }
        wakeup.signal()
    }

    /// Waits for the end of the thread, at most until a deadline: a write to a file may hang in the kernel.
    func waitUntilClosed(by instant: ContinuousClock.Instant) {
        let wait = ContinuousClock.now.duration(to: instant).components
        let nanoseconds = wait.seconds * 1_000_000_000 + wait.attoseconds / 1_000_000_000
        _ = closed.wait(timeout: .now() + .nanoseconds(Int(nanoseconds)))
    }

    /// Waits for space for a batch while the sink accepts bytes, at most until a deadline.
    func waitForRoom(_ batch: RecordBatch, until deadline: ContinuousClock.Instant) {
        let mustWait = { self.state.withLock { $0.isOpen && !$0.isClosed && !$0.queue.hasRoom(for: batch) } }
        while mustWait(), ContinuousClock.now < deadline {
            // Polls as well, because the sink may close without settling a batch.
            let soon = min(deadline, .now + .milliseconds(20))
            if PollEntry.wait(for: settled.pollEntry, and: nil, until: soon).isWoken { settled.clear() }
        }
    }
}

// MARK: - Output thread

extension OutputChannel {
    /// The last committed flush.
    var lastFlush: BatchOrigin { state.withLock { $0.lastFlush } }

    /// The deadline of a requested stop.
    var stopBy: ContinuousClock.Instant? { state.withLock { $0.stopBy } }

    /// Returns whether the file must be reopened, and clears the request.
    func takeReopening() -> Bool {
        state.withLock { state in
            defer { state.mustReopen = false }
            return state.mustReopen
        }
    }

    /// Returns and removes the calls that are due, if no batch is being written.
    func takeMarks() -> [@Sendable () -> Void] {
        state.withLock { state in
            guard !state.marks.isEmpty else { return [] }
            let oldest = state.queue.oldest ?? .max
            let due = state.marks.filter { $0.number <= oldest }
            state.marks.removeAll { $0.number <= oldest }
            return due.map(\.body)
        }
    }

    /// Takes the oldest batch.
    func take() -> RecordBatch? {
        state.withLock { $0.queue.take() }
    }

    /// Counts the outcome of a batch.
    func settle(_ settlement: DeliveryMachine.Settlement) {
        state.withLock { state in
            state.queue.settle(bytes: settlement.bytes)
            let paid = min(state.owed, settlement.delivered)
            state.owed -= paid
            state.statistics.delivered += settlement.delivered - paid
            state.statistics.drops += settlement.drops
            state.statistics.queued -= settlement.delivered + settlement.drops.total
        }
        settled.signal()
    }

    /// Frees the queue's space of a batch that is now on disk.
    func moveOut(bytes: Int) {
        state.withLock { $0.queue.settle(bytes: bytes) }
        settled.signal()
    }

    /// Sets the number of bytes of batches on disk.
    func note(spooledBytes: Int) {
        state.withLock { $0.spooledBytes = spooledBytes }
    }

    /// Adds records of an earlier run to the queued ones.
    func adopt(_ records: Int) {
        state.withLock { $0.statistics.queued += records }
    }

    /// Counts records as lost that may have been counted as delivered.
    ///
    /// The count of delivered records is not decreased; instead, as many later deliveries are not counted.
    func lose(_ drops: OutputDrops) {
        guard drops.total > 0 else { return }
        state.withLock { state in
            state.statistics.drops += drops
            state.owed += drops.total
        }
    }

    /// Counts delivered records as unsent, because their reader has closed.
    func takeBack(_ records: Int) {
        state.withLock { state in
            let count = min(records, state.statistics.delivered)
            state.statistics.delivered -= count
            state.statistics.drops.unsent += count
        }
    }

    /// Sets whether the sink accepts bytes.
    func note(isOpen: Bool) {
        state.withLock { $0.isOpen = isOpen }
    }

    /// Sets the number of reconnects.
    func note(reconnects: Int) {
        state.withLock { $0.statistics.reconnects = reconnects }
    }

    /// Closes the channel: drops queued batches, and ends ``waitUntilClosed(by:)``.
    ///
    /// - Returns: the outcome of all records.
    func close() -> OutputStatistics {
        let (isFirst, statistics) = state.withLock { state in
            let isFirst = !state.isClosed
            state.isClosed = true
            let left = state.queue.removeAll()
            state.statistics.delivered -= min(state.owed, state.statistics.delivered)
            state.owed = 0
            state.statistics.drops.unsent += left
            state.statistics.queued -= left
            return (isFirst, state.statistics)
        }
        if isFirst { closed.leave() }
        return statistics
    }
}
