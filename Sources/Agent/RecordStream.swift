import Encoding
import Export
import FlowModel

/// The lines of outputs that have the same selection, on their way to them.
final class RecordStream {
    /// The lines of one rank that are not handed on yet.
    private final class Lane {
        let rank: Int
        var lines: ByteBuffer
        var records = 0

        init(rank: Int) {
            self.rank = rank
            lines = ByteBuffer(capacity: rank == 0 ? 2 * RecordStream.batchBytes : 64)
        }
    }

    private let selection: RecordSelection
    private let outputs: [Output]
    private let lanes = (0..<RecordBatch.ranks).map(Lane.init)
    private var passedOver = 0
    private var origin: RecordOrigin?

    /// Bytes of lines after which a batch is handed on.
    private static let batchBytes = 256 << 10

    private init(_ selection: RecordSelection, _ outputs: [Output], host: String) {
        origin = selection.isWithHost ? RecordOrigin(host: host) : nil
        self.selection = selection
        self.outputs = outputs
    }

    /// One stream for each selection, in the order of the outputs.
    static func make(_ outputs: [(output: Output, selection: RecordSelection)], host: String) -> [RecordStream] {
        var selections: [RecordSelection] = []
        for (_, selection) in outputs where !selections.contains(selection) { selections.append(selection) }
        return selections.map { selection in
            RecordStream(selection, outputs.filter { $0.selection == selection }.map(\.output), host: host)
        }
    }

    /// Whether the outputs get a record; counts those that they do not get.
    func includes(_ record: borrowing FlowRecord) -> Bool {
        if selection.includes(record) { return true }
        passedOver += 1
        return false
    }

    /// Appends a record; returns how many bytes it took.
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

    /// Hands on what is left of a flush.
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
