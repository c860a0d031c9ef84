import Dispatch
import Glibc
package import Posix
import Synchronization

/// Who gets the lines of records beside the outputs: the store, the live view, a screen.
package protocol RecordTap: Sendable {
    /// Whether records are wanted now; asked at the beginning of each interval's records.
    var isWanted: Bool { get }

    /// Takes a batch, on the thread that makes records: never waits.
    func take(_ batch: RecordBatch)

    /// Takes that all records of an interval were handed over.
    func endFlush()

    /// Takes no more, and returns when everything is worked off, or at an instant.
    func finish(by deadline: ContinuousClock.Instant)
}

extension RecordTap {
    /// Most taps want all records.
    package var isWanted: Bool { true }
}

/// A tap with a bounded queue and a thread of its own behind it.
///
/// What finds no room in the queue is counted (``lostRecords``) and gone.
package final class QueuedTap: RecordTap {
    /// What the thread is given, in the order in which it came.
    package enum Event: Sendable {
        /// Lines of records.
        case batch(RecordBatch)
        /// The end of an interval.
        case flush
        /// Nothing comes after this.
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

    /// How many records found no room.
    package var lostRecords: Int { lost.load(ordering: .relaxed) }

    /// Queues a batch; one that finds no room is counted as lost.
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
