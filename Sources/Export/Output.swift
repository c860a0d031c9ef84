public import Logging
import Posix

/// Brings batches of records to one place: a bounded queue, and a thread of its own behind it.
///
/// ``submit(_:)`` never waits. A reader that is away or slow fills the queue. In a full queue batches of higher ranks make
/// room for those of lower ones (``RecordBatch/rank``), others are refused whole, and every record that is gone is counted.
public final class Output: Sendable {
    /// The queue's limit when none is given, in bytes.
    public static let defaultQueueLimit = 64 << 20

    /// Where the records go.
    public let specification: OutputSpecification
    private let channel: OutputChannel

    /// Opens an output and starts its thread.
    ///
    /// A file and standard output must open now. The reader of a socket may be away: it is called again and again, with
    /// growing pauses of 100 ms to 10 s.
    ///
    /// - Parameters:
    ///   - specification: where the records go.
    ///   - options: how the output works.
    ///   - queueLimit: the most bytes of records that may wait.
    ///   - logger: gets one line when the output goes away, one when it is back, and one when it closed. What was dropped
    ///     until then is in ``statistics``.
    ///   - onClosed: called on the output's thread if the output ends without ``finish(within:)``: standard output
    ///     whose reader is gone.
    /// - Throws: an error that says what could not be opened, why, and what to do.
    public init(
        _ specification: OutputSpecification,
        options: OutputOptions = OutputOptions(),
        queueLimit: Int = Output.defaultQueueLimit,
        logger: Logger,
        onClosed: @escaping @Sendable () -> Void = {}
    ) throws(OutputError) {
        self.specification = specification
        do {
            channel = try OutputChannel(queueLimit: queueLimit)
            let channel = channel
            let opening = Opening(specification, options)
            try opening.checkSecrets()
            try opening.openSpool()
            channel.note(spooledBytes: opening.spool?.waitingBytes ?? 0)
            if opening.mustOpenNow { try opening.open() }
            try WorkerThread.start("weir-output") {
                var worker = OutputWorker(
                    name: "\(specification)",
                    channel: channel,
                    sink: opening.sink,
                    isOpen: opening.mustOpenNow,
                    spool: opening.spool,
                    logger: logger,
                    onClosed: onClosed
                )
                worker.run()
            }
        } catch let error as OutputError {
            throw error
        } catch {
            throw OutputError(output: specification, reason: "\(error)", advice: "")
        }
    }

    deinit {
        channel.stop(by: .now)
    }

    /// What became of the records so far.
    public var statistics: OutputStatistics { channel.statistics }

    /// Whether the output takes no more records: it was finished, or it ended by itself.
    public var isClosed: Bool { channel.isClosed }

    /// Queues a batch; never waits.
    ///
    /// - Returns: false if the queue is full or the output closed; the batch's records are then counted as dropped.
    @discardableResult
    public func submit(_ batch: RecordBatch) -> Bool {
        guard batch.records > 0 else { return true }
        return channel.submit(batch)
    }

    /// Queues a batch, and waits for room as long as the output's reader is there and reads.
    ///
    /// For a producer that is faster than any reader: a flush of many records. It must not be one that may not wait.
    ///
    /// - Parameters:
    ///   - batch: whole lines.
    ///   - deadline: when waiting ends at the latest.
    /// - Returns: as ``submit(_:)``.
    @discardableResult
    public func submit(_ batch: RecordBatch, waitingUntil deadline: ContinuousClock.Instant) -> Bool {
        channel.waitForRoom(batch, until: deadline)
        return submit(batch)
    }

    /// Opens a file anew before the next line.
    ///
    /// Somebody may have moved it away. Other outputs do nothing.
    package func reopen() {
        channel.reopen()
    }

    /// Counts records that the output does not get by choice: they were not submitted.
    package func notePassedOver(_ records: Int) {
        channel.notePassedOver(records)
    }

    /// Bytes of records that wait, in the queue and in the spool.
    package var waitingBytes: Int { channel.waitingBytes }

    /// Notes how many levels its records are aggregated beyond what it asks for.
    package func note(raisedLevels: Int) {
        channel.note(raisedLevels: raisedLevels)
    }

    /// Asks to be called, on the output's thread, when everything that was queued until now is written, dropped and counted, or
    /// on the disk of the output's spool.
    ///
    /// Nothing is written while `body` runs. It is never called if the output closes before.
    public func mark(_ body: @escaping @Sendable () -> Void) {
        channel.mark(body)
    }

    /// Takes no more batches, writes what waits, for so long at most, and closes.
    ///
    /// - Parameter limit: the longest time; what is not delivered by then is dropped and counted.
    /// - Returns: what became of all records.
    public func finish(within limit: Duration) -> OutputStatistics {
        finish(by: .now + limit)
    }

    /// As ``finish(within:)``, with the instant at which everything must be written.
    public func finish(by deadline: ContinuousClock.Instant) -> OutputStatistics {
        channel.stop(by: deadline)
        channel.waitUntilClosed(by: deadline + Self.closingLimit)
        return channel.statistics
    }

    /// Takes no more batches, and writes what waits until an instant at most; does not wait for that.
    public func stop(by deadline: ContinuousClock.Instant) {
        channel.stop(by: deadline)
    }

    /// How long after the last moment for writing the thread may take to close: a write to a file may hang in the kernel.
    private static let closingLimit = Duration.milliseconds(500)
}
