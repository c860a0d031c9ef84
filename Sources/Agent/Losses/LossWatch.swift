import Datapath
import Export
import Logging
import Synchronization

/// Reads all counters of losses of a run, and logs new losses.
final class LossWatch: Sendable {
    /// The counters that only their own threads may read.
    let board = LossBoard()
    private let log: Mutex<LossLog>
    private let mailbox: Mailbox<Pipeline.Message>
    private let tracker: Conntrack?
    private let outputs: LiveOutputs
    private let abandoned = Atomic<Int>(0)

    /// Takes the sources of counters, and the logger.
    init(_ logger: Logger, mailbox: Mailbox<Pipeline.Message>, tracker: Conntrack?, outputs: LiveOutputs) {
        log = Mutex(LossLog(logger))
        self.mailbox = mailbox
        self.tracker = tracker
        self.outputs = outputs
    }

    /// All counters as of now.
    var reading: LossReading {
        var reading = board.last
        reading.delayedBatches = mailbox.delayed
        reading.abandonedBatches = UInt64(abandoned.load(ordering: .relaxed))
        let questions = tracker?.statistics
        reading.conntrackFailures = questions?.failures ?? 0
        reading.skippedQuestions = questions?.skipped ?? 0
        reading.outputs = outputs.standings.map { ($0.name, $0.statistics.drops) }
        return reading
    }

    /// Notes that the run ends before the pipeline has processed the waiting messages.
    func noteAbandoned() {
        abandoned.store(max(mailbox.waiting, 1), ordering: .relaxed)
    }

    /// Logs new losses; to be called about once a second.
    func look() {
        let reading = reading
        log.withLock { $0.note(reading) }
    }

    /// Logs the losses of the whole run.
    func summarize() {
        let reading = reading
        log.withLock { $0.summarize(reading) }
    }
}
