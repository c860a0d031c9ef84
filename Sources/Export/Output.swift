package import Logging
import Posix

/// Delivers batches of records to one destination, through a bounded queue and on its own thread.
///
/// ``submit(_:)`` never waits. With a slow or absent reader, the queue becomes full. A full queue evicts batches of higher
/// ranks for batches of lower ranks (``RecordBatch/rank``), and rejects other batches completely; every dropped record is
/// counted.
package final class Output: Sendable {
    /// The queue's limit when none is given, in bytes.
    package static let defaultQueueLimit = 64 << 20

    /// The destination of the records.
    package let specification: OutputSpecification
    /// Whether queued records are stored on disk, and survive the process.
    package let hasSpool: Bool
    private let channel: OutputChannel

    /// Opens an output and starts its thread.
    ///
    /// A file and standard output must open now. The reader of a socket may be absent: connecting is retried with
    /// growing pauses of 100 ms to 10 s.
    ///
    /// - Parameters:
    ///   - specification: the destination.
    ///   - options: the options of the output.
    ///   - queueLimit: the maximum size of the queue, in bytes.
    ///   - lastFlush: the last flush that an earlier run committed: later batches in its spool are discarded. Nil to discard
    ///     nothing.
    ///   - logger: logs when the output becomes unusable, becomes usable again, and closes. Dropped records are in
    ///     ``statistics``.
    ///   - onClosed: called on the output's thread if the output ends without ``finish(within:)``, because standard output has
    ///     no reader any more.
    /// - Throws: an error with the operation, the reason and the remedy.
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

    /// Whether the output accepts no more records, because it was finished or ended by itself.
    package var isClosed: Bool { channel.isClosed }

    /// Queues a batch; never waits.
    ///
    /// - Returns: false if the queue is full or the output is closed; the batch's records are then counted as dropped.
    @discardableResult
    package func submit(_ batch: RecordBatch) -> Bool {
        guard batch.records > 0 else { return true }
        return channel.submit(batch)
    }

    /// Queues a batch, and waits for space while the output's reader is connected and reads.
    ///
    /// For producers that may wait and are faster than the reader, such as a flush with many records.
    ///
    /// - Parameters:
    ///   - batch: complete lines.
    ///   - deadline: the end of the wait.
    /// - Returns: as ``submit(_:)``.
    @discardableResult
    package func submit(_ batch: RecordBatch, waitingUntil deadline: ContinuousClock.Instant) -> Bool {
        channel.waitForRoom(batch, until: deadline)
        return submit(batch)
    }

    /// Sets the last flush before the batches that are submitted next.
    package func note(origin: BatchOrigin) {
        channel.note(origin: origin)
    }

    /// Marks a flush and all earlier ones as committed, so that a spool delivers their batches.
    package func note(committed flush: BatchOrigin) {
        channel.note(committed: flush)
    }

    /// Reopens a file before the next line, because it may have been moved.
    ///
    /// It has no effect on other outputs.
    package func reopen() {
        channel.reopen()
    }

    /// Counts records that the output's filters leave out; they are not submitted.
    package func notePassedOver(_ records: Int) {
        channel.notePassedOver(records)
    }

    /// The number of bytes of records in the queue and in the spool.
    package var waitingBytes: Int { channel.waitingBytes }

    /// Sets by how many levels the aggregation is raised above the configured level.
    package func note(raisedLevels: Int) {
        channel.note(raisedLevels: raisedLevels)
    }

    /// Requests a call on the output's thread when all currently queued records are settled.
    ///
    /// Settled records are written, or dropped and counted, or in the output's spool on disk. Nothing is written while `body`
    /// runs. It is not called if the output closes before.
    package func mark(_ body: @escaping @Sendable () -> Void) {
        channel.mark(body)
    }

    /// Accepts no more batches, writes queued ones within a time limit, and closes.
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

    /// Accepts no more batches, and writes queued ones until a deadline; returns immediately.
    package func stop(by deadline: ContinuousClock.Instant) {
        channel.stop(by: deadline)
    }

    /// The time limit for closing after the deadline, because a write to a file may hang in the kernel.
    private static let closingLimit = Duration.milliseconds(500)
}
