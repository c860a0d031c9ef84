import Export
import Records
import Synchronization

/// Shows the records of a run on standard output, on its own thread.
final class RecordScreen: Sendable {
    /// The tap that receives records from the agent.
    let tap: QueuedTap
    private let failed: Failed

    /// The first failure, shared by two threads.
    private final class Failed: Sendable {
        let error = Mutex<CommandFailure?>(nil)
    }

    /// The maximum size of the queued lines, bytes.
    private static let queueLimit = 16 << 20

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - printer: prints the records.
    ///   - isWanted: selects the records to show.
    ///   - onClosed: called once if writing to standard output fails.
    /// - Throws: an error if the system cannot create the thread.
    init(
        _ printer: RecordPrinter,
        isWanted: @escaping @Sendable (ReadRecord) -> Bool,
        onClosed: @escaping @Sendable () -> Void
    ) throws {
        let failed = Failed()
        self.failed = failed
        let state = Mutex(printer)
        tap = try QueuedTap("weir-screen", limit: Self.queueLimit) { event in
            do {
                try state.withLock { printer in try Self.show(event, &printer, isWanted) }
            } catch {
                let isFirst = failed.error.withLock { known in
                    defer { known = known ?? (error as? CommandFailure) }
                    return known == nil
                }
                if isFirst { onClosed() }
            }
        }
    }

    /// The reason why writing to standard output failed; nil if it has not.
    var failure: CommandFailure? { failed.error.withLock { $0 } }

    private static func show(
        _ event: QueuedTap.Event,
        _ printer: inout RecordPrinter,
        _ isWanted: (ReadRecord) -> Bool
    ) throws {
        switch event {
        case .batch(let batch):
            for line in batch.bytes.split(separator: UInt8(ascii: "\n")) {
                guard let record = try? ReadRecord(line), isWanted(record) else { continue }
                printer.add(record)
                if printer.isFull { try printer.flush() }
            }
        case .flush, .end: try printer.flush()
        }
    }
}
