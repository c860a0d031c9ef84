import Datapath
import Encoding
import Export
import FlowLog
import FlowModel
import Inventory
import Logging
import Names
import Policy
import Server

/// Turns the kernel's counts into lines of the outputs. This file, read top to bottom, is the program in short:
///
///     Datapath ── FlowBatch ──> FlowAggregator ── FlowRecord ──> JSONLineEncoder ── bytes ──> Output
///                                  ^      ^
///           Inventory: who owns an address │
///           Policy: which rule decides     │
///                        Conntrack: what was translated
///
/// One thread runs it, a message at a time. Outputs have queues, and a full queue drops records and counts them. While a flush
/// is larger than the queues, the thread waits for readers that read; the kernel's table holds the counts meanwhile.
struct Pipeline: ~Copyable {
    /// A message of the thread that reads the kernel, or of the inventory's.
    enum Message: Sendable {
        /// A new snapshot of the inventory, in use from now on.
        case inventory(InventorySnapshot)
        /// New snapshots of the inventory and of the policies, in use from now on.
        case cluster(InventoryKeeper.Snapshots)
        /// Flows began, had traffic, or ended.
        case flows(FlowBatch)
        /// The interval ends at this reading of the clocks.
        case flush(ClockReading)
        /// The last flush ended its epoch: the datapath must be notified when its records are written.
        case mark(Datapath.Flush)
        /// Settings were changed: these are in force from now on.
        case reload(Reload)
        /// The flush of the last interval ends the epoch with this number; the datapath must be notified when its records are
        /// written.
        case lastEpoch(UInt32)
        /// The last interval ends at this reading of the clocks; no message follows.
        case end(ClockReading)
    }

    private var aggregator: FlowAggregator
    private var inventoryGeneration: UInt64
    private let writer: RecordWriter
    /// Maps addresses to domain names; nil where DNS messages are not collected.
    private let names: DomainTracker?
    private var gaps: PolicyGapLog
    /// Writes the DNS log; nil where it has no outputs.
    private let dnsLog: DNSLogWriter?
    private var disagreements: DisagreementLog
    private var unrecorded: UnrecordedLog
    private let tally: RecordTally
    private let commits: CommitBoard
    private let outputs: LiveOutputs
    /// The number of the last interval's epoch, if it has one.
    private var lastEpoch: UInt32?
    private let tracker: DeadlineTracker?
    private var intervals: IntervalClock
    private let settings: LiveIntervals
    private let finishLimit: Duration
    private let plan: StopPlan
    private var resolver: InventorySnapshot
    private var reduction = BatchReduction()
    private let losses: LossBoard
    private let board: RunBoard
    private var foreignSenders: ForeignSenderLog
    /// Whether taps get all records.
    private let hasTaps: Bool
    /// Sums the traffic of workloads; nil if it is not configured.
    private var meter: FlowMeter?
    /// Links new verdicts with the changes behind them, where audit logs are read.
    private var join: VerdictJoin?
    private let logger: Logger
    private var memory: MemoryKeeper
    private var lastFlush = Clock.monotonic

    /// The shortest interval, ns: records have whole seconds.
    private static let shortestInterval: Int64 = 1_000_000_000

