import Audit
import Logging
import Posix
import Synchronization

/// Receives the events that API servers send, and writes them to the journal: one thread, one batch at a time.
///
/// A batch is on the disk before the response is sent. Events that are already in the journal are left out, even after a
/// restart: an API server sends a batch again if it got no response.
package final class AuditWebhook: Sendable {
    /// The result of a batch.
    enum Outcome: Sendable, Equatable {
        /// Its events are on the disk.
        case kept(events: Int, repeated: Int)
        /// The body is not a list of events.
        case malformed(String)
        /// The batch cannot be stored now.
        case unavailable(String)
    }

    private struct Job: Sendable {
        let body: [UInt8]
        let answer: CheckedContinuation<Outcome, Never>
    }

    private struct Queue: Sendable {
        var jobs: [Job] = []
        var isStopping = false
    }

    private let path: String
    private let journal: AuditJournal
    private let logger: Logger
    private let queue = Mutex(Queue())
    private let held = Mutex(0)
    private let wakeUp = WakeUp()
    private let ended = WakeUp()
    private let counter = Mutex(AuditWebhookCounts())

    /// The largest body, bytes.
    static let bodyLimit = 32 << 20
    /// The maximum number of bytes of all bodies that are being read or waiting.
    private static let heldLimit = 48 << 20
    /// The size beyond which the journal does not grow, bytes.
    private static let journalLimit = 256 << 20

    /// Opens the journal and starts the thread.
    ///
    /// - Parameters:
    ///   - path: the path of the journal.
    ///   - logger: for failures of the journal.
    /// - Throws: the reason why the journal cannot be used.
    init(_ path: String, logger: Logger) throws {
        (self.path, self.logger) = (path, logger)
        journal = try AuditJournal(path)
        try WorkerThread.start("weir-audit-take") { [self] in
            var keeper = Keeper(path)
            while let job = next() { job.answer.resume(returning: keep(job.body, &keeper)) }
            ended.signal()
        }
    }

    /// Requests and events so far, by result.
    package var counts: AuditWebhookCounts { counter.withLock { $0 } }
    /// The bytes of the journal.
    package var journalBytes: Int { journal.bytes }

    /// Counts a request that contained no batch.
    func count(_ change: (inout AuditWebhookCounts) -> Void) { counter.withLock { change(&$0) } }

    /// Reserves memory for the bytes of a body; false if not enough memory is free now.
    func hold(_ count: Int) -> Bool {
        held.withLock { held in
            guard held + count <= Self.heldLimit else { return false }
            held += count
            return true
        }
    }

    /// Releases reserved memory.
    func release(_ count: Int) { held.withLock { $0 -= count } }

    /// Stores a batch.
    func take(_ body: [UInt8]) async -> Outcome {
        await withCheckedContinuation { continuation in
            let isTaken = queue.withLock { queue in
                if !queue.isStopping { queue.jobs.append(Job(body: body, answer: continuation)) }
                return !queue.isStopping
            }
            guard isTaken else { return continuation.resume(returning: .unavailable("Weir ends")) }
            wakeUp.signal()
        }
    }

    /// Handles the waiting batches, and stops the thread.
    func stop() {
        queue.withLock { $0.isStopping = true }
        wakeUp.signal()
        ended.wait(atMost: .seconds(5))
    }

    /// Returns the next batch; nil after ``stop()``.
    private func next() -> Job? {
        while true {
            let (job, isStopping) = queue.withLock { ($0.jobs.isEmpty ? nil : $0.jobs.removeFirst(), $0.isStopping) }
            if job != nil || isStopping { return job }
            wakeUp.wait(atMost: .seconds(60))
        }
    }

    // MARK: - Keeping

    private func keep(_ body: [UInt8], _ keeper: inout Keeper) -> Outcome {
        let batch: Keeper.Batch
        do throws(AuditError) {
            batch = try keeper.read(body)
        } catch {
            count { $0.malformed += 1 }
            return .malformed("\(error)")
        }
        if let fault = append(batch, &keeper) {
            count { $0.unavailable += 1 }
            if keeper.fault != fault {
                logger.error(
                    "audit events of the webhook are not kept: the API server sends them again, and drops them after some attempts",
                    metadata: ["journal": "\(path)", "reason": "\(fault)"]
                )
            }
            keeper.fault = fault
            return .unavailable(fault)
        }
        if keeper.fault != nil { logger.notice("audit events of the webhook are kept again") }
        keeper.fault = nil
        count { $0.add(batch) }
        return .kept(events: batch.events.count, repeated: batch.repeated)
    }

    /// Writes the events of a batch to the journal.
    ///
    /// - Returns: the reason why they are not on the disk; nil if they are.
    private func append(_ batch: Keeper.Batch, _ keeper: inout Keeper) -> String? {
        guard batch.lines.isEmpty || journal.bytes + batch.lines.count <= Self.journalLimit else {
            return "\(Self.journalLimit >> 20) MiB of events wait for the outputs"
        }
        let (kept, fault) = journal.append(batch.lines)
        // Events that were written before the error are shipped; their keys are stored so that they are not shipped again.
        for event in batch.events where event.end <= kept { keeper.remember(event.key) }
        return fault.map { "\($0)" }
    }
}

