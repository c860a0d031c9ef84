import Export
import Logging
import Store
import Synchronization

/// Writes the records of a run into the store, on a thread of its own.
enum StoreTap {
    /// The most bytes of lines that wait for the store.
    private static let queueLimit = 32 << 20

    /// Opens the store and starts the thread.
    ///
    /// - Parameters:
    ///   - path: of the store.
    ///   - limits: how much is kept.
    ///   - logger: gets a line when the store fails, when it works again, and at the end if something is not in it.
    /// - Returns: what takes the records.
    /// - Throws: `CommandFailure` if the store cannot be opened.
    static func make(_ path: String, limits: StoreLimits, logger: Logger) throws -> QueuedTap {
        let writing: Shared
        do {
            writing = Shared(try Writing(path, limits, logger))
        } catch let error as StoreError {
            throw CommandFailure(description: "--store \(path): \(error)")
        }
        return try QueuedTap("weir-store", limit: queueLimit) { event in
            writing.state.withLock { $0.take(event, path, logger) }
        }
    }

    private final class Shared: Sendable {
        let state: Mutex<Writing>

        init(_ writing: sending Writing) {
            state = Mutex(writing)
        }
    }

    private struct Writing {
        private let writer: StoreWriter
        private var isFailing = false

        init(_ path: String, _ limits: StoreLimits, _ logger: Logger) throws {
            writer = try StoreWriter(path: path, limits: limits)
            guard let aside = writer.setAside else { return }
            logger.warning(
                "the store could not be used and was set aside",
                metadata: ["path": "\(path)", "to": "\(aside)"]
            )
        }

        mutating func take(_ event: QueuedTap.Event, _ path: String, _ logger: Logger) {
            switch event {
            case .batch(let batch): writer.take(batch.bytes)
            case .flush: commit(path, logger)
            case .end:
                commit(path, logger)
                let statistics = writer.statistics
                let missing = statistics.failed + statistics.tooOld + statistics.unreadable
                guard missing > 0 else { return }
                logger.warning(
                    "records are missing in the store",
                    metadata: [
                        "failed": "\(statistics.failed)", "too_old": "\(statistics.tooOld)",
                        "unreadable": "\(statistics.unreadable)", "stored": "\(statistics.stored)",
                    ]
                )
            }
        }

        private mutating func commit(_ path: String, _ logger: Logger) {
            if let error = writer.commit() {
                if !isFailing { logger.error("records are not stored: \(error)", metadata: ["store": "\(path)"]) }
                isFailing = true
            } else if isFailing {
                isFailing = false
                logger.notice("records are stored again", metadata: ["store": "\(path)"])
            }
        }
    }
}
