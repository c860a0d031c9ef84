import Encoding
import Export
import FlowModel
import Names

/// Turns answered DNS lookups into the lines of the DNS log, and passes them to its outputs when an interval ends.
final class DNSLogWriter {
    private var log: DNSLog
    private let encoder = DNSLineEncoder()
    private let outputs: [Output]
    private var lines = ByteBuffer(capacity: 4096)
    private var records = 0

    /// Bytes of lines after which a batch is passed on.
    private static let batchBytes = 256 << 10

    /// Begins the first interval.
    ///
    /// - Parameters:
    ///   - outputs: the receivers of lines.
    ///   - detail: the detail of clients in records.
    ///   - start: the time when the interval began, Unix seconds.
    init(_ outputs: [Output], detail: DNSRecord.Detail, start: Int64) {
        self.outputs = outputs
        log = DNSLog(detail: detail, start: start)
    }

    /// Adds a lookup.
    func add(_ lookup: DomainTracker.Lookup, by resolver: some EndpointResolver) {
        log.add(lookup, by: resolver)
    }

    /// Writes the records of an interval that ends, Unix seconds; waits for outputs until a deadline at most.
    func flush(at end: Int64, waitingUntil deadline: ContinuousClock.Instant) {
        log.endInterval(at: end) { record in
            encoder.encode(record, into: &lines)
            records += 1
            if lines.count >= Self.batchBytes { submit(waitingUntil: deadline) }
        }
        if records > 0 { submit(waitingUntil: deadline) }
    }

    private func submit(waitingUntil deadline: ContinuousClock.Instant) {
        let batch = RecordBatch(bytes: lines.take(), records: records)
        for output in outputs { output.submit(batch, waitingUntil: deadline) }
        records = 0
    }
}
