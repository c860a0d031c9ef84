import Encoding
import Export
import FlowModel

/// Turns records into lines and hands them to all outputs, in batches.
///
/// Lines are gathered by rank (``RecordShares``), so that a full queue can let go of those of endpoints that write much
/// and keep those of all others. Within a rank they keep their order.
final class RecordWriter {
    /// The lines of one rank that are not handed on yet.
    private final class Lane {
        let rank: Int
        var lines: ByteBuffer
        var records = 0

        init(rank: Int) {
            self.rank = rank
            lines = ByteBuffer(capacity: rank == 0 ? 2 * RecordWriter.batchBytes : 64)
        }
    }

    private var encoder: JSONLineEncoder
    private var shares = RecordShares()
    private let lanes = (0..<RecordBatch.ranks).map(Lane.init)
    private let outputs: [Output]
    private let patience: Duration
    private let plan: StopPlan
    private var deadline = ContinuousClock.now

    /// Bytes of lines after which a batch is handed on.
    private static let batchBytes = 256 << 10

    /// Makes a writer of lines for outputs.
    ///
    /// Records are made faster than anything reads them: within a flush, `patience` is how long all batches together
    /// may wait for room in the queues of outputs that do read. The last flush may take what time is left.
    init(_ outputs: [Output], patience: Duration, plan: StopPlan, extendedFields: Bool, limits: RecordLimits) {
        encoder = JSONLineEncoder(extendedFields: extendedFields, limits: limits)
        self.outputs = outputs
        self.patience = patience
        self.plan = plan
    }

    /// How many texts were too long for records, so far.
    var shortened: ShortenedTexts { encoder.shortened }

    /// The endpoint of which labels were left out last.
    var shortenedEndpoint: String? {
        encoder.lastShortened.map { endpoint in
            endpoint.namespace.map { "\($0)/\(endpoint.name)" } ?? endpoint.name
        }
    }

    func beginFlush() {
        deadline = .now + (plan.hasBegun ? plan.time(for: .records) : patience)
        shares.reset()
    }

    func write(_ record: borrowing FlowRecord) {
        let place = shares.place(of: Self.owner(of: record))
        let lane = lanes[shares.rank(at: place)]
        let before = lane.lines.count
        encoder.encode(record, into: &lane.lines)
        shares.charge(lane.lines.count - before, at: place)
        lane.records += 1
        if lane.lines.count >= Self.batchBytes { submit(lane) }
    }

    /// Hands on what is left of a flush.
    func endFlush() {
        for lane in lanes where lane.records > 0 { submit(lane) }
        encoder.forgetUnused()
    }

    private func submit(_ lane: Lane) {
        let batch = RecordBatch(bytes: lane.lines.take(), records: lane.records, rank: lane.rank)
        for output in outputs { output.submit(batch, waitingUntil: deadline) }
        lane.records = 0
    }

    /// The number of the endpoint that a record is charged to.
    private static func owner(of record: borrowing FlowRecord) -> UInt64 {
        switch record.source.endpoint.kind {
        case .workload, .host: record.source.endpoint.id
        case .networkSet, .network:
            record.reporter == .source ? record.source.endpoint.id : record.destination.endpoint.id
        }
    }
}
