import API
import Query

/// The records that a preview is based on.
struct PreviewEvidence {
    /// Connections that started.
    var connections: UInt64
    /// Distinct groups of connections that policies can distinguish.
    var groups: Int
    /// Groups of records that do not name the other end.
    var withoutEnd: Int
    /// End of the first interval, Unix seconds.
    var since: Int64
    /// End of the last interval, Unix seconds.
    var until: Int64

    /// Takes the result of a query by ``RecordedConnection/groupByReporter``.
    ///
    /// - Parameters:
    ///   - result: the result of the query.
    ///   - connections: the connections in the result.
    ///   - since: the start of the range, used if the result is empty.
    ///   - until: the end of the range.
    init(_ result: FlowQueryResult, _ connections: [RecordedConnection], since: Int64, until: Int64) {
        self.connections = connections.reduce(0) { $0 &+ $1.connections }
        groups = connections.count
        withoutEnd = result.groups.count { !RecordedConnection.isNamed($0) }
        self.since = result.groups.map(\.firstSeen).min() ?? since
        self.until = result.groups.map(\.lastSeen).max() ?? until
    }
}

extension PreviewShape {
    /// Takes the result of a preview.
    init(_ preview: PolicyPreview, changes: [String], warnings: [String], _ evidence: PreviewEvidence) {
        self.init()
        (self.changes, self.warnings) = (changes, warnings)
        (connections, since, until) = (evidence.connections, evidence.since, evidence.until)
        (kept_pairs, kept_connections) = (preview.kept.pairs, preview.kept.connections)
        for change in preview.changes {
            rows.append(Row(change))
            switch (change.before, change.after) {
            case (.unknown, _), (_, .unknown): unknown.add(change.connections)
            case (_, .deny): newly_denied.add(change.connections)
            case (_, .allow): newly_allowed.add(change.connections)
            }
        }
    }
}

extension PreviewShape.Row {
    fileprivate init(_ change: PolicyPreview.Change) {
        self.init()
        (source, dest, port) = (change.source, change.destination, change.port)
        before = change.before == .unknown ? "unknown" : change.before.rawValue
        after = change.after == .unknown ? "unknown" : change.after.rawValue
        before_rule = change.beforeRule.isEmpty ? nil : change.beforeRule
        after_rule = change.afterRule.isEmpty ? nil : change.afterRule
        if change.before != .unknown { before_text = PreviewText.words(change.beforeRule) }
        if change.after != .unknown { after_text = PreviewText.words(change.afterRule) }
        reason = change.reason.isEmpty ? nil : change.reason
        (connections, bytes, last_seen) = (change.connections, change.bytes, change.lastSeen)
        filter = change.filter
    }
}
