import Datapath
import Encoding
import Export
import Synchronization

/// All counters of losses as of one moment, since the start of the run.
struct LossReading: Sendable {
    /// The losses of the datapath.
    var datapath = DatapathLosses()
    /// Losses of logging rules.
    var verdicts = VerdictLog.Statistics()
    /// Packets that were counted in no flow, and are in records without their other end.
    var remainderPackets: UInt64 = 0
    /// Flows in records without their other end, for lack of memory.
    var foldedFlows: UInt64 = 0
    /// Flows in records without addresses, for lack of memory.
    var coarseFlows: UInt64 = 0
    /// Denied packets that no record contains as denied.
    var unrecordedDenials: UInt64 = 0
    /// Forwarded connections in no record, because policies had too many different results.
    var untracedForwards: UInt64 = 0
    /// Texts that are shortened in records.
    var shortened = ShortenedTexts()
    /// The endpoint whose labels were shortened last.
    var shortenedEndpoint: String?
    /// New flows for which connection tracking was not queried, because the run was ending.
    var unaskedFlows: UInt64 = 0
    /// Records whose verdicts were not linked with changes of the cluster, for lack of room.
    var unlinkedRecords: UInt64 = 0
    /// DNS questions, addresses and names that were not kept, for lack of room.
    var refusedNames: UInt64 = 0
    /// Flows whose packets were added up without the flow, because the run was ending.
    var reducedFlows: UInt64 = 0
    /// New flows for which connection tracking was not queried, because queries took too long.
    var skippedQuestions: UInt64 = 0
    /// Queries that connection tracking did not answer.
    var conntrackFailures: UInt64 = 0
    /// Batches that had to wait because the pipeline was behind.
    var delayedBatches: UInt64 = 0
    /// Batches that were dropped because the time to end the run was over.
    var abandonedBatches: UInt64 = 0
    /// The drops of each output, by its name.
    var outputs: [(name: String, drops: OutputDrops)] = []
}

/// The counters of all threads of a run, for readers on any thread.
final class LossBoard: Sendable {
    private let reading = Mutex(LossReading())

    /// Stores the counters of the thread that reads the kernel.
    func note(datapath: DatapathLosses, verdicts: VerdictLog.Statistics?) {
        reading.withLock { reading in
            reading.datapath = datapath
            if let verdicts { reading.verdicts = verdicts }
        }
    }

    /// Stores the counters of the pipeline.
    func note(_ change: (inout LossReading) -> Void) {
        reading.withLock { change(&$0) }
    }

    /// The last counters of all threads.
    var last: LossReading { reading.withLock { $0 } }
}
