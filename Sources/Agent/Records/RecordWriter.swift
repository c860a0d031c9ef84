import Encoding
package import Export
import FlowLog
package import FlowModel
import Logging

/// Turns records into lines and hands them to all outputs, in batches.
///
/// Lines are gathered by rank (``RecordShares``), so that a full queue can drop lines of endpoints that write much and keep
/// those of all others. Within a rank they keep their order.
package final class RecordWriter {
    /// Records that were written, so far.
    private(set) var records: UInt64 = 0
    private var encoder: JSONLineEncoder
    private var shares = RecordShares()
    private var streams: RecordStreams
    private let taps: TapStream
    private var patience: Duration
    private let host: String
    private let logger: Logger
    private var made: RecordDetail
    private let plan: StopPlan
    /// The time until which the flush waits for outputs at most.
    private(set) var deadline = ContinuousClock.now

    /// Creates a writer of lines for outputs.
    ///
    /// Records are made faster than outputs read them: `patience` is the time that all batches of a flush together may wait for
    /// room in the queues of outputs that do read. The last flush may take the remaining time.
    ///
    /// - Parameters:
    ///   - outputs: the receivers of lines, and the selection of each.
    ///   - made: the detail of the records that are made; nil for the finest of all outputs.
    ///   - taps: further receivers of all records, in their own detail.
    ///   - patience: the longest wait of a flush.
    ///   - plan: the times by which the parts of the run must be over.
    ///   - host: the name of this host.
    ///   - extendedFields: whether lines have Weir's own fields.
    ///   - limits: the longest texts.
    ///   - logger: for outputs whose records are folded further.
    init(
        _ outputs: [(output: Output, selection: RecordSelection)],
        of made: RecordDetail? = nil,
        taps: TapStream = TapStream([]),
        patience: Duration,
        plan: StopPlan,
        host: String = "",
        extendedFields: Bool,
        limits: RecordLimits,
        logger: Logger = Logger(label: "weir")
    ) {
        encoder = JSONLineEncoder(extendedFields: extendedFields, limits: limits)
        let made = made ?? RecordDetail(finestOf: outputs.map(\.selection), for: nil)
        streams = RecordStreams(outputs, of: made, host: host, logger: logger)
        self.made = made
        self.logger = logger
        self.taps = taps
        self.patience = patience
        self.host = host
        self.plan = plan
    }

    /// Creates a writer for outputs that all get every record, as in a run with default settings.
    ///
    /// - Parameters:
    ///   - outputs: the receivers of lines.
    ///   - patience: the longest wait of a flush for them.
    package convenience init(_ outputs: [Output], patience: Duration) {
        self.init(
            outputs.map { ($0, RecordSelection()) },
            patience: patience,
            plan: StopPlan(StopSource()),
            extendedFields: false,
            limits: RecordLimits()
        )
    }

    /// Passes lines to other outputs from now on; between two flushes, after ``endIntervals()``.
    ///
    /// - Parameters:
    ///   - outputs: the receivers of lines, and the selection of each.
    ///   - made: the detail of the records that are made once the interval at hand is over.
    ///   - own: the detail for taps.
    ///   - patience: the longest wait of a flush.
    func use(
        _ outputs: [(output: Output, selection: RecordSelection)],
        of made: RecordDetail,
        taps own: RecordDetail,
        patience: Duration
    ) {
        // Until the interval is over, records keep their detail.
        let finest = RecordDetail(
            allowed: min(made.levelForAllowed, self.made.levelForAllowed),
            denied: min(made.levelForDenied, self.made.levelForDenied)
        )
        streams = RecordStreams(outputs, of: finest, host: host, logger: logger)
        taps.use(own, of: finest)
        self.made = made
        self.patience = patience
    }

    /// Writes the records that were gathered over several flushes.
    func endIntervals() {
        for stream in streams.folding {
            stream.endFold(nil) { write($0, to: stream) }
            stream.endFlush(waitingUntil: .now)
        }
    }

    /// The number of texts that were too long for records, so far.
    var shortened: ShortenedTexts { encoder.shortened }

    /// The endpoint whose labels were shortened last.
    var shortenedEndpoint: String? {
        encoder.lastShortened.map { endpoint in
            endpoint.namespace.map { "\($0)/\(endpoint.name)" } ?? endpoint.name
        }
    }

    /// Begins a flush: the time limit for all its waits starts now.
    package func beginFlush() {
        deadline = .now + (plan.hasBegun ? plan.time(for: .everyRecord) : patience)
        shares.reset()
        streams.ease()
    }

    /// Writes a record of the flush.
    package func write(_ record: borrowing FlowRecord) {
        records += 1
        var place: Int?
        for stream in streams.plain where stream.includes(record) {
            // An endpoint is charged once, even if several outputs get its record.
            let isCharged = place != nil
            let owner = place ?? shares.place(of: Self.owner(of: record))
            place = owner
            let written = stream.write(record, rank: shares.rank(at: owner), with: &encoder, waitingUntil: deadline)
            if !isCharged { shares.charge(written, at: owner) }
        }
        for stream in streams.folding { stream.add(record) { write($0, to: stream) } }
        taps.write(record, with: &encoder)
    }

    /// Passes on the remaining lines of a flush.
    ///
    /// - Parameter flush: the seconds of the flush, by which intervals of outputs end; nil ends them all.
    package func endFlush(_ flush: ClosedRange<Int64>? = nil) {
        for stream in streams.folding { stream.endFold(flush) { write($0, to: stream) } }
        if plan.hasBegun { deadline = .now + plan.time(for: .records) }
        for stream in streams.plain { stream.endFlush(waitingUntil: deadline) }
        for stream in streams.folding { stream.endFlush(waitingUntil: deadline) }
        taps.endFlush(with: &encoder)
        encoder.forgetUnused()
    }

    /// Writes a folded record; the stream has few of them, so each may charge its endpoint.
    private func write(_ record: borrowing FlowRecord, to stream: RecordStream) {
        let owner = shares.place(of: Self.owner(of: record))
        let written = stream.write(record, rank: shares.rank(at: owner), with: &encoder, waitingUntil: deadline)
        // The charges of other streams do not count here.
        if streams.plain.isEmpty { shares.charge(written, at: owner) }
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
