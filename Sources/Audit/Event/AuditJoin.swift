/// Joins the stages of requests, and takes what was written twice once.
///
/// Stages belong together if audit ID and time of reception are the same: the ID alone is the client's choice (header
/// `Audit-ID`), and one that repeats it must not hide another request.
package struct AuditJoin: Sendable {
    /// The maximum number of requests that are kept, begun and finished ones each; the oldest are removed first.
    package static let limit = 16_384

    private struct Key: Hashable {
        var auditID: String
        var receivedAt: Int64
    }

    private var begun: [Key: AuditEvent] = [:]
    private var order = RecentKeys<Key>(limit: AuditJoin.limit)
    private var finished: Set<Key> = []
    private var recent = RecentKeys<Key>(limit: AuditJoin.limit)
    /// Events that were there before.
    package private(set) var repeated = 0
    /// Requests that were forgotten before they ended.
    package private(set) var forgotten = 0

    /// Creates an empty join.
    package init() {}

    /// Takes an event.
    ///
    /// - Returns: true if it is the end of a request that has not been seen before.
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

    /// The requests whose end has not come, in the order of their beginning, without watches.
    package var unfinished: [AuditEvent] {
        begun.values.filter { $0.stage == .requestReceived }
            .sorted { ($0.receivedAt, $0.auditID) < ($1.receivedAt, $1.auditID) }
    }
}