/// Requests of the webhook and their events, by result.
package struct AuditWebhookCounts: Sendable, Hashable {
    /// Requests that were answered 200.
    package var accepted = 0
    /// Requests whose body is not a list of events.
    package var malformed = 0
    /// Requests whose body is too large.
    package var tooLarge = 0
    /// Requests whose body did not arrive completely, or not in time.
    package var incomplete = 0
    /// Requests that could not be stored: no memory, a full disk, a full journal.
    package var unavailable = 0
    /// Events that are in the journal.
    package var events = 0
    /// Events that were already in the journal.
    package var repeated = 0
    /// Events about credentials.
    package var withheld = 0
    /// Items that are not events, or are longer than a line may be.
    package var unusable = 0

    fileprivate mutating func add(_ batch: Keeper.Batch) {
        accepted += 1
        events += batch.events.count
        repeated += batch.repeated
        withheld += batch.withheld
        unusable += batch.unusable
    }
}

/// The state of the webhook's thread: keys of the newest stored events.
private struct Keeper {
    /// The events of a body that are new.
    struct Batch {
        var lines: [UInt8] = []
        /// The keys of the events, and the ends of their lines.
        var events: [(key: Int, end: Int)] = []
        var repeated = 0
        var withheld = 0
        var unusable = 0
    }

    private var known: Set<Int> = []
    private var recent = RecentKeys<Int>(limit: 65_536)
    /// The reason why batches cannot be stored now.
    var fault: String?

    /// Reads the events of the journal.
    init(_ path: String) {
        var follower = AuditFollower(path, from: nil, readsRotated: true)
        while let line = try? follower.next() {
            guard case .bytes(let place) = line, let places = try? AuditPlaces(in: follower.buffer.span, place) else {
                continue
            }
            remember(places.key(in: follower.buffer))
        }
    }

    func read(_ body: [UInt8]) throws(AuditError) -> Batch {
        let list = try AuditEventList(in: body.span)
        var batch = Batch()
        var keys: Set<Int> = []
        for item in list.items {
            let start = batch.lines.count
            switch list.line(item, in: body, to: &batch.lines) {
            case .secret: batch.withheld += 1
            case .malformed: batch.unusable += 1
            case .event(let key):
                if !known.contains(key), keys.insert(key).inserted {
                    batch.events.append((key, batch.lines.count))
                } else {
                    batch.lines.removeSubrange(start...)
                    batch.repeated += 1
                }
            }
        }
        return batch
    }

    mutating func remember(_ key: Int) {
        known.insert(key)
        if let oldest = recent.append(key) { known.remove(oldest) }
    }
}
