import Export
import Records
import Synchronization

/// Shows the records of a run on standard output, on a thread of its own.
final class RecordScreen: Sendable {
    /// What the agent hands records to.
    let tap: QueuedTap
    private let failed: Failed

    /// The first failure, which two threads share.
    private final class Failed: Sendable {
        let error = Mutex<CommandFailure?>(nil)
    }

    /// The most bytes of lines that wait for the screen.
    private static let queueLimit = 16 << 20

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - printer: writes the records.
    ///   - isWanted: which are shown.
    ///   - onClosed: called once if standard output takes no more.
    /// - Throws: when the system allows no more threads.
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

    /// Why standard output takes nothing; nil if it does.
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
