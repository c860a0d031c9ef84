import Audit
import FlowModel
import Posix
import Synchronization

/// Passes seen changes that affected verdicts to sinks; a thread checks for them periodically.
package final class SeenChangeFeed: Sendable {
    private let board: ChangeBoard
    private let sinks: [any AuditChangeSink]
    private let stopping = Atomic<Bool>(false)
    private let wakeUp = WakeUp()
    private let ended = WakeUp()

    private static let period = Duration.seconds(5)

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - board: provides the changes.
    ///   - sinks: receive the changes; a change that a sink cannot store is passed again.
    /// - Throws: `SystemError` if the thread cannot be created.
    package init(_ board: ChangeBoard, _ sinks: [any AuditChangeSink]) throws {
        (self.board, self.sinks) = (board, sinks)
        try WorkerThread.start("weir-audit-seen") { [self] in
            var waiting: [Item] = []
            while !stopping.load(ordering: .acquiring) {
                waiting = pass(waiting + take(.now - ChangeBoard.patience))
                wakeUp.wait(atMost: Self.period)
            }
            // No more logs are read.
            _ = pass(waiting + take(.now))
            ended.signal()
        }
    }

    private typealias Item = (change: AuditChange, verdicts: [VerdictChange])

    private func take(_ time: ContinuousClock.Instant) -> [Item] { board.takeSeen(foundBefore: time) }

    /// Passes changes to the sinks.
    ///
    /// - Returns: the changes that a sink has not stored, limited to the first ones to bound memory.
    private func pass(_ items: [Item]) -> [Item] {
        Array(items.filter { !isKept($0) }.prefix(100))
    }

    private func isKept(_ item: Item) -> Bool {
        let key = ChangeKey(auditID: item.change.event.auditID, receivedAt: item.change.event.receivedAt)
        return sinks.reduce(true) { isKept, sink in
            sink.take([item.change]) && sink.take(item.verdicts, of: key) && isKept
        }
    }

    /// Passes the present changes, and stops the thread.
    package func finish() {
        stopping.store(true, ordering: .releasing)
        wakeUp.signal()
        ended.wait(atMost: .seconds(5))
    }
}
