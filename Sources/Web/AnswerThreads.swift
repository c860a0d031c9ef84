import API
import Glibc
import Posix
import Synchronization

/// Computes answers on threads of their own, a bounded number at a time.
///
/// An answer can take seconds of a processor. Swift's pool, which serves connections, health probes and the API server's
/// watches, has no thread for that; and the threads of a run go first: these have a lower priority.
final class AnswerThreads: Sendable {
    private struct State {
        var waiting: [Job] = []
        var threads = 0
    }

    /// Work for a thread; called with false where there is none for it.
    private typealias Job = @Sendable (_ runs: Bool) -> Void

    private let state = Mutex(State())
    private let threadLimit: Int
    private let waitingLimit: Int

    /// The nice value of the threads; those of a run have 0.
    private static let niceness: Int32 = 10

    /// The answer when too many requests wait already.
    static let busy = APIError(
        429,
        "too_many_requests",
        nil,
        "too many answers are being computed already: try again in some seconds"
    )

    /// Makes a pool; threads begin with work, and end without.
    ///
    /// - Parameters:
    ///   - threads: the most threads.
    ///   - waiting: the most requests that wait for one.
    init(threads: Int = 3, waiting: Int = 32) {
        (threadLimit, waitingLimit) = (threads, waiting)
    }

    /// Computes an answer.
    ///
    /// - Parameter body: computes it, on one of the threads.
    /// - Returns: the answer, or error 429 if too many requests wait.
    func answer(_ body: @escaping @Sendable () -> APIAnswer) async -> APIAnswer {
        await run(body) ?? API.answer(Self.busy)
    }

    /// Runs a body on one of the threads.
    ///
    /// - Returns: its result; nil if too many wait.
    func run<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result? {
        await withCheckedContinuation { continuation in
            add { runs in continuation.resume(returning: runs ? body() : nil) }
        }
    }

    private func add(_ job: @escaping Job) {
        let (isTaken, needsThread) = state.withLock { state in
            guard state.waiting.count < waitingLimit else { return (false, false) }
            state.waiting.append(job)
            guard state.threads < threadLimit else { return (true, false) }
            state.threads += 1
            return (true, true)
        }
        if !isTaken { job(false) }
        if needsThread { startThread() }
    }

    private func startThread() {
        do throws(SystemError) {
            try WorkerThread.start("weir-answers") { self.work() }
        } catch {
            // The system allows no more threads: those that there are do the work, and without any it is refused.
            let refused = state.withLock { state -> [Job] in
                state.threads -= 1
                guard state.threads == 0 else { return [] }
                defer { state.waiting = [] }
                return state.waiting
            }
            for job in refused { job(false) }
        }
    }

    private func work() {
        // Of this thread only; 0 stands for it.
        setpriority(Int32(PRIO_PROCESS.rawValue), 0, Self.niceness)
        while let job = next() { job(true) }
    }

    private func next() -> Job? {
        state.withLock { state in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.threads -= 1
            return nil
        }
    }
}
