import Audit
import FlowModel

/// Derives changes from the events of a batch, and passes those that concern policies to the sinks.
struct AuditChangeFeed {
    private let sinks: [any AuditChangeSink]
    private let board: ChangeBoard
    private let redacts: Bool
    private var join = AuditJoin()
    private var reader = ChangeReader()
    /// The changes of a batch that a sink may not have stored yet.
    private var waiting: [AuditChange] = []
    /// The number of waiting changes that were added to the board.
    private var joined = 0
    /// Verdicts that a sink could not store.
    private var verdicts: [ChangeKey: [VerdictChange]] = [:]

    /// The maximum memory for the object states to compare with, bytes.
    private static let historyLimit = 16 << 20

    /// Creates an empty feed.
    ///
    /// - Parameters:
    ///   - sinks: the receivers of changes.
    ///   - board: joins them with verdicts.
    ///   - redacts: whether the differences are left out.
    init(_ sinks: [any AuditChangeSink], _ board: ChangeBoard, redacts: Bool) {
        (self.sinks, self.board, self.redacts) = (sinks, board, redacts)
        reader = ChangeReader(history: ObjectHistory(limit: Self.historyLimit), scope: .policies)
    }

    /// Takes an event of a batch.
    mutating func add(_ event: AuditEvent, _ bytes: [UInt8]) {
        guard event.isWrite, !event.isSecret, join.take(event) else { return }
        guard var change = reader.change(event, in: bytes.span) else { return }
        if redacts { (change.changes, change.basis, change.state) = ([], .nothing, nil) }
        waiting.append(change)
    }

    /// Passes the collected changes to the sinks.
    ///
    /// - Returns: the number of changes; nil if a sink has not stored all of them: the next call tries again.
    mutating func flush() -> Int? {
        if joined < waiting.count {
            board.add(waiting[joined...])
            joined = waiting.count
        }
        guard waiting.isEmpty || isKept({ $0.take(waiting) }) else { return nil }
        let count = waiting.count
        waiting.removeAll(keepingCapacity: true)
        joined = 0
        for (change, changed) in board.takeChanged() { verdicts[change] = changed }
        verdicts = verdicts.filter { change, changed in !isKept { $0.take(changed, of: change) } }
        return count
    }

    /// Whether all sinks have stored the changes.
    private func isKept(_ take: (any AuditChangeSink) -> Bool) -> Bool {
        sinks.reduce(true) { take($1) && $0 }
    }
}
