import Audit
import Export
import Logging
import Posix
import Synchronization

/// The work of an ``AuditShipper``'s thread: reads a batch, passes it to the outputs, waits, stores the positions.
struct AuditShippingRun {
    private let logs: [FollowedAuditLog]
    /// The log that the webhook writes; nil if there is none.
    private let journal: String?
    private let outputs: [Output]
    private var changes: AuditChangeFeed?
    private let envelope: AuditEnvelope
    private let file: AuditStateFile
    private let logger: Logger
    private var state: AuditState
    private var lastText = ""
    private var warned = AuditShippingCounts()
    private var hasStateFault = false
    /// Whether a batch was read and not delivered: no later batch may be delivered.
    private var isBroken = false
    /// The time when changes that a sink could not store are passed again; nil if there are none.
    private var nextTry: ContinuousClock.Instant?
    /// The counts of lines so far.
    private(set) var counts = AuditShippingCounts()

    /// The size up to which events are collected into a batch, bytes.
    private static let batchLimit = 1 << 20
    /// The time between two attempts to pass changes to a sink that could not store them.
    private static let pause = Duration.seconds(1)

    /// Takes the parts of a run; logs are followed from the positions of the state.
    init(
        _ shipping: AuditShipping,
        _ outputs: [Output],
        _ sinks: [any AuditChangeSink],
        _ board: ChangeBoard,
        _ file: AuditStateFile,
        _ state: AuditState,
        _ logger: Logger
    ) {
        var logs = shipping.logs.map {
            FollowedAuditLog($0, from: state.positions[$0], readsRotated: state.absent.contains($0))
        }
        // The journal may contain events that an earlier run received and did not deliver.
        let path = shipping.journalPath
        journal = shipping.webhook != nil || FolderEntry.identity(of: path) != nil ? path : nil
        if let journal { logs.append(FollowedAuditLog(journal, from: state.positions[journal], readsRotated: true)) }
        self.logs = logs
        self.outputs = outputs
        changes =
            sinks.isEmpty && !shipping.joinsVerdicts ? nil : AuditChangeFeed(sinks, board, redacts: shipping.redacts)
        self.file = file
        self.state = state
        self.logger = logger
        envelope = AuditEnvelope(host: shipping.hostName, cluster: shipping.cluster, redacts: shipping.redacts)
    }

    /// Reads new lines, up to the size of a batch, and delivers them.
    ///
    /// - Parameters:
    ///   - deadline: the time limit for outputs; nil for no limit.
    ///   - mayWait: returns whether to continue to wait; called from time to time.
    /// - Returns: whether there may be more to read.
    @discardableResult
    mutating func readAndDeliver(until deadline: ContinuousClock.Instant?, _ mayWait: () -> Bool) -> Bool {
        guard !isBroken else { return false }
        if let time = nextTry {
            // The outputs have this batch; no later line is read before the sinks have its changes.
            guard deadline != nil || ContinuousClock.now >= time, passChanges() else { return false }
            note()
            return true
        }
        var bytes: [UInt8] = []
        var records = 0
        var read = 0
        var ends: [String: AuditPosition] = [:]
        // The last run may have passed this batch to outputs, but no later batch.
        let former = state.batch
        for log in logs where bytes.count + read < Self.batchLimit {
            let end = former?.ends[log.path]
            if former != nil, end == nil { continue }
            self.read(log, until: end, &bytes, &records, &read)
            ends[log.path] = log.end
        }
        warn()
        if records > 0 {
            state.batch = AuditState.Batch(number: former?.number ?? RecordBatch.nextNumber(), ends: ends)
            noteBeginning()
            let batch = RecordBatch(bytes: bytes, records: records, number: state.batch?.number ?? 0)
            guard deliver(batch, until: deadline, mayWait) else {
                isBroken = true
                return false
            }
            counts.shipped += records
        }
        guard passChanges() else { return false }
        counts.read = logs.reduce(0) { $0 + $1.counts.events }
        note()
        return former != nil || bytes.count + read >= Self.batchLimit
    }

    // MARK: - Reading

    private mutating func read(
        _ log: FollowedAuditLog,
        until end: AuditPosition?,
        _ bytes: inout [UInt8],
        _ records: inout Int,
        _ read: inout Int
    ) {
        log.end = nil
        do throws(SystemError) {
            while bytes.count + read < Self.batchLimit, !log.hasReached(end), let line = try log.next() {
                guard let event = log.counts.event(of: line, in: log.buffer, isBrief: true),
                    case .bytes(let place) = line
                else { continue }
                changes?.add(event, log.buffer)
                if outputs.isEmpty {
                    read += place.count
                    continue
                }
                switch envelope.append(event, log.buffer, place, to: &bytes) {
                case .shipped: records += 1
                case .withheld: counts.withheld += 1
                }
            }
            log.fault = nil
        } catch {
            if log.fault != error {
                logger.warning("an audit log cannot be read", metadata: ["log": "\(log.path)", "reason": "\(error)"])
            }
            log.fault = error
        }
        counts.malformed = logs.reduce(0) { $0 + $1.counts.malformed }
        counts.tooLong = logs.reduce(0) { $0 + $1.counts.tooLong }
        counts.gaps = logs.reduce(0) { $0 + $1.events.gaps }
    }

