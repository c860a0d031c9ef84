import Agent
import Audit
import Export
import FlowModel
import Logging
import Records
import Store
import Synchronization

/// Writes the records of a run into the store on its own thread, and audit log changes on their thread.
enum StoreTap {
    /// The maximum size of the queued lines, bytes.
    private static let queueLimit = 32 << 20

    /// An open store.
    struct Opened {
        /// Receives the records.
        let records: QueuedTap
        /// Receives the changes of audit logs.
        let changes: any AuditChangeSink
        /// Metrics of both.
        let metrics: StoreMetrics
    }

    /// Opens the store and starts the thread.
    ///
    /// - Parameters:
    ///   - path: the path of the store.
    ///   - limits: the limits on stored data.
    ///   - logger: receives a line when the store fails or recovers, and at the end if data was not stored.
    /// - Returns: the receivers of records and changes.
    /// - Throws: `CommandFailure` if the store cannot be opened.
    static func make(_ path: String, limits: StoreLimits, logger: Logger) throws -> Opened {
        let tally = StoreMetrics.Tally()
        let writing: Shared
        do {
            writing = Shared(try Writing(path, limits, tally, logger))
        } catch let error as StoreError {
            throw CommandFailure(description: "--store \(path): \(error)")
        }
        let records = try QueuedTap("weir-store", limit: queueLimit) { event in
            writing.state.withLock { $0.take(event, path, logger) }
        }
        return Opened(
            records: records,
            changes: Changes(writing: writing, path: path, logger: logger),
            metrics: StoreMetrics(tally: tally, queue: records)
        )
    }

    private struct Changes: AuditChangeSink {
        let writing: Shared
        let path: String
        let logger: Logger

        func take(_ changes: [AuditChange]) -> Bool {
            let records = changes.map { ChangeRecord($0) }
            return writing.state.withLock { $0.take(records, path, logger) }
        }

        func take(_ verdicts: [VerdictChange], of change: ChangeKey) -> Bool {
            writing.state.withLock { $0.take(verdicts, change, path, logger) }
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
        private let tally: StoreMetrics.Tally
        private var isFailing = false
        private var losesChanges = false
        private var loggedAside: String?

        init(_ path: String, _ limits: StoreLimits, _ tally: StoreMetrics.Tally, _ logger: Logger) throws {
            self.tally = tally
            writer = try StoreWriter(path: path, limits: limits)
            noteAside(path, logger)
        }

        /// Logs once that the file was set aside.
        private mutating func noteAside(_ path: String, _ logger: Logger) {
            guard let aside = writer.setAside, aside != loggedAside else { return }
            loggedAside = aside
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

        mutating func take(_ changes: [ChangeRecord], _ path: String, _ logger: Logger) -> Bool {
            note(writer.add(changes), path, logger)
        }

        mutating func take(_ verdicts: [VerdictChange], _ change: ChangeKey, _ path: String, _ logger: Logger) -> Bool {
            let receivedAt = ChangeRecord.seconds(change.receivedAt)
            return note(writer.set(verdicts, auditID: change.auditID, receivedAt: receivedAt), path, logger)
        }

        /// Logs the first failure and the end of failures; returns whether there is none.
        private mutating func note(_ error: StoreError?, _ path: String, _ logger: Logger) -> Bool {
            if let error, !losesChanges {
                logger.error(
                    "changes of audit logs are not stored: \(error); the logs are read on when they are",
                    metadata: ["store": "\(path)"]
                )
            } else if error == nil, losesChanges {
                logger.notice("changes of audit logs are stored again", metadata: ["store": "\(path)"])
            }
            losesChanges = error != nil
            noteAside(path, logger)
            publish()
            return error == nil
        }

        private func publish() {
            tally.state.withLock {
                $0 = StoreMetrics.Tally.State(
                    records: writer.statistics,
                    isFailing: isFailing,
                    losesChanges: losesChanges
                )
            }
        }

        private mutating func commit(_ path: String, _ logger: Logger) {
            defer { publish() }
            defer { noteAside(path, logger) }
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
