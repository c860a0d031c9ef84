import Encoding
import Export
import FlowModel

/// Turns records into lines and hands them to all outputs, in batches.
///
/// Lines are gathered by rank (``RecordShares``), so that a full queue can let go of those of endpoints that write much
/// and keep those of all others. Within a rank they keep their order.
final class RecordWriter {
    /// Records that were written, so far.
    private(set) var records: UInt64 = 0
    private var encoder: JSONLineEncoder
    private var shares = RecordShares()
    private var streams: [RecordStream]
    private let taps: TapStream
    private var patience: Duration
    private let host: String
    private let plan: StopPlan
    private var deadline = ContinuousClock.now

    /// Makes a writer of lines for outputs.
    ///
    /// Records are made faster than anything reads them: within a flush, `patience` is how long all batches together
    /// may wait for room in the queues of outputs that do read. The last flush may take what time is left.
    init(
        _ outputs: [(output: Output, selection: RecordSelection)],
        taps: [any RecordTap] = [],
        patience: Duration,
        plan: StopPlan,
        host: String = "",
        extendedFields: Bool,
        limits: RecordLimits
    ) {
        encoder = JSONLineEncoder(extendedFields: extendedFields, limits: limits)
        streams = RecordStream.make(outputs, host: host)
        self.taps = TapStream(taps)
        self.patience = patience
        self.host = host
        self.plan = plan
    }

    /// Hands lines to other outputs from now on; between two flushes.
    func use(_ outputs: [(output: Output, selection: RecordSelection)], patience: Duration) {
        streams = RecordStream.make(outputs, host: host)
        self.patience = patience
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
        deadline = .now + (plan.hasBegun ? plan.time(for: .everyRecord) : patience)
        shares.reset()
    }

    func write(_ record: borrowing FlowRecord) {
        records += 1
        var place: Int?
        for stream in streams where stream.includes(record) {
            // An endpoint is charged once, however many outputs get its record.
            let isCharged = place != nil
            let owner = place ?? shares.place(of: Self.owner(of: record))
            place = owner
            let written = stream.write(record, rank: shares.rank(at: owner), with: &encoder, waitingUntil: deadline)
            if !isCharged { shares.charge(written, at: owner) }
        }
        taps.write(record, with: &encoder)
    }

    /// Hands on what is left of a flush.
    func endFlush() {
        if plan.hasBegun { deadline = .now + plan.time(for: .records) }
        for stream in streams { stream.endFlush(waitingUntil: deadline) }
        taps.endFlush()
        encoder.forgetUnused()
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