    /// Logs new problems: the first time, and then each time that their number has doubled.
    private mutating func warn() {
        if counts.gaps > warned.gaps {
            warned.gaps = counts.gaps
            logger.warning("a log was removed before it was read to its end: events are missing in what is shipped")
        }
        let bad = counts.malformed + counts.tooLong
        guard bad > 0, bad >= 2 * warned.malformed else { return }
        warned.malformed = bad
        let first = logs.compactMap(\.counts.firstError).first ?? ""
        logger.warning(
            "lines of audit logs are no audit events, and are not shipped",
            metadata: ["lines": "\(bad)", "first": "\(first)"]
        )
    }

    // MARK: - Delivering

    private func deliver(_ batch: RecordBatch, until deadline: ContinuousClock.Instant?, _ mayWait: () -> Bool) -> Bool
    {
        let arrivals = Arrivals(outputs.count)
        for output in outputs {
            output.submit(batch)
            output.mark { arrivals.note() }
        }
        while !arrivals.wait(atMost: .milliseconds(100)) {
            if let deadline, ContinuousClock.now >= deadline { return false }
            if outputs.contains(where: \.isClosed) { return false }
            guard mayWait() else { return arrivals.wait(atMost: .seconds(3)) }
        }
        return true
    }

    /// Passes the changes of the batch to the sinks; false if a sink has not stored all of them.
    private mutating func passChanges() -> Bool {
        guard changes != nil else { return true }
        guard let count = changes?.flush() else {
            nextTry = .now + Self.pause
            return false
        }
        counts.changes += count
        nextTry = nil
        return true
    }

    /// Stores the batch that the outputs are about to get, and the lengths of their files.
    private mutating func noteBeginning() {
        var next = state
        next.files = writtenFiles
        // The beginning identifies the log if it is renamed before a later position is stored.
        for log in logs where next.positions[log.path] == nil { next.positions[log.path] = log.beginning }
        guard write(next) else { return }
        // Storing the previous batch may have failed.
        for output in outputs { output.note(noted: state.origin) }
    }

    /// Stores that everything that was read is delivered.
    private mutating func note() {
        var next = state
        for log in logs { next.positions[log.path] = log.position }
        next.absent = Set(logs.filter { $0.position == nil }.map(\.path))
        next.files = writtenFiles
        if next.batch != nil {
            next.batch = nil
            next.origin.flush += 1
        }
        guard next.text != lastText else { return }
        guard write(next) else {
            // The next call stores it, too.
            state = next
            return
        }
        for output in outputs { output.note(noted: next.origin) }
        if let journal { AuditJournal.prune(before: state.positions[journal], of: journal) }
    }

    private var writtenFiles: [WrittenFile] {
        outputs.compactMap { $0.specification.filePath.flatMap { WrittenFile(at: $0) } }
    }

    /// Replaces the state in memory, and on the disk if it differs there; false if that fails.
    @discardableResult
    private mutating func write(_ next: AuditState) -> Bool {
        let text = next.text
        guard text != lastText else { return true }
        do throws(SystemError) {
            try file.write(text)
            state = next
            lastText = text
            hasStateFault = false
            return true
        } catch {
            if !hasStateFault {
                logger.warning(
                    "the positions in audit logs cannot be noted: events may be shipped again after a restart",
                    metadata: ["reason": "\(error)"]
                )
            }
            hasStateFault = true
            return false
        }
    }
}

extension Output {
    /// Lets a spool deliver the noted batch, and holds further batches until they are noted.
    func note(noted origin: BatchOrigin) {
        note(origin: origin)
        note(committed: origin)
    }
}

/// A log that is followed, and the counts of its lines.
private final class FollowedAuditLog {
    let path: String
    private var follower: AuditFollower
    var counts = AuditCounts()
    /// The error of the last attempt to read the log; nil if it succeeded.
    var fault: SystemError?

    init(_ path: String, from position: AuditPosition?, readsRotated: Bool) {
        self.path = path
        follower = AuditFollower(path, from: position, readsRotated: readsRotated)
    }

    /// The end of the last line of the current read; nil if no line was read.
    var end: AuditPosition?
    /// The beginning of the file that was read first.
    private(set) var beginning: AuditPosition?

    func next() throws(SystemError) -> AuditLines.Line? {
        guard let line = try follower.next() else { return nil }
        end = follower.position
        beginning = beginning ?? end?.beginningOfFile
        return line
    }

    /// Whether everything up to a position was read; false if there is no position.
    func hasReached(_ limit: AuditPosition?) -> Bool {
        guard let limit else { return false }
        return end?.hasReached(limit) ?? follower.position?.hasReached(limit) ?? false
    }

    var buffer: [UInt8] { follower.buffer }
    var position: AuditPosition? { follower.position }
    var events: AuditFollower.Events { follower.events }
}

/// Waits until a number of outputs have reported their completion.
private final class Arrivals: Sendable {
    private let missing: Mutex<Int>
    private let wakeUp = WakeUp()

    init(_ number: Int) {
        missing = Mutex(number)
    }

    func note() {
        missing.withLock { $0 -= 1 }
        wakeUp.signal()
    }

    /// Waits for the next report or the time limit; returns whether all outputs have reported.
    func wait(atMost limit: Duration) -> Bool {
        if missing.withLock({ $0 <= 0 }) { return true }
        wakeUp.wait(atMost: limit)
        return missing.withLock { $0 <= 0 }
    }
}
