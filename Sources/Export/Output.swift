package import Logging
import Posix

/// Delivers batches of records to one destination, through a bounded queue and on its own thread.
///
/// ``submit(_:)`` never waits. A slow or absent reader fills the queue. A full queue evicts batches of higher ranks for
/// batches of lower ranks (``RecordBatch/rank``) and refuses others whole; every dropped record is counted.
package final class Output: Sendable {
    /// The queue's limit when none is given, in bytes.
    package static let defaultQueueLimit = 64 << 20

    /// The destination of the records.
    package let specification: OutputSpecification
    /// Whether records wait on disk, and outlive the process.
    package let hasSpool: Bool
    private let channel: OutputChannel

    /// Opens an output and starts its thread.
    ///
    /// A file and standard output must open now. The reader of a socket may be absent: connecting is retried with
    /// growing pauses of 100 ms to 10 s.
    ///
    /// - Parameters:
    ///   - specification: where the records go.
    ///   - options: the options of the output.
    ///   - queueLimit: the maximum size of the queue, in bytes.
    ///   - lastFlush: the last flush that a run before has committed: what its spool has of later ones is discarded. Nil to
    ///     discard nothing.
    ///   - logger: logs when the output becomes unusable, when it is usable again, and when it closes. Dropped records
    ///     are in ``statistics``.
    ///   - onClosed: called on the output's thread if the output ends without ``finish(within:)``: standard output
    ///     whose reader is gone.
    /// - Throws: an error with what could not be opened, the reason, and what to do.
    package init(
        _ specification: OutputSpecification,
        options: OutputOptions = OutputOptions(),
        queueLimit: Int = Output.defaultQueueLimit,
        lastFlush: BatchOrigin? = nil,
        logger: Logger,
        onClosed: @escaping @Sendable () -> Void = {}
    ) throws(OutputError) {
        self.specification = specification
        do {
            channel = try OutputChannel(queueLimit: queueLimit)
            let channel = channel
            let opening = Opening(specification, options)
            try opening.checkSecrets()
            try opening.openSpool(lastFlush)
            hasSpool = opening.spool != nil
            channel.note(spooledBytes: opening.spool?.waitingBytes ?? 0)
            if let records = opening.spool?.discarded, records > 0 {
                logger.info(
                    "discarded the last records of a run that died: their traffic is reported again",
                    metadata: ["output": "\(specification)", "records": "\(records)"]
                )
            }
            if opening.mustOpenNow { try opening.open() }
            try WorkerThread.start("weir-output") {
                var worker = OutputWorker(
                    name: "\(specification)",
                    channel: channel,
                    sink: opening.sink,
                    isOpen: opening.mustOpenNow,
                    spool: opening.spool,
                    keepsUnsent: options.keepsUnsent,
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

    /// The outcome of the records so far.
    package var statistics: OutputStatistics { channel.statistics }

    /// Whether the output accepts no more records: it was finished, or it ended by itself.
    package var isClosed: Bool { channel.isClosed }

    /// Queues a batch; never waits.
    ///
    /// - Returns: false if the queue is full or the output closed; the batch's records are then counted as dropped.
    @discardableResult
    package func submit(_ batch: RecordBatch) -> Bool {
        guard batch.records > 0 else { return true }
        return channel.submit(batch)
    }

    /// Queues a batch, and waits for room while the output's reader is connected and reads.
    ///
    /// For a producer that is faster than any reader, as a flush of many records, and that may wait.
    ///
    /// - Parameters:
    ///   - batch: whole lines.
    ///   - deadline: when waiting ends at the latest.
    /// - Returns: as ``submit(_:)``.
    @discardableResult
    package func submit(_ batch: RecordBatch, waitingUntil deadline: ContinuousClock.Instant) -> Bool {
        channel.waitForRoom(batch, until: deadline)
        return submit(batch)
    }

    /// Sets the last flush before the batches that are submitted from now on.
    package func note(origin: BatchOrigin) {
        channel.note(origin: origin)
    }

    /// Lets a spool deliver the batches of a flush that is committed, and of those before.
    package func note(committed flush: BatchOrigin) {
        channel.note(committed: flush)
    }

    /// Reopens a file before the next line, in case that it was moved.
    ///
    /// No effect on other outputs.
    package func reopen() {
        channel.reopen()
    }

    /// Counts records that the output's selection leaves out; they are not submitted.
    package func notePassedOver(_ records: Int) {
        channel.notePassedOver(records)
    }

    /// The bytes of records that wait in the queue and in the spool.
    package var waitingBytes: Int { channel.waitingBytes }

    /// Sets by how many levels the aggregation is raised above the configured level.
    package func note(raisedLevels: Int) {
        channel.note(raisedLevels: raisedLevels)
    }

    /// Requests a call, on the output's thread, when all records that are queued now are settled.
    ///
    /// Settled means: written, dropped and counted, or on the disk of the output's spool.
    ///
    /// Nothing is written while `body` runs. It is never called if the output closes before.
    package func mark(_ body: @escaping @Sendable () -> Void) {
        channel.mark(body)
    }

    /// Accepts no more batches, writes the waiting ones within a time limit, and closes.
    ///
    /// - Parameter limit: the maximum time; records that are not delivered by then are dropped and counted.
    /// - Returns: the outcome of all records.
    package func finish(within limit: Duration) -> OutputStatistics {
        finish(by: .now + limit)
    }

    /// Does the same as ``finish(within:)``, with a deadline.
    package func finish(by deadline: ContinuousClock.Instant) -> OutputStatistics {
        channel.stop(by: deadline)
        channel.waitUntilClosed(by: deadline + Self.closingLimit)
        return channel.statistics
    }

    /// Accepts no more batches, and writes the waiting ones until a deadline; returns immediately.
    package func stop(by deadline: ContinuousClock.Instant) {
        channel.stop(by: deadline)
    }

    /// The time after the deadline within which the thread must close: a write to a file may hang in the kernel.
    private static let closingLimit = Duration.milliseconds(500)
}
