import Datapath
import Encoding
import Export
import Synchronization

/// All counters of losses as of one moment, since the start of the run.
struct LossReading: Sendable {
    /// The datapath's.
    var datapath = DatapathLosses()
    /// Those of log rules.
    var verdicts = VerdictLog.Statistics()
    /// Packets that were counted in no flow, and are in records without their other end.
    var remainderPackets: UInt64 = 0
    /// Flows that are in records without their other end for want of memory.
    var foldedFlows: UInt64 = 0
    /// Flows that are in records without addresses for want of memory.
    var coarseFlows: UInt64 = 0
    /// Denied packets that no record says to be denied.
    var unrecordedDenials: UInt64 = 0
    /// Texts that are shortened in records.
    var shortened = ShortenedTexts()
    /// The endpoint of which labels were left out last.
    var shortenedEndpoint: String?
    /// New flows for which connection tracking was not asked, because the run was ending.
    var unaskedFlows: UInt64 = 0
    /// Flows whose packets were added up without the flow, because the run was ending.
    var reducedFlows: UInt64 = 0
    /// New flows for which connection tracking was not asked, because questions took too long.
    var skippedQuestions: UInt64 = 0
    /// Questions that connection tracking did not answer.
    var conntrackFailures: UInt64 = 0
    /// Batches that had to wait because the pipeline was behind.
    var delayedBatches: UInt64 = 0
    /// Batches that were given up when the run had to be over.
    var abandonedBatches: UInt64 = 0
    /// What each output dropped, by its name.
    var outputs: [(name: String, drops: OutputDrops)] = []
}

/// Where the threads of a run put their counters, for whoever looks at all of them.
final class LossBoard: Sendable {
    private let reading = Mutex(LossReading())

    /// Takes in what the thread says that reads the kernel.
    func note(datapath: DatapathLosses, verdicts: VerdictLog.Statistics?) {
        reading.withLock { reading in
            reading.datapath = datapath
            if let verdicts { reading.verdicts = verdicts }
        }
    }

    /// Takes in what the pipeline says.
    func note(_ change: (inout LossReading) -> Void) {
        reading.withLock { change(&$0) }
    }

    /// What all of them said last.
    var last: LossReading { reading.withLock { $0 } }
}
