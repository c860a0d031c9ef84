import Encoding
import Export
import FlowModel

/// The lines of all records on their way to the taps; nothing is done where there are none.
final class TapStream {
    private let taps: [any RecordTap]
    private var lines: ByteBuffer
    private var records = 0
    /// Whether some tap wants the records of this interval; nil before its first record.
    private var isWanted: Bool?

    /// Bytes of lines after which a batch is handed on.
    private static let batchBytes = 256 << 10

    /// Takes who gets the records.
    init(_ taps: [any RecordTap]) {
        self.taps = taps
        lines = ByteBuffer(capacity: taps.isEmpty ? 64 : 2 * Self.batchBytes)
    }

    /// Appends a record.
    func write(_ record: borrowing FlowRecord, with encoder: inout JSONLineEncoder) {
        guard decideIfWanted() else { return }
        encoder.encode(record, into: &lines)
        records += 1
        if lines.count >= Self.batchBytes { submit() }
    }

    /// Hands on what is left of a flush, and its end.
    func endFlush() {
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

    private func submit() {
        let batch = RecordBatch(bytes: lines.take(), records: records)
        for tap in taps { tap.take(batch) }
        records = 0
    }
}
