import Dispatch
import Glibc
package import Posix
import Synchronization

/// A consumer of record lines besides the outputs: the store, the live view, a screen.
package protocol RecordTap: Sendable {
    /// Whether the consumer accepts records now; read at the start of each flush.
    var isWanted: Bool { get }

    /// Receives a batch on the pipeline's thread; must not wait.
    func take(_ batch: RecordBatch)

    /// Ends a flush: all of its records were passed.
    func endFlush()

    /// Closes the consumer, and waits until it has processed everything, at most until a deadline.
    func finish(by deadline: ContinuousClock.Instant)
}

extension RecordTap {
    /// True by default.
    package var isWanted: Bool { true }
}

/// A tap with a bounded queue and its own thread.
///
/// Records that do not fit into the queue are dropped and counted (``lostRecords``).
package final class QueuedTap: RecordTap {
    /// An event in the queue.
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
    /// - Parameters:
    ///   - name: the name of the thread, at most 15 bytes.
    ///   - limit: the maximum number of queued bytes.
    ///   - consumer: called on the thread for each event.
    /// - Throws: an error if the system allows no more threads.
    package init(
        _ name: String,
        limit: Int,
        consumer: @escaping @Sendable (Event) -> Void
    ) throws(SystemError) {
        self.limit = limit
        // The thread retains the tap until its end.
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

    /// The number of records that did not fit into the queue.
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

    /// Queues the end, and waits until it is processed.
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
