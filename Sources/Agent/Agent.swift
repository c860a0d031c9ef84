public import Datapath
public import Export
import FlowModel
import Foundation
import Inventory
public import Logging
import Posix
import Server

/// One run: puts the parts together, starts their threads, ends them in the right order.
///
/// Four kinds of threads: the caller's reads the kernel (``Collector``), one makes records (``Pipeline``), one keeps who
/// owns what (``InventoryKeeper``), and each output has its own. They are joined by bounded queues, so that a slow reader
/// never stops the datapath.
public struct Agent: Sendable {
    let configuration: AgentConfiguration
    let logger: Logger

    /// Batches between the thread that reads the kernel and the pipeline; large ones are fewer (``MemoryPlan/mailbox``).
    private static let mailboxLimit = 64

    /// Takes everything that the run is told.
    public init(_ configuration: AgentConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// What a run amounted to.
    public struct Outcome: Sendable {
        /// What every interface carried.
        public var report: AccountReport
        /// Records that every output of the run took over, or one of them dropped.
        public var outputs: [(name: String, statistics: OutputStatistics)]
        /// What log rules told; nil if none was asked for.
        public var verdicts: VerdictLog.Statistics?
    }

    /// Runs on this thread, in its network namespace, until the duration is over or the stop source says so.
    ///
    /// - Parameters:
    ///   - stop: ends the run.
    ///   - onWatching: called once, when the interfaces that exist at the start are watched.
    /// - Returns: the account, and what became of the records.
    /// - Throws: why it could not start, or had to end.
    public func run(until stop: StopSource, onWatching: () -> Void = {}) throws(AgentError) -> Outcome {
        ProcessMemory.settle()
        try checkReportPath()
        let datapath = try startDatapath()
        try checkPatterns(datapath)
        let verdicts = try VerdictReader(
            configuration.nflogGroups,
            format: configuration.policyFormat,
            logger: logger
        )
        let inventory = InventoryKeeper(
            hostName: configuration.hostName,
            hasSources: configuration.inventory.hasSources,
            policyFormat: configuration.policyFormat
        )
        let sources = try InventorySources(configuration.inventory, observer: inventory, logger: logger) {
            inventory.completePolicies()
        }
        let plan = StopPlan(stop)
        let tracker = openConnectionTracker()
        defer { sources.end(within: plan.time(for: .rest, atMost: .seconds(2))) }
        let outputs = try openOutputs(stop, datapath.lastFlush?.files ?? [])
        let start = datapath.lastFlush.flatMap(ClockReading.init) ?? .now
        datapath.noteStart(Datapath.Flush(start, epoch: 0, files: outputs.outputs.compactMap(\.specification.filePath)))
        configuration.hangUps.onSignal { for output in outputs.outputs { output.reopen() } }
        defer { configuration.hangUps.onSignal(nil) }
        let (desk, intervals) = (ReloadDesk(), LiveIntervals(configuration))
        listenForReloads(outputs, sources, desk)
        defer { configuration.reloads.onReload(nil) }
        let memory = MemoryPlan(limit: configuration.memoryLimit)
        let mailbox = Mailbox<Pipeline.Message>(limit: Self.mailboxLimit, byteLimit: memory.mailbox) { $0.byteCount }
        let tally = RecordTally()
        let commits = CommitBoard()
        let losses = LossWatch(logger, mailbox: mailbox, tracker: tracker, outputs: outputs)
        let board = RunBoard()
        let meter = RateMeter()
        let health = RunHealth(intervals, board, sources)
        let server = try startServer(
            health,
            StatusRoutes(
                configuration: configuration,
                intervals: intervals,
                board: board,
                health: health,
                meter: meter,
                losses: losses,
                outputs: outputs,
                inventory: inventory,
                sources: sources,
                hasTracker: tracker != nil
            ),
            DebugRoutes(board: board, tally: tally, settings: configuration.settings),
            [
                KernelMetrics(board: board), ProgramMetrics(board: board), FlowMetrics(board: board),
                RecordMetrics(board: board, tally: tally, losses: losses, outputs: outputs, tracker: tracker),
                InventoryMetrics(board: board, inventory: inventory, sources: sources),
            ] + configuration.metrics
        )
        defer { server?.stop() }
        countReattachments(of: datapath, on: board)
        let pipeline = try startPipeline(
            mailbox,
            inventory.snapshots(),
            tracker,
            outputs,
            plan,
            losses.board,
            board,
            tally,
            commits,
            intervals,
            lacksDrops: !datapath.countsDrops,
            start: start
        )
        let findings = FindingLog(logger)
        let watch: @Sendable () -> Void = {
            tick(inventory, sources, findings, losses, board)
            meter.look(board)
        }
        try inventory.start(tick: watch) { mailbox.offer(.cluster($0)) }
        let failure = collect(
            datapath,
            verdicts,
            inventory,
            mailbox,
            stop,
            plan,
            losses.board,
            board,
            commits,
            desk,
            intervals,
            onWatching
        )
        desk.close()
        sources.cancel()
        let isComplete = end(mailbox, pipeline, plan, losses)
        inventory.end(within: plan.time(for: .records, atMost: .seconds(1)))
        let outcome = Outcome(
            report: AccountReport(datapath.accounts, records: tally.account),
            outputs: finish(outputs, plan),
            verdicts: verdicts?.statistics
        )
        if let written = commits.take() { datapath.commit(written) }
        // What was not read yet is left for the next run.
        if failure == nil, isComplete { datapath.unpin() }
        losses.summarize()
        try conclude(outcome, failure, plan)
        return outcome
    }

    /// Looks after what is told from outside; about once a second, on the inventory's thread.
    private func tick(
        _ inventory: InventoryKeeper,
        _ sources: InventorySources,
        _ findings: FindingLog,
        _ losses: LossWatch,
        _ board: RunBoard
    ) {
        losses.look()
        sources.poll()
        if let found = inventory.takePolicyFindings() {
            findings.note(found)
            board.note(found)
        }
        if inventory.shouldWarnOfOthersPods() {
            logger.warning(
                "the pods behind this host's interfaces run on another node by name, and are taken for local: check --host",
                metadata: ["host": "\(configuration.hostName)"]
            )
        }
        guard inventory.shouldWarnOfHostName() else { return }
        logger.warning(
            "no Node of the inventory has this host's name: its pods are not known to be local; give --host NAME",
            metadata: ["host": "\(configuration.hostName)"]
        )
    }

    // MARK: Start

    private func openOutputs(_ stop: StopSource, _ written: [Datapath.FileMark]) throws(AgentError) -> LiveOutputs {
        let settings = OutputSettings(
            hostName: configuration.hostName,
            memoryLimit: configuration.memoryLimit,
            logger: logger,
            onClosed: { stop.stop() }
        )
        let outputs = LiveOutputs(settings)
        cutBack(written)
        try outputs.open(configuration.outputs)
        return outputs
    }

    /// Removes from files what a run that died had written and not noted as written: this one reports it again.
    private func cutBack(_ written: [Datapath.FileMark]) {
        let written = written.map { WrittenFile(device: $0.device, inode: $0.inode, length: $0.length) }
        guard !written.isEmpty else { return }
        for path in configuration.outputs.compactMap(\.specification.filePath) {
            let bytes = WrittenFile.cutBack(path, to: written)
            if bytes == 0 { continue }
            logger.info(
                "removed the last records of a run that died: their traffic is reported again",
                metadata: ["output": "\(path)", "bytes": "\(bytes)"]
            )
        }
    }

    private func startDatapath() throws(AgentError) -> Datapath {
        do throws(DatapathError) {
            var settings = configuration.datapath
            settings.overflowFlows = min(
                settings.overflowFlows,
                MemoryPlan(limit: configuration.memoryLimit).overflowFlows
            )
            let datapath = try Datapath(settings)
            datapath.onNotice = { [logger] in Self.log($0, to: logger) }
            return datapath
        } catch {
            if case .verifier(_, _, let log) = error { logger.debug("verifier log", metadata: ["log": "\(log)"]) }
            throw .datapath(error)
        }
    }

    /// A pattern that matches nothing is an error of a run that is too short to wait; that nothing is there yet is not.
    private func checkPatterns(_ datapath: Datapath) throws(AgentError) {
        let unmatched = datapath.unmatchedPatterns
        if !unmatched.isEmpty {
            guard configuration.duration == nil else { throw .noInterface(patterns: unmatched) }
            logger.warning(
                "no interface matches yet: waiting for one",
                metadata: ["patterns": "\(unmatched.joined(separator: " "))"]
            )
        } else if datapath.selectsNothing {
            logger.warning("no interface is selected yet: waiting for one")
        }
    }

    private func startPipeline(
        _ mailbox: Mailbox<Pipeline.Message>,
        _ known: InventoryKeeper.Snapshots,
        _ tracker: Conntrack?,
        _ outputs: LiveOutputs,
        _ plan: StopPlan,
        _ losses: LossBoard,
        _ board: RunBoard,
        _ tally: RecordTally,
        _ commits: CommitBoard,
        _ intervals: LiveIntervals,
        lacksDrops: Bool,
        start: ClockReading
    ) throws(AgentError) -> WakeUp {
        let ended = WakeUp()
        let (configuration, logger) = (configuration, logger)
        try Self.startThread("weir-pipeline") {
            var pipeline = Pipeline(
                configuration,
                known: known,
                tracker: tracker,
                outputs: outputs,
                plan: plan,
                losses: losses,
                board: board,
                lacksDrops: lacksDrops,
                tally: tally,
                commits: commits,
                intervals: intervals,
                logger: logger,
                start: start
            )
            pipeline.run(mailbox)
            ended.signal()
        }
        return ended
    }

    /// Runs a body on a thread of its own.
    static func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) throws(AgentError) {
        do throws(SystemError) {
            try WorkerThread.start(name, body)
        } catch {
            throw .thread("\(error)")
        }
    }

