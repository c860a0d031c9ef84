import Audit

/// Derives changes from the events of a batch, and passes those that concern policies to the sinks.
struct AuditChangeFeed {
    private let sinks: [any AuditChangeSink]
    private let board: ChangeBoard
    private let redacts: Bool
    private var join = AuditJoin()
    private var reader = ChangeReader()
    private var waiting: [AuditChange] = []

    /// Objects that changes are compared with may take so much memory, bytes.
    private static let historyLimit = 16 << 20

    /// Nothing was read.
    ///
    /// - Parameters:
    ///   - sinks: the receivers of changes.
    ///   - board: joins them with verdicts.
    ///   - redacts: whether the differences are left out.
    init(_ sinks: [any AuditChangeSink], _ board: ChangeBoard, redacts: Bool) {
        (self.sinks, self.board, self.redacts) = (sinks, board, redacts)
        reader = ChangeReader(history: ObjectHistory(limit: Self.historyLimit))
    }

    /// Takes an event of a batch.
    mutating func add(_ event: AuditEvent, _ bytes: [UInt8]) {
        guard event.isWrite, !event.isSecret, join.take(event) else { return }
        guard var change = reader.change(event, in: bytes.span), change.concernsPolicies else { return }
        if redacts { (change.changes, change.basis) = ([], .nothing) }
        waiting.append(change)
    }

    /// Hands on what came together.
    ///
    /// - Returns: how many changes that were.
    mutating func flush() -> Int {
        let count = waiting.count
        if !waiting.isEmpty {
            for sink in sinks { sink.take(waiting) }
            board.add(waiting)
            waiting.removeAll()
        }
        for (change, verdicts) in board.takeChanged() {
            for sink in sinks { sink.take(verdicts, of: change) }
        }
        return count
    }
}
