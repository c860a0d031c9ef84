import Datapath
import FlowModel
import Glibc
import Inventory
import Server

/// Reads the kernel: waits for the next task, scans the flow table, follows interfaces, reads entries of logging rules, and
/// posts everything to the pipeline.
///
/// Runs on the thread, and in the network namespace, of its caller.
struct Collector {
    let datapath: Datapath
    let verdicts: VerdictReader?
    let inventory: InventoryKeeper
    let mailbox: Mailbox<Pipeline.Message>
    let stop: StopSource
    private let plan: StopPlan
    private let losses: LossBoard
    private let board: RunBoard
    /// The time when the kernel's counts of dropped packets and runs of programs are to be published next, CLOCK_MONOTONIC ns.
    private var dropsAt = Int64.min
    /// The pause between two readings of these counts, ns.
    private static let dropsPause: Int64 = 5_000_000_000
    private var sockets = SocketSchedule()
    private let commits: CommitBoard
    /// The outputs, which hold back records that are not committed.
    private let outputs: LiveOutputs?
    private let desk: ReloadDesk
    private let intervals: LiveIntervals
    /// Whether the programs continue to count after a stop.
    private let isLeft: Bool
    private var polls: Schedule
    private var flushes: Schedule
    private let end: Int64?
    /// The generation of the addresses behind interfaces that the inventory has.
    private var placesGeneration: UInt64?

    init(
        _ configuration: AgentConfiguration,
        datapath: Datapath,
        verdicts: VerdictReader?,
        inventory: InventoryKeeper,
        mailbox: Mailbox<Pipeline.Message>,
        stop: StopSource,
        plan: StopPlan,
        losses: LossBoard,
        board: RunBoard,
        commits: CommitBoard = CommitBoard(),
        outputs: LiveOutputs? = nil,
        desk: ReloadDesk = ReloadDesk(),
        intervals: LiveIntervals
    ) {
        (self.commits, self.outputs) = (commits, outputs)
        self.desk = desk
        self.intervals = intervals
        isLeft = configuration.datapath.pinning == .always
        self.datapath = datapath
        self.verdicts = verdicts
        self.inventory = inventory
        self.mailbox = mailbox
        self.stop = stop
        self.plan = plan
        self.losses = losses
        self.board = board
        let now = Clock.monotonic
        polls = Schedule(every: configuration.pollInterval, isAligned: false, now: now, wall: Clock.wall)
        flushes = Schedule(every: configuration.flushInterval, isAligned: true, now: now, wall: Clock.wall)
        end = configuration.duration.map { now + $0.nanoseconds }
    }

    /// Runs until the duration is over or the stop source is stopped, then reads and posts the rest.
    mutating func run(onWatching: () -> Void) throws(DatapathError) {
        postPlacedAddresses()
        postOwnAddresses()
        try datapath.attach()
        let countsDrops = datapath.countsDrops
        board.noteKernel { kernel in
            kernel.isAttached = true
            kernel.countsDrops = countsDrops
        }
        publish()
        onWatching()
        do throws(DatapathError) {
            while try step() {}
        } catch {
            // Packets that were counted until then are still written.
            try? finish()
            throw error
        }
        try finish()
    }

    private mutating func finish() throws(DatapathError) {
        plan.begin()
        datapath.isPastDetailDeadline = { [plan] in plan.isOver(.detail) }
        defer { publish() }
        verdicts?.finish()
        guard isLeft, stop.requestedAt != nil else {
            try read { emit throws(DatapathError) in try datapath.detach(emit: emit) }
            // No epoch: the removal of the counters commits the records that are written then.
            return post(.lastEpoch(0))
        }
        datapath.leave()
        let epoch = try read { emit throws(DatapathError) in try datapath.scan(closesEpoch: true, emit: emit) }
        if let epoch { post(.lastEpoch(epoch)) }
    }

    /// Waits for the next task and performs it; false when the run is over.
    private mutating func step() throws(DatapathError) -> Bool {
        let ready = wait()
        if ready.stop { return false }
        verdicts?.drain()
        if ready.interfaces,
            try read({ emit throws(DatapathError) in try datapath.followInterfaces(emit: emit) })
        {
            postOwnAddresses()
        }
        if ready.overflow { datapath.drainOverflow() }
        if ready.sockets { datapath.drainSockets() }
        if ready.dns { datapath.drainDNS() }
        if ready.datagrams { datapath.drainDatagrams() }
        if let written = commits.take(), datapath.commit(written) { outputs?.noteCommit(written.boot) }
        if let reload = desk.take() { use(reload) }

        let now = Clock.monotonic
        if let end, now >= end { return false }
        let isFlush = flushes.isDue(now)
        guard isFlush || polls.isDue(now) else { return true }
        postPlacedAddresses()
        if let workloads = inventory.takeLocalWorkloads() { datapath.setWorkloadAddresses(workloads) }
        let pass = sockets.pass(now: now, isFlush: isFlush, flushInterval: intervals.flush)
        if pass == .sample { datapath.sampleSockets() }
        let epoch = try read { emit throws(DatapathError) in
            try datapath.scan(closesEpoch: isFlush, readsSockets: pass == .report, emit: emit)
        }
        polls.advance(now: now, wall: Clock.wall)
        let scanned = Clock.monotonic
        board.noteKernel { kernel in
            kernel.scans.record(Double(scanned - now) / 1e9)
            kernel.scannedAt = scanned
        }
        publish()
        if isFlush {
            postFlush(epoch)
            flushes.advance(now: Clock.monotonic, wall: Clock.wall)
        }
        return true
    }