    /// Without connection tracking connections are reported as the interfaces show them.
    private func openConnectionTracker() -> Conntrack? {
        if let tracker = configuration.tracker { return tracker }
        do throws(DatapathError) {
            return try Conntrack()
        } catch {
            logger.info("no connection tracking: NAT is not seen through", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    // MARK: Run

    private func collect(
        _ datapath: Datapath,
        _ verdicts: VerdictReader?,
        _ inventory: InventoryKeeper,
        _ mailbox: Mailbox<Pipeline.Message>,
        _ stop: StopSource,
        _ plan: StopPlan,
        _ losses: LossBoard,
        _ board: RunBoard,
        _ commits: CommitBoard,
        _ desk: ReloadDesk,
        _ intervals: LiveIntervals,
        _ onWatching: () -> Void
    ) -> AgentError? {
        do throws(DatapathError) {
            var collector = Collector(
                configuration,
                datapath: datapath,
                verdicts: verdicts,
                inventory: inventory,
                mailbox: mailbox,
                stop: stop,
                plan: plan,
                losses: losses,
                board: board,
                commits: commits,
                desk: desk,
                intervals: intervals
            )
            try collector.run(onWatching: onWatching)
            return nil
        } catch {
            return .datapath(error)
        }
    }

    // MARK: End

    /// Ends the pipeline; returns whether it has made all records.
    private func end(
        _ mailbox: Mailbox<Pipeline.Message>,
        _ pipeline: WakeUp,
        _ plan: StopPlan,
        _ losses: LossWatch
    ) -> Bool {
        plan.begin()
        mailbox.insist(.end(.now))
        if pipeline.wait(atMost: plan.time(for: .records)) { return true }
        losses.noteAbandoned()
        logger.error("the run ended before the records of its last interval were made: they are missing")
        return false
    }

    /// Ends all outputs at the same time, and waits for them.
    private func finish(_ outputs: LiveOutputs, _ plan: StopPlan) -> [(name: String, statistics: OutputStatistics)] {
        let deadline = ContinuousClock.now + plan.time(for: .outputs, atMost: configuration.finishLimit)
        for output in outputs.outputs { output.stop(by: deadline) }
        for tap in configuration.taps { tap.finish(by: deadline) }
        return outputs.finish(by: deadline)
    }

    /// Writes the report and says how the run ended.
    ///
    /// - Throws: why the run had to end, else why the report could not be written.
    private func conclude(_ outcome: Outcome, _ failure: AgentError?, _ plan: StopPlan) throws(AgentError) {
        if failure == nil { log(outcome) }
        do throws(AgentError) {
            try writeReport(outcome.report, within: plan.time(for: .rest))
        } catch {
            guard let failure else { throw error }
            logger.error("\(error)")
            throw failure
        }
        if let failure { throw failure }
    }

    /// Fails before the run, and not after it, when the report cannot be written.
    private func checkReportPath() throws(AgentError) {
        guard let path = configuration.reportPath else { return }
        do throws(FileError) {
            try TextFile(path: path).check()
        } catch {
            throw .file(error)
        }
    }

    private func writeReport(_ report: AccountReport, within limit: Duration) throws(AgentError) {
        guard let path = configuration.reportPath else { return }
        do throws(FileError) {
            try TextFile(path: path).write(report.json, within: limit)
        } catch {
            throw .file(error)
        }
    }
}

// MARK: - Log

extension Agent {
    private static func log(_ notice: Datapath.Notice, to logger: Logger) {
        switch notice {
        case .attached(let name, let index, let role, let reason, let mechanism):
            logger.info(
                "watching \(name)",
                metadata: [
                    "ifindex": "\(index)", "role": "\(role.name)", "because": "\(reason)", "attach": "\(mechanism)",
                ]
            )
        case .roleChanged(let name, let index, let role, let reason):
            logger.info(
                "role of \(name) is now \(role.name)",
                metadata: ["ifindex": "\(index)", "because": "\(reason)"]
            )
        case .detached(let name, let index):
            logger.info("no longer watching \(name)", metadata: ["ifindex": "\(index)"])
        case .renamed(let old, let new):
            logger.info("\(old) is now \(new)")
        case .reattached(let name, let index, let ingress, let egress):
            logger.error(
                "somebody removed the programs from \(name): they are back, what it carried meanwhile is in no record",
                metadata: [
                    "ifindex": "\(index)", "packets_in": "\(ingress.packets)", "packets_out": "\(egress.packets)",
                    "bytes_in": "\(ingress.bytes)", "bytes_out": "\(egress.bytes)",
                ]
            )
        case .removed(let name, let reason):
            logger.error(
                "somebody removed the programs from \(name), and they cannot be put back: what it carries is in no record",
                metadata: ["reason": "\(reason)"]
            )
        case .leftOut(let name, let reason):
            logger.info("not watching \(name): \(reason)")
        case .countedTwice(let upper, let lower):
            logger.warning(
                "packets that cross \(upper) and \(lower) are counted on both: leave one out with --exclude-interface"
            )
        case .dropsUnavailable(let reason):
            logger.warning("drops are not seen", metadata: ["reason": "\(reason)"])
        case .socketsUnavailable(let reason):
            logger.warning("sockets are not read: the fields tcp_* stay empty", metadata: ["reason": "\(reason)"])
        case .olderSocketsUnavailable(let reason):
            logger.warning(
                "sockets that are older than this run are not read, or not all: the fields tcp_* of their connections stay empty",
                metadata: ["reason": "\(reason)"]
            )
        case .addressesHidden:
            logger.warning(
                """
                the kernel keeps the addresses of its functions to itself: what XDP programs and nfqueues drop is not seen as \
                denied; give CAP_SYSLOG, with kernel.kptr_restrict at most 1
                """
            )
        case .unpinned(let reason):
            logger.warning(
                "nothing is pinned: what is counted while no agent runs is lost",
                metadata: ["reason": "\(reason)"]
            )
        case .resumed(let flows, let interfaces):
            logger.info(
                "going on where an agent before ended",
                metadata: ["flows": "\(flows)", "interfaces": "\(interfaces)"]
            )
        case .draining(let layout):
            logger.info("reading the flow table of an agent before to its end", metadata: ["layout": "\(layout)"])
        case .unreadable(let layout):
            logger.error(
                """
                the flow table of an agent before cannot be read: what it counted is in no record; run that version once more, or \
                remove the table with weir detach
                """,
                metadata: ["layout": "\(layout)"]
            )
        case .failed(let name, let reason):
            logger.warning("cannot watch \(name)", metadata: ["reason": "\(reason)"])
        }
    }

    private func log(_ outcome: Outcome) {
        let report = outcome.report
        let seen = (report.totals.ingress.seen, report.totals.egress.seen)
        let remainder = report.totals.ingress.remainder.packets + report.totals.egress.remainder.packets
        let gap = report.totals.ingress.gap.packets + report.totals.egress.gap.packets
        logger.log(
            level: !report.balanced || gap > 0 ? .error : remainder == 0 ? .info : .warning,
            "account \(report.balanced ? "balanced" : "NOT balanced")",
            metadata: [
                "interfaces": "\(report.interfaces.count)",
                "packets": "\(seen.0.packets + seen.1.packets)",
                "bytes": "\(seen.0.bytes + seen.1.bytes)",
                "remainder_packets": "\(remainder)",
                "gap_packets": "\(gap)",
            ]
        )
        guard let records = report.records else { return }
        logger.info(
            "in records",
            metadata: [
                "packets": "\(records.recorded.packets)",
                "without_other_end": "\(records.remainder.packets)",
                "of_another_interface": "\(records.elsewhere.packets)",
                "in_none_neither_end_local": "\(records.unrecorded.transit.packets)",
                "in_none_not_ip": "\(records.unrecorded.notIP.packets)",
                "in_none_unparsed": "\(records.unrecorded.unparsed.packets)",
            ]
        )
    }
}
