import Encoding
import Export
import FlowLog
import FlowModel

/// The records of outputs with the same selection, on their way to the outputs as lines.
///
///     record ── fold ── filter ── ease ── encode ── rank ──> outputs
///
/// It folds only if the outputs' selection differs from the records that are made, and eases only if they lag.
final class RecordStream {
    /// The lines of one rank that are not passed on yet.
    private final class Lane {
        let rank: Int
        var lines: ByteBuffer
        var records = 0

        init(rank: Int) {
            self.rank = rank
            lines = ByteBuffer(capacity: rank == 0 ? 2 * RecordStream.batchBytes : 64)
        }
    }

    /// The properties that the outputs of a stream share.
    struct Key: Equatable {
        /// Their selection.
        let selection: RecordSelection
        /// The number of levels that are folded beyond that, because the outputs lag.
        let raise: Int
    }

    /// The properties that the outputs share.
    let key: Key
    /// The outputs that get the lines.
    var outputs: [Output] = []
    private let lanes = (0..<RecordBatch.ranks).map(Lane.init)
    private var passedOver = 0
    private var origin: RecordOrigin?
    private var fold: RecordFold?
    private var easing: RecordFold?
    /// Whether labels are left out and nothing is folded.
    private let isWithoutLabels: Bool

    /// Bytes of lines after which a batch is passed on.
    private static let batchBytes = 256 << 10

    /// Makes a stream without outputs.
    ///
    /// - Parameters:
    ///   - key: the properties that its outputs share.
    ///   - made: the detail of the records that are made.
    ///   - host: the name of this host.
    init(_ key: Key, of made: RecordDetail, host: String) {
        self.key = key
        origin = key.selection.isWithHost ? RecordOrigin(host: host) : nil
        fold = RecordFold(key.selection, of: made)
        easing = key.raise > 0 ? RecordFold(key.selection, key.selection.detail.raised(by: key.raise)) : nil
        isWithoutLabels = !key.selection.detail.includesLabels
    }

    /// Whether the stream changes the form of records, so that it has its own lines.
    var isFolding: Bool { fold != nil || easing != nil || isWithoutLabels }

    /// Whether no record is gathered for a later flush.
    var isEmpty: Bool { fold?.isEmpty ?? true }

    /// Whether the outputs get a record unchanged; counts the records that they do not get.
    func includes(_ record: borrowing FlowRecord) -> Bool {
        if key.selection.includes(record) { return true }
        passedOver += 1
        return false
    }

    /// Takes a record that is folded before it is written.
    func add(_ record: borrowing FlowRecord, _ write: (borrowing FlowRecord) -> Void) {
        guard key.selection.records(record.action) else {
            passedOver += 1
            return
        }
        guard fold != nil else {
            if isWithoutLabels {
                var reduced = copy record
                key.selection.detail.reduce(&reduced)
                return choose(reduced, write)
            }
            return choose(record, write)
        }
        if fold?.add(record) == true { fold?.takeAll { choose($0, write) } }
    }

    private func choose(_ record: borrowing FlowRecord, _ write: (borrowing FlowRecord) -> Void) {
        guard includes(record) else { return }
        guard easing != nil else { return write(record) }
        if easing?.add(record) == true { easing?.takeAll(write) }
    }

    /// Writes the gathered records whose interval ends with the flush.
    func endFold(_ flush: ClosedRange<Int64>?, _ write: (borrowing FlowRecord) -> Void) {
        fold?.endFlush(flush) { choose($0, write) }
        easing?.endFlush(nil, write)
    }

    /// Appends a record; returns the number of its bytes.
    func write(
        _ record: borrowing FlowRecord,
        rank: Int,
        with encoder: inout JSONLineEncoder,
        waitingUntil deadline: ContinuousClock.Instant
    ) -> Int {
        let lane = lanes[rank]
        let before = lane.lines.count
        encoder.encode(record, into: &lane.lines)
        origin?.append(to: &lane.lines, record.endTime)
        let written = lane.lines.count - before
        lane.records += 1
        if lane.lines.count >= Self.batchBytes { submit(lane, waitingUntil: deadline) }
        return written
    }

    /// Passes on the remaining lines of a flush.
    func endFlush(waitingUntil deadline: ContinuousClock.Instant) {
        for lane in lanes where lane.records > 0 { submit(lane, waitingUntil: deadline) }
        guard passedOver > 0 else { return }
        for output in outputs { output.notePassedOver(passedOver) }
        passedOver = 0
    }

    private func submit(_ lane: Lane, waitingUntil deadline: ContinuousClock.Instant) {
        let batch = RecordBatch(bytes: lane.lines.take(), records: lane.records, rank: lane.rank)
        for output in outputs { output.submit(batch, waitingUntil: deadline) }
        lane.records = 0
    }
}