    /// Notes the beginnings of new files before anything is written to them, and passes changed settings on.
    private mutating func use(_ reload: Reload) {
        let files = reload.outputs.opened.keys.compactMap(\.filePath).compactMap { Datapath.FileMark(at: $0) }
        commits.add(files)
        datapath.noteFiles(files)
        let (now, wall) = (Clock.monotonic, Clock.wall)
        if reload.pollInterval != intervals.poll {
            polls = Schedule(every: reload.pollInterval, isAligned: false, now: now, wall: wall)
        }
        if reload.flushInterval != intervals.flush {
            flushes = Schedule(every: reload.flushInterval, isAligned: true, now: now, wall: wall)
        }
        intervals.set(poll: reload.pollInterval, flush: reload.flushInterval)
        post(.reload(reload))
    }

    /// Ends the interval, and the epoch with this number, if one ends.
    private func postFlush(_ epoch: UInt32?) {
        let reading = ClockReading.now
        post(.flush(reading))
        if let epoch { post(.mark(Datapath.Flush(reading, epoch: epoch))) }
    }

    /// Publishes counts and losses so far.
    private mutating func publish() {
        let reading = datapath.reading
        losses.note(datapath: reading.losses, verdicts: verdicts?.statistics)
        let now = Clock.monotonic
        let drops = now >= dropsAt ? datapath.droppedPackets : nil
        let programs = now >= dropsAt ? datapath.programTimes : nil
        if drops != nil { dropsAt = now + Self.dropsPause }
        board.noteKernel { kernel in
            kernel.reading = reading
            if let drops { kernel.drops = drops }
            if let programs { kernel.programs = programs }
        }
    }

    private func wait() -> (stop: Bool, interfaces: Bool, overflow: Bool, sockets: Bool, dns: Bool, datagrams: Bool) {
        let descriptors = datapath.descriptors
        // Negative differences are ignored.
        let (sockets, dns) = (datapath.socketDescriptor, datapath.dnsDescriptor)
        let numbers = [
            stop.descriptor, descriptors.interfaces, descriptors.overflow, desk.descriptor, sockets, dns,
            datapath.datagramDescriptor, commits.descriptor,
        ]
        var entries = numbers.map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        var due = min(polls.next, flushes.next, end ?? .max)
        // Entries of logging rules wait in the kernel without waking a thread.
        if verdicts != nil { due = min(due, Clock.monotonic + VerdictReader.interval) }
        let pause = max(0, due - Clock.monotonic)
        // Rounded up, so that the next task is due when it returns.
        let milliseconds = Int32(min((pause + 999_999) / 1_000_000, 60_000))
        guard poll(&entries, nfds_t(entries.count), milliseconds) > 0 else {
            return (false, false, false, false, false, false)
        }
        let isReady = entries.map { $0.revents != 0 }
        return (isReady[0], isReady[1], isReady[2], isReady[4], isReady[5], isReady[6])
    }

    /// Reads flows and posts them, with the verdicts that were logged until now: after the births of their flows and before
    /// their ends.
    private func read<Value>(
        _ flows: ((FlowBatch) -> Void) throws(DatapathError) -> Value
    ) throws(DatapathError) -> Value {
        var logged = verdicts?.take() ?? []
        let value = try flows { batch in
            guard !logged.isEmpty, !batch.ends.isEmpty else { return post(.flows(batch)) }
            var batch = batch
            batch.verdicts = logged
            logged = []
            post(.flows(batch))
        }
        if !logged.isEmpty {
            var batch = FlowBatch()
            batch.verdicts = logged
            post(.flows(batch))
        }
        return value
    }

    /// Passes this host's addresses to the inventory, and the addresses of local workloads to the datapath.
    private func postOwnAddresses() {
        let snapshot = inventory.replaceOwnAddresses(with: datapath.ownAddresses)
        datapath.setWorkloadAddresses(snapshot.localWorkloads)
        post(.inventory(snapshot))
    }

    /// Passes the addresses behind this host's interfaces to the inventory.
    private mutating func postPlacedAddresses() {
        guard placesGeneration != datapath.placesGeneration else { return }
        placesGeneration = datapath.placesGeneration
        inventory.replacePlacedAddresses(with: datapath.placedAddresses)
    }

    /// Posts a message.
    ///
    /// While the pipeline is behind, only the rings and the logged packets are read; everything else waits in the flow table.
    /// When the run ends, the mailbox holds at most one message: the rest of the table is read in less detail if time is short.
    private func post(_ message: Pipeline.Message) {
        let most = plan.hasBegun ? 1 : Int.max
        guard !mailbox.offer(message, mostWaiting: most) else { return }
        // At the end of a run the mailbox holds one message, so that waiting does not mean that the pipeline is behind.
        if !plan.hasBegun { mailbox.noteDelay() }
        while !mailbox.offer(message, mostWaiting: most) {
            guard !plan.isOver(.posting) else { return mailbox.insist(message) }
            datapath.drainOverflow()
            datapath.drainSockets()
            datapath.drainDatagrams()
            datapath.drainDNS()
            verdicts?.drain()
            var entry = pollfd(fd: datapath.descriptors.overflow, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, 1)
        }
    }
}
