import Dispatch
import Glibc
package import Posix
import Synchronization

/// A consumer of record lines besides the outputs: the store, the live view, a screen.
package protocol RecordTap: Sendable {
    /// Whether the consumer takes records now; read at the start of each flush.
    var isWanted: Bool { get }

    /// Takes a batch, on the pipeline's thread; never waits.
    func take(_ batch: RecordBatch)

    /// Ends a flush: all its records were handed over.
    func endFlush()

    /// Closes the consumer, and waits until everything is processed, until an instant at most.
    func finish(by deadline: ContinuousClock.Instant)
}

extension RecordTap {
    /// True: most consumers take all records.
    package var isWanted: Bool { true }
}

/// A tap with a bounded queue and its own thread.
///
/// Records that do not fit into the queue are dropped and counted (``lostRecords``).
package final class QueuedTap: RecordTap {
    /// An event for the thread, in order.
    package enum Event: Sendable {
        /// Lines of records.
        case batch(RecordBatch)
        /// The end of an interval.
        case flush
        /// The end of the stream.
        case end
    }

    private struct State {
        var events: [Event] = []
        var bytes = 0
        var isEnded = false
        var isDone = false
    }

    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)
    private let limit: Int
    private let lost = Atomic<Int>(0)

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: of the thread, at most 15 bytes.
    ///   - limit: the most bytes that may wait.
    ///   - consumer: called on the thread, an event at a time.
    /// - Throws: when the system allows no more threads.
    package init(
        _ name: String,
        limit: Int,
        consumer: @escaping @Sendable (Event) -> Void
    ) throws(SystemError) {
        self.limit = limit
        // The thread keeps the tap until its end.
        try WorkerThread.start(name) { [self] in
            var isRunning = true
            while isRunning {
                available.wait()
                for event in takeAll() {
                    if case .end = event { isRunning = false }
                    consumer(event)
                }
            }
            state.withLock { $0.isDone = true }
        }
    }

    /// The number of records that found no room.
    package var lostRecords: Int { lost.load(ordering: .relaxed) }

    /// Queues a batch, or counts it as lost if it does not fit.
    package func take(_ batch: RecordBatch) {
        let isTaken = state.withLock { state in
            guard !state.isEnded, state.bytes == 0 || state.bytes + batch.bytes.count <= limit else { return false }
            state.bytes += batch.bytes.count
            state.events.append(.batch(batch))
            return true
        }
        if isTaken { available.signal() } else { lost.add(batch.records, ordering: .relaxed) }
    }

    /// Queues the end of an interval.
    package func endFlush() { add(.flush) }

    /// Queues the end, and waits for it.
    package func finish(by deadline: ContinuousClock.Instant) {
        add(.end)
        while !state.withLock({ $0.isDone }), ContinuousClock.now < deadline { usleep(1_000) }
    }

    private func add(_ event: Event) {
        let isTaken = state.withLock { state in
            guard !state.isEnded else { return false }
            if case .end = event { state.isEnded = true }
            state.events.append(event)
            return true
        }
        if isTaken { available.signal() }
    }

    private func takeAll() -> [Event] {
        state.withLock { state in
            let events = state.events
            state.events = []
            state.bytes = 0
            return events
        }
    }
}
