import Encoding
import Export
import FlowLog
import FlowModel

/// The lines of all records on their way to the taps; does nothing without taps.
final class TapStream {
    private let taps: [any RecordTap]
    private var lines: ByteBuffer
    private var records = 0
    /// Whether any tap takes the records of this interval; nil before its first record.
    private var isWanted: Bool?
    /// Folds records to the run's own level if they are made in a finer one for outputs.
    private var fold: RecordFold?

    /// Bytes of lines after which a batch is passed on.
    private static let batchBytes = 256 << 10

    /// Takes the taps.
    ///
    /// - Parameters:
    ///   - taps: the receivers of the records.
    ///   - detail: the detail for taps; nil for the records as they are made.
    ///   - made: the detail of the records that are made.
    init(_ taps: [any RecordTap], _ detail: RecordDetail? = nil, of made: RecordDetail = RecordDetail()) {
        self.taps = taps
        lines = ByteBuffer(capacity: taps.isEmpty ? 64 : 2 * Self.batchBytes)
        use(detail, of: made)
    }

    /// Uses another detail from now on; between two flushes.
    ///
    /// - Parameters:
    ///   - detail: the detail for taps; nil for the records as they are made.
    ///   - made: the detail of the records that are made.
    func use(_ detail: RecordDetail?, of made: RecordDetail) {
        fold = nil
        guard let detail, !taps.isEmpty else { return }
        var selection = RecordSelection()
        selection.detail = detail
        fold = RecordFold(selection, of: made)
    }

    /// Appends a record.
    func write(_ record: borrowing FlowRecord, with encoder: inout JSONLineEncoder) {
        guard decideIfWanted() else { return }
        guard fold != nil else { return append(record, with: &encoder) }
        if fold?.add(record) == true { fold?.takeAll { append($0, with: &encoder) } }
    }

    /// Passes on the remaining lines of a flush, and its end.
    func endFlush(with encoder: inout JSONLineEncoder) {
        fold?.endFlush(nil) { append($0, with: &encoder) }
        if records > 0 { submit() }
        isWanted = nil
        for tap in taps { tap.endFlush() }
    }

    private func decideIfWanted() -> Bool {
        if let isWanted { return isWanted }
        let isWantedNow = taps.contains { $0.isWanted }
        isWanted = isWantedNow
        return isWantedNow
    }

    private func append(_ record: borrowing FlowRecord, with encoder: inout JSONLineEncoder) {
        encoder.encode(record, into: &lines)
        records += 1
        if lines.count >= Self.batchBytes { submit() }
    }

    private func submit() {
        let batch = RecordBatch(bytes: lines.take(), records: records)
        for tap in taps { tap.take(batch) }
        records = 0
    }
}
