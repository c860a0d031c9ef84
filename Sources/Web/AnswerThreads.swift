import API
import Glibc
import Posix
import Synchronization

/// Computes responses on threads of their own, whose number is limited.
///
/// A response can take seconds of processor time. Swift's pool serves connections, health probes and the API server's watches,
/// and has no threads for that. The threads have a lower priority than the threads of a run.
final class AnswerThreads: Sendable {
    private struct State {
        var waiting: [Job] = []
        var threads = 0
    }

    /// Work for a thread; called with false if it is refused.
    private typealias Job = @Sendable (_ runs: Bool) -> Void

    private let state = Mutex(State())
    private let threadLimit: Int
    private let waitingLimit: Int

    /// The nice value of the threads; those of a run have 0.
    private static let niceness: Int32 = 10

    /// The response if too many requests are waiting.
    static let busy = APIError(
        429,
        "too_many_requests",
        nil,
        "too many answers are being computed already: try again in some seconds"
    )

    /// Creates a pool, which starts threads for work and ends them without work.
    ///
    /// - Parameters:
    ///   - threads: the maximum number of threads.
    ///   - waiting: the maximum number of waiting requests.
    init(threads: Int = 3, waiting: Int = 32) {
        (threadLimit, waitingLimit) = (threads, waiting)
    }

    /// Computes a response.
    ///
    /// - Parameter body: computes the response, on one of the threads.
    /// - Returns: the response; error 429 if too many requests are waiting.
    func answer(_ body: @escaping @Sendable () -> APIAnswer) async -> APIAnswer {
        await run(body) ?? API.answer(Self.busy)
    }

    /// Runs a body on one of the threads.
    ///
    /// - Returns: its result; nil if too many requests are waiting.
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
            // The system allows no more threads: existing threads do the work; without any, it is refused.
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
        // Sets the priority of this thread only: 0 means the calling thread.
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
