package import Datapath
package import Export
package import Logging
import Posix

/// A run of the agent: puts the parts together, starts their threads, ends them in the right order.
///
/// Four kinds of threads: the caller's reads the kernel (``Collector``), one makes records (``Pipeline``), one keeps the
/// inventory (``InventoryKeeper``), and each output has its own. Bounded queues connect them, so that a slow reader never stops
/// the datapath.
package struct Agent: Sendable {
    let configuration: AgentConfiguration
    let logger: Logger

    /// Takes the configuration of the run.
    package init(_ configuration: AgentConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// The results of a run.
    package struct Outcome: Sendable {
        /// The account of every interface.
        package var report: AccountReport
        /// The numbers of records that each output took over or dropped.
        package var outputs: [(name: String, statistics: OutputStatistics)]
        /// Statistics of logging rules; nil if no group was configured.
        package var verdicts: VerdictLog.Statistics?
    }

    /// Runs on this thread, in its network namespace, until the duration is over or the stop source is stopped.
    ///
    /// - Parameters:
    ///   - stop: ends the run.
    ///   - onWatching: called once, when the interfaces that exist at the start are watched.
    /// - Returns: the account, and the outcome of the records.
    /// - Throws: the reason why it could not start, or had to end.
    package func run(until stop: StopSource, onWatching: () -> Void = {}) throws(AgentError) -> Outcome {
        ProcessMemory.settle()
        try checkReportPath()
        let datapath = try startDatapath()
        try checkPatterns(datapath)
        let verdicts = try VerdictReader(
            configuration.nflogGroups,
            format: configuration.policyFormat,
            logger: logger
        )
        let (inventory, sources) = try openInventory()
        let plan = StopPlan(stop)
        let tracker = openConnectionTracker()
        defer { sources.end(within: plan.time(for: .rest, atMost: .seconds(2))) }
        let outputs = try openOutputs(stop, datapath)
        let start = noteStart(of: datapath, outputs)
        configuration.hangUps.onSignal { for output in outputs.outputs { output.reopen() } }
        defer { configuration.hangUps.onSignal(nil) }
        let parts = RunParts(configuration, stop, plan, inventory, sources, tracker, outputs, logger)
        listenForReloads(outputs, sources, parts.desk)
        defer { configuration.reloads.onReload(nil) }
        let server = try startServer(parts)
        defer { server?.stop() }
        countReattachments(of: datapath, on: parts.board)
        let pipeline = try startPipeline(parts, lacksDrops: !datapath.countsDrops, start: start)
        try startTicking(parts)
        let failure = collect(datapath, verdicts, parts, onWatching)
        parts.desk.close()
        sources.cancel()
        let isComplete = end(pipeline, parts) && failure == nil
        let isRemoved = isComplete && commitLast(datapath, parts)
        inventory.end(within: plan.time(for: .records, atMost: .seconds(1)))
        let outcome = Outcome(
            report: AccountReport(datapath.finalAccounts, records: parts.tally.account),
            outputs: finish(outputs, plan),
            verdicts: verdicts?.statistics
        )
        if let written = parts.commits.take() { datapath.commit(written) }
        // Everything that was not read yet is left for the next run.
        if isComplete, !isRemoved { datapath.unpin() }
        parts.losses.summarize()
        try conclude(outcome, failure, plan)
        return outcome
    }

    /// Starts the inventory's thread, which also polls the sources.
    private func startTicking(_ parts: RunParts) throws(AgentError) {
        let findings = FindingLog(logger)
        let mailbox = parts.mailbox
        let watch: @Sendable () -> Void = {
            tick(parts.inventory, parts.sources, findings, parts.losses, parts.board)
            parts.meter.look(parts.board)
        }
        try parts.inventory.start(tick: watch) { mailbox.offer(.cluster($0)) }
    }

    /// Polls the sources and logs findings and warnings; about once a second, on the inventory's thread.
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

    private func openInventory() throws(AgentError) -> (InventoryKeeper, InventorySources) {
        let inventory = InventoryKeeper(
            hostName: configuration.hostName,
            hasSources: configuration.inventory.hasSources,
            policyFormat: configuration.policyFormat,
            tap: configuration.inventoryTap,
            changes: configuration.changes
        )
        let sources = try InventorySources(configuration.inventory, observer: inventory, logger: logger) {
            inventory.completePolicies()
        }
        return (inventory, sources)
    }

    /// Returns the beginning of the first interval: the end of the previous agent's last interval, else now.
    private func noteStart(of datapath: Datapath, _ outputs: LiveOutputs) -> ClockReading {
        let start = datapath.lastFlush.flatMap(ClockReading.init) ?? .now
        datapath.noteStart(
            Datapath.Flush(start, epoch: 0, files: outputs.ofRecords.compactMap(\.specification.filePath))
        )
        outputs.begin(after: BatchOrigin(counters: datapath.countersNumber, flush: UInt64(max(0, start.boot))))
        return start
    }

    private func openOutputs(_ stop: StopSource, _ datapath: Datapath) throws(AgentError) -> LiveOutputs {
        let settings = OutputSettings(
            hostName: configuration.hostName,
            memoryLimit: configuration.memoryLimit,
            logger: logger,
            onClosed: { stop.stop() }
        )
        let outputs = LiveOutputs(settings, beside: configuration.dnsOutputs.count)
        let lastFlush = datapath.lastFlush
        cutBack(lastFlush?.files ?? [])
        let origin = lastFlush.map {
            BatchOrigin(counters: datapath.countersNumber, flush: UInt64(max(0, $0.boot)))
        }
        try outputs.open(configuration.outputs, after: origin)
        try outputs.openDNS(configuration.dnsOutputs)
        return outputs
    }

    /// Cuts off from files the records that a run wrote and did not commit before it died: this run reports them again.
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

    /// Throws if a pattern matches no interface and the run is too short to wait for one; otherwise an interface may still
    /// appear.
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
        _ parts: RunParts,
        lacksDrops: Bool,
        start: ClockReading
    ) throws(AgentError) -> WakeUp {
        let ended = WakeUp()
        let known = parts.inventory.snapshots()
        let (configuration, logger) = (configuration, logger)
        try Self.startThread("weir-pipeline") {
            var pipeline = Pipeline(
                configuration,
                known: known,
                tracker: parts.tracker,
                outputs: parts.outputs,
                plan: parts.plan,
                losses: parts.losses.board,
                board: parts.board,
                lacksDrops: lacksDrops,
                tally: parts.tally,
                commits: parts.commits,
                intervals: parts.intervals,
                logger: logger,
                start: start
            )
            pipeline.run(parts.mailbox)
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

    /// Opens connection tracking; without it, records show the addresses of connections as on the interfaces.
    private func openConnectionTracker() -> Conntrack? {
        if let tracker = configuration.tracker { return tracker }
        do throws(DatapathError) {
            return try Conntrack()
        } catch {
            logger.info("no connection tracking: NAT is not resolved", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    // MARK: Run

    private func collect(
        _ datapath: Datapath,
        _ verdicts: VerdictReader?,
        _ parts: RunParts,
        _ onWatching: () -> Void
    ) -> AgentError? {
        do throws(DatapathError) {
            var collector = Collector(
                configuration,
                datapath: datapath,
                verdicts: verdicts,
                inventory: parts.inventory,
                mailbox: parts.mailbox,
                stop: parts.stop,
                plan: parts.plan,
                losses: parts.losses.board,
                board: parts.board,
                commits: parts.commits,
                outputs: parts.outputs,
                desk: parts.desk,
                intervals: parts.intervals
            )
            try collector.run(onWatching: onWatching)
            return nil
        } catch {
            return .datapath(error)
        }
    }

    // MARK: End

    /// Ends the pipeline; returns whether it has made all records.
    private func end(_ pipeline: WakeUp, _ parts: RunParts) -> Bool {
        parts.plan.begin()
        parts.mailbox.insist(.end(.now))
        if pipeline.wait(atMost: parts.plan.time(for: .records)) { return true }
        parts.losses.noteAbandoned()
        logger.error("the run ended before the records of its last interval were made: they are missing")
        return false
    }

    /// The longest time for which outputs without a spool may delay the last commit.
    private static let lastCommitLimit = Duration.seconds(1)

    /// Commits the written records before spools deliver them, so that a later run does not make delivered records again.
    ///
    /// - Returns: whether the counters were removed.
    private func commitLast(_ datapath: Datapath, _ parts: RunParts) -> Bool {
        guard datapath.isPinned, parts.outputs.places.contains(where: \.output.hasSpool) else { return false }
        let limit = parts.plan.time(for: .outputs, atMost: Self.lastCommitLimit)
        guard let written = parts.commits.waitForLast(atMost: limit) else { return false }
        datapath.commit(written)
        datapath.unpin()
        parts.outputs.noteCommit(.max)
        return true
    }

    /// Ends all outputs at the same time, and waits for them.
    private func finish(_ outputs: LiveOutputs, _ plan: StopPlan) -> [(name: String, statistics: OutputStatistics)] {
        let deadline = ContinuousClock.now + plan.time(for: .outputs, atMost: configuration.finishLimit)
        for output in outputs.outputs { output.stop(by: deadline) }
        for tap in configuration.taps { tap.finish(by: deadline) }
        return outputs.finish(by: deadline)
    }
}
