/// Joins the stages of requests, and removes repeated events.
///
/// Stages belong to the same request if audit ID and time of reception are the same. The client can choose the ID (header
/// `Audit-ID`), so that a repeated ID alone must not hide another request.
package struct AuditJoin: Sendable {
    /// The maximum number of kept requests, unfinished and finished ones each; the oldest are removed first.
    package static let limit = 16_384

    private struct Key: Hashable {
        var auditID: String
        var receivedAt: Int64
    }

    private var begun: [Key: AuditEvent] = [:]
    private var order = RecentKeys<Key>(limit: AuditJoin.limit)
    private var finished: Set<Key> = []
    private var recent = RecentKeys<Key>(limit: AuditJoin.limit)
    /// The number of repeated events.
    package private(set) var repeated = 0
    /// The number of requests that were removed before their final stage.
    package private(set) var forgotten = 0

    /// Creates an empty join.
    package init() {}

    /// Adds an event.
    ///
    /// - Returns: true if it is the final stage of a request that was not seen before.
    package mutating func take(_ event: AuditEvent) -> Bool {
        let key = Key(auditID: event.auditID, receivedAt: event.receivedAt)
        guard event.stage.isFinal else {
            guard begun.updateValue(event, forKey: key) == nil else { return false }
            if let oldest = order.append(key), begun.removeValue(forKey: oldest) != nil { forgotten += 1 }
            return false
        }
        if !begun.isEmpty { begun[key] = nil }
        guard finished.insert(key).inserted else {
            repeated += 1
            return false
        }
        if let oldest = recent.append(key) { finished.remove(oldest) }
        return true
    }

    /// The requests without a final stage, in the order of their first stages, without watches.
    package var unfinished: [AuditEvent] {
        begun.values.filter { $0.stage == .requestReceived }
            .sorted { ($0.receivedAt, $0.auditID) < ($1.receivedAt, $1.auditID) }
    }
}
