public import Logging

/// Brings batches of records to one place: a bounded queue, and a thread of its own behind it.
///
/// ``submit(_:)`` never waits. A reader that is away or slow fills the queue; a full queue refuses new batches whole,
/// and every refused record is counted.
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
    ///   - queueLimit: the most bytes of records that may wait.
    ///   - logger: gets one line when the output goes away, one when it is back, and reports of dropped records.
    ///   - onClosed: called on the output's thread if the output ends without ``finish(within:)``: standard output
    ///     whose reader is gone.
    /// - Throws: an error that says what could not be opened, why, and what to do.
    public init(
        _ specification: OutputSpecification,
        queueLimit: Int = Output.defaultQueueLimit,
        logger: Logger,
        onClosed: @escaping @Sendable () -> Void = {}
    ) throws(OutputError) {
        self.specification = specification
        do {
            channel = try OutputChannel(queueLimit: queueLimit)
            let channel = channel
            let opening = Opening(specification)
            if opening.mustOpenNow { try opening.open() }
            try WorkerThread.start("weir-output") {
                var worker = OutputWorker(
                    name: "\(specification)",
                    channel: channel,
                    sink: opening.sink,
                    isOpen: opening.mustOpenNow,
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

    /// Takes no more batches, writes what waits, for so long at most, and closes.
    ///
    /// - Parameter limit: the longest time; what is not delivered by then is dropped and counted.
    /// - Returns: what became of all records.
    public func finish(within limit: Duration) -> OutputStatistics {
        channel.stop(by: .now + limit)
        channel.waitUntilClosed(by: .now + limit + .seconds(2))
        return channel.statistics
    }
}