    init(
        _ configuration: AgentConfiguration,
        known: InventoryKeeper.Snapshots,
        tracker: (any ConnectionTracker)?,
        outputs: LiveOutputs,
        plan: StopPlan,
        losses: LossBoard,
        board: RunBoard,
        lacksDrops: Bool,
        tally: RecordTally,
        commits: CommitBoard = CommitBoard(),
        intervals: LiveIntervals,
        logger: Logger,
        start: ClockReading
    ) {
        inventoryGeneration = known.inventory.generation
        let tracker = tracker.map { DeadlineTracker($0, plan) }
        self.tracker = tracker
        self.losses = losses
        self.board = board
        self.logger = logger
        self.tally = tally
        self.commits = commits
        self.outputs = outputs
        unrecorded = UnrecordedLog(logger, hasInventory: configuration.inventory.hasSources)
        self.intervals = IntervalClock(start)
        settings = intervals
        finishLimit = configuration.finishLimit
        self.plan = plan
        let memoryPlan = MemoryPlan(limit: configuration.memoryLimit)
        memory = MemoryKeeper(memoryPlan)
        resolver = known.inventory
        foreignSenders = ForeignSenderLog(logger)
        meter = configuration.meteredWorkloads > 0 ? FlowMeter(limit: configuration.meteredWorkloads) : nil
        join = configuration.changes.map { VerdictJoin($0) }
        disagreements = DisagreementLog(logger, showsAll: configuration.showsMismatches)
        let own = configuration.ownDetail
        hasTaps = !configuration.taps.isEmpty
        let made = configuration.recordDetail
        aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(
                levelForAllowed: made.levelForAllowed,
                levelForDenied: made.levelForDenied,
                readsLoggedVerdicts: !configuration.nflogGroups.isEmpty,
                recordsLoggedDenials: lacksDrops && !configuration.nflogGroups.isEmpty,
                dividesProcesses: configuration.datapath.collects.contains(.process),
                node: configuration.hostName,
                memoryLimit: memoryPlan.flows(beside: ProcessMemory.resident ?? 0)
            ),
            resolver: known.inventory,
            tracker: tracker,
            startTime: start.wall / 1_000_000_000
        )
        aggregator.use(known.policies)
        gaps = PolicyGapLog(configuration, logger)
        names = configuration.datapath.collects.contains(.dns) ? DomainTracker() : nil
        aggregator.domains = names
        if configuration.recordsForwarded {
            let interfaces = HostInterfaces(node: configuration.hostName)
            aggregator.hostInterface = { interfaces.interface($0) }
        }
        let dnsOutputs = names == nil ? [] : outputs.dns
        let second = start.wall / 1_000_000_000
        dnsLog = dnsOutputs.isEmpty ? nil : DNSLogWriter(dnsOutputs, detail: configuration.dnsDetail, start: second)
        writer = RecordWriter(
            outputs.places.map { ($0.output, $0.configuration.selection.completed(by: own)) },
            of: made,
            taps: TapStream(configuration.taps, own, of: made),
            patience: Self.patience(intervals, configuration.finishLimit),
            plan: plan,
            host: configuration.hostName,
            extendedFields: configuration.extendedFields,
            limits: RecordLimits(labelBytes: configuration.labelBytes),
            logger: logger
        )
    }

    /// Processes the mailbox until the end.
    mutating func run(_ mailbox: Mailbox<Message>) {
        while true {
            switch mailbox.next() {
            case .inventory(let snapshot):
                use(snapshot)
            case .cluster(let known):
                use(known.inventory)
                aggregator.use(known.policies)
                gaps.note(known.policies)
            case .flows(let batch):
                process(batch)
                // Ended flows are kept until the interval ends; a flood of short ones ends it early.
                if aggregator.isIntervalFull, Clock.monotonic - lastFlush >= Self.shortestInterval { flush(at: .now) }
                keepMemory()
                noteLosses()
            case .flush(let reading):
                flush(at: reading)
                keepMemory()
                noteLosses()
            case .mark(let flush):
                commits.expect(flush, from: outputs.ofRecords)
                outputs.noteFlush(flush.boot)
            case .reload(let reload):
                use(reload)
            case .lastEpoch(let epoch):
                lastEpoch = epoch
            case .end(let reading):
                flush(at: reading, isLast: true)
                if let lastEpoch { commits.expect(Datapath.Flush(reading, epoch: lastEpoch), from: outputs.ofRecords) }
                noteLosses()
                logDisagreements()
                return
            }
        }
    }

    /// Processes a batch; without its new flows if there is not enough time.
    private mutating func process(_ batch: FlowBatch) {
        let (dnsLog, knowing) = (dnsLog, resolver)
        var lookups: [FlowLookup] = []
        names?.process(batch.dns) { lookup in
            dnsLog?.add(lookup, by: knowing)
            if let lookup = lookup.ofFlow { lookups.append(lookup) }
        }
        if !lookups.isEmpty { aggregator.add(lookups) }
        if !batch.goneInterfaces.isEmpty { names?.forget(interfaces: batch.goneInterfaces) }
        guard plan.hasBegun else { return aggregator.process(batch) }
        let resolver = resolver
        for piece in batch.pieces() {
            if plan.isOver(.detail) {
                aggregator.process(
                    reduction.reduce(piece, isOwn: resolver.isOwn, isWorkload: resolver.isLocalWorkload)
                )
            } else {
                aggregator.process(piece)
            }
        }
    }

    /// Adjusts the memory limit of flows about once a second, and returns free memory to the system.
    private mutating func keepMemory() {
        let now = Clock.monotonic
        guard memory.isDue(now), let resident = ProcessMemory.resident else { return }
        let counted = aggregator.statistics.memory
        let decision = memory.decide(resident: resident, counted: counted, now: now)
        aggregator.setMemoryLimit(decision.flows, reserve: decision.reserve)
        if decision.endsStart { ProcessMemory.releaseCode() }
        guard decision.trims else { return }
        ProcessMemory.trim()
        memory.noteTrimmed(resident: ProcessMemory.resident ?? resident, counted: counted)
    }

    /// Publishes losses and statistics so far.
    private func noteLosses() {
        let (statistics, shortened) = (aggregator.statistics, writer.shortened)
        let (endpoint, skipped) = (writer.shortenedEndpoint, tracker?.skipped ?? 0)
        let (reduced, unlinked) = (reduction.flows, join?.skipped ?? 0)
        let (records, domains) = (writer.records, names?.statistics)
        board.noteRecords { board in
            board.statistics = statistics
            board.records = records
            board.names = domains
            board.workedAt = Clock.monotonic
        }
        losses.note { reading in
            reading.remainderPackets = statistics.remainder.packets
            reading.foldedFlows = statistics.foldedFlows
            reading.coarseFlows = statistics.coarseFlows
            reading.unrecordedDenials = statistics.unrecordedDenials
            reading.untracedForwards = statistics.untracedForwards
            reading.shortened = shortened
            reading.shortenedEndpoint = endpoint
            reading.unaskedFlows = skipped
            reading.reducedFlows = reduced
            reading.refusedNames = domains?.refused ?? 0
            reading.unlinkedRecords = unlinked
        }
    }

    /// Logs the number of disagreements of policies and kernel at the end.
    private func logDisagreements() {
        let statistics = aggregator.statistics
        if statistics.foreignPackets > 0 {
            logger.warning(
                "workloads sent packets under addresses that are not their own",
                metadata: ["packets": "\(statistics.foreignPackets)"]
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
        // Two threads post snapshots: an older one may arrive after a newer one.
        guard snapshot.generation >= inventoryGeneration else { return }
        inventoryGeneration = snapshot.generation
        resolver = snapshot
        aggregator.use(snapshot)
    }

    /// Applies changed settings between two records; levels change when the interval ends.
    private mutating func use(_ reload: Reload) {
        // Records that were gathered for longer intervals go to the former outputs.
        writer.endIntervals()
        let (closed, faults) = outputs.exchange(
            reload.outputs,
            within: plan.time(for: .everyRecord, atMost: finishLimit)
        )
        commits.settle(closed)
        let own = RecordDetail(allowed: reload.levelForAllowed, denied: reload.levelForDenied)
        let wanted = outputs.places.map { ($0.output, $0.configuration.selection.completed(by: own)) }
        let made = RecordDetail(finestOf: wanted.map(\.1), for: hasTaps ? own : nil)
        writer.use(wanted, of: made, taps: own, patience: Self.patience(settings, finishLimit))
        aggregator.setLevels(allowed: made.levelForAllowed, denied: made.levelForDenied)
        reload.finish(faults)
    }

    /// Returns the longest time that a flush may wait for outputs.
    private static func patience(_ intervals: LiveIntervals, _ finishLimit: Duration) -> Duration {
        min(intervals.flush / 2, finishLimit)
    }

    private mutating func flush(at reading: ClockReading, isLast: Bool = false) {
        lastFlush = Clock.monotonic
        defer {
            let duration = Double(Clock.monotonic - lastFlush) / 1e9
            board.noteRecords { $0.flushes.record(duration) }
        }
        let interval = intervals.endInterval(at: reading)
        let (writer, plan) = (writer, plan)
        writer.beginFlush()
        join?.beginFlush()
        var recorded = TrafficCounters.zero
        aggregator.flush(interval.seconds, while: isLast ? { !plan.isOver(.everyRecord) } : nil) { record in
            recorded += record.inbound + record.outbound
            meter?.add(record)
            // A flow that was idle for less than a second is in the previous record.
            if interval.isBrief, record.isIdle { return }
            guard let cause = join?.note(record) else { return writer.write(record) }
            var explained = copy record
            explained.cause = cause
            writer.write(explained)
        }
        join?.endFlush()
        names?.endInterval(now: UInt64(Clock.monotonic))
        writer.endFlush(isLast ? nil : interval.seconds)
        dnsLog?.flush(at: interval.seconds.upperBound, waitingUntil: writer.deadline)
        if let meter { board.noteRecords { $0.workloads = meter.entries } }
        let statistics = aggregator.statistics
        tally.add(recorded, statistics)
        unrecorded.note(statistics.unrecorded, recorded: recorded)
        disagreements.note(aggregator.takeMismatches())
        foreignSenders.note(aggregator.takeForeignSenders())
        log(interval)
    }

    /// Logs a step of the clock or a suspension within an interval.
    private func log(_ interval: IntervalClock.Interval) {
        let seconds = "\(interval.seconds.lowerBound)-\(interval.seconds.upperBound)"
        if interval.step != 0 {
            logger.warning(
                "the clock was set \(interval.step < 0 ? "back" : "forward"): records of this interval have its new time",
                metadata: ["by": "\(Duration.nanoseconds(interval.step.magnitude))", "interval": "\(seconds)"]
            )
        }
        if interval.suspension > 0 {
            logger.notice(
                "the machine was suspended: this interval is so much longer",
                metadata: ["by": "\(Duration.nanoseconds(interval.suspension))", "interval": "\(seconds)"]
            )
        }
    }
}
