import Encoding
import Export
import FlowLog
import FlowModel
import Inventory
import Logging
import Policy

/// From what the kernel counted to what leaves the agent. Read this file top to bottom and you have seen the program:
///
///     Datapath ── FlowBatch ──> FlowAggregator ── FlowRecord ──> JSONLineEncoder ── bytes ──> Output
///                                  ^      ^
///           Inventory: who owns an address │
///           Policy: which rule decides     │
///                        Conntrack: what was translated
///
/// One thread runs it, a message at a time. Outputs queue, and a full queue refuses and counts. While a flush is larger
/// than the queues, the thread waits for readers that read; the kernel's table holds what is counted meanwhile.
struct Pipeline: ~Copyable {
    /// What the thread that reads the kernel says.
    enum Message: Sendable {
        /// This is who owns what from now on.
        case inventory(InventorySnapshot)
        /// So it is, and this is what policies decide.
        case cluster(InventoryKeeper.Snapshots)
        /// Flows began, carried something, or ended.
        case flows(FlowBatch)
        /// The interval ends, at this Unix time in seconds.
        case flush(Int64)
        /// Nothing comes after this.
        case end
    }

    private var aggregator: FlowAggregator
    private var inventoryGeneration: UInt64
    private let writer: RecordWriter
    private var disagreements: DisagreementLog
    private var unrecorded: UnrecordedLog
    private let tally: RecordTally
    private let logger: Logger

    /// About 100 MB of them.
    private static let endedFlowsLimit = 500_000

    init(
        _ configuration: AgentConfiguration,
        known: InventoryKeeper.Snapshots,
        tracker: (any ConnectionTracker)?,
        outputs: [Output],
        lacksDrops: Bool,
        tally: RecordTally,
        logger: Logger,
        startTime: Int64
    ) {
        inventoryGeneration = known.inventory.generation
        self.logger = logger
        self.tally = tally
        unrecorded = UnrecordedLog(logger, hasInventory: configuration.inventory.hasSources)
        disagreements = DisagreementLog(logger, showsAll: configuration.showsMismatches)
        aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(
                levelForAllowed: configuration.levelForAllowed,
                levelForDenied: configuration.levelForDenied,
                readsLoggedVerdicts: !configuration.nflogGroups.isEmpty,
                recordsLoggedDenials: lacksDrops && !configuration.nflogGroups.isEmpty
            ),
            resolver: known.inventory,
            tracker: tracker,
            startTime: startTime
        )
        aggregator.use(known.policies)
        writer = RecordWriter(
            outputs,
            patience: min(configuration.flushInterval / 2, configuration.finishLimit),
            extendedFields: configuration.extendedFields
        )
    }

    /// Works through the mailbox until the end.
    mutating func run(_ mailbox: Mailbox<Message>) {
        while true {
            switch mailbox.next() {
            case .inventory(let snapshot):
                use(snapshot)
            case .cluster(let known):
                use(known.inventory)
                aggregator.use(known.policies)
            case .flows(let batch):
                aggregator.process(batch)
                // Ended flows are kept until the interval ends; a flood of short ones ends it early.
                if aggregator.statistics.endedFlows > Self.endedFlowsLimit {
                    flush(at: Clock.wall / 1_000_000_000)
                }
            case .flush(let time):
                flush(at: time)
            case .end:
                logLosses()
                return
            }
        }
    }

    /// Says at the end what was denied and is in no record, and how often policies and kernel disagreed.
    private func logLosses() {
        let statistics = aggregator.statistics
        if statistics.unrecordedDenials > 0 {
            logger.info(
                "denied packets are in no record",
                metadata: ["packets": "\(statistics.unrecordedDenials)"]
            )
        }
        if statistics.unexpectedDenials > 0 || statistics.unexpectedAllowances > 0 {
            logger.info(
                "policies and the kernel disagreed",
                metadata: [
                    "dropped_connections": "\(statistics.unexpectedDenials)",
                    "allowed_connections": "\(statistics.unexpectedAllowances)",
                ]
            )
        }
    }

    private mutating func use(_ snapshot: InventorySnapshot) {
        // Two threads post snapshots: an older one may come after a newer.
        guard snapshot.generation >= inventoryGeneration else { return }
        inventoryGeneration = snapshot.generation
        aggregator.use(snapshot)
    }

    private mutating func flush(at time: Int64) {
        let writer = writer
        writer.beginFlush()
        var recorded = TrafficCounters.zero
        aggregator.flush(at: time) { record in
            recorded += record.inbound + record.outbound
            // A flush may come in the second of the one before: an interval without length.
            if record.startTime < record.endTime || !record.isIdle { writer.write(record) }
        }
        writer.endFlush()
        let statistics = aggregator.statistics
        tally.add(recorded, statistics)
        unrecorded.note(statistics.unrecorded, recorded: recorded)
        disagreements.note(aggregator.takeMismatches())
    }
}

/// Turns records into lines and hands them to all outputs, in batches.
private final class RecordWriter {
    private var encoder: JSONLineEncoder
    private var lines = ByteBuffer(capacity: 2 * RecordWriter.batchBytes)
    private var records = 0
    private let outputs: [Output]
    private let patience: Duration
    private var deadline = ContinuousClock.now

    /// Bytes of lines after which a batch is handed on.
    private static let batchBytes = 256 << 10

    /// Records are made faster than anything reads them: within a flush, `patience` is how long all batches together
    /// may wait for room in the queues of outputs that do read.
    init(_ outputs: [Output], patience: Duration, extendedFields: Bool) {
        encoder = JSONLineEncoder(extendedFields: extendedFields)
        self.outputs = outputs
        self.patience = patience
    }

    func beginFlush() {
        deadline = .now + patience
    }

    func write(_ record: borrowing FlowRecord) {
        encoder.encode(record, into: &lines)
        records += 1
        if lines.count >= Self.batchBytes { submit() }
    }

    /// Hands on what is left of a flush.
    func endFlush() {
        if records > 0 { submit() }
        encoder.forgetUnused()
    }

    private func submit() {
        let batch = RecordBatch(bytes: lines.take(), records: records)
        for output in outputs { output.submit(batch, waitingUntil: deadline) }
        records = 0
    }
}
