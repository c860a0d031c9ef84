import Datapath
import Logging

/// The objects that the threads of a run share, created before the threads start.
struct RunParts: Sendable {
    let stop: StopSource
    let plan: StopPlan
    let inventory: InventoryKeeper
    let sources: InventorySources
    /// Connection tracking; nil where it does not answer.
    let tracker: Conntrack?
    let outputs: LiveOutputs
    /// The mailbox from the thread that reads the kernel to the pipeline.
    let mailbox: Mailbox<Pipeline.Message>
    let losses: LossWatch
    let intervals: LiveIntervals
    let health: RunHealth
    /// The counts of the kernel and the agent, as metrics and status show them.
    let board = RunBoard()
    let tally = RecordTally()
    /// Epochs whose records are written.
    let commits = CommitBoard()
    let meter = RateMeter()
    /// Settings that were changed and are not applied yet.
    let desk = ReloadDesk()

    /// The most batches in the mailbox; ``MemoryPlan/mailbox`` limits large ones further.
    private static let mailboxLimit = 64

    /// Creates the shared objects of a run whose inventory and outputs are open.
    init(
        _ configuration: AgentConfiguration,
        _ stop: StopSource,
        _ plan: StopPlan,
        _ inventory: InventoryKeeper,
        _ sources: InventorySources,
        _ tracker: Conntrack?,
        _ outputs: LiveOutputs,
        _ logger: Logger
    ) {
        (self.stop, self.plan, self.inventory, self.sources) = (stop, plan, inventory, sources)
        (self.tracker, self.outputs) = (tracker, outputs)
        let memory = MemoryPlan(limit: configuration.memoryLimit)
        mailbox = Mailbox(limit: Self.mailboxLimit, byteLimit: memory.mailbox) { $0.byteCount }
        losses = LossWatch(logger, mailbox: mailbox, tracker: tracker, outputs: outputs)
        intervals = LiveIntervals(configuration)
        health = RunHealth(intervals, board, sources)
    }
}
