package import Filter
package import Records
package import Store

/// A page of single records.
package struct RecordList: Sendable {
    /// The records with their ids, in the requested order.
    package var records: [(id: StoredRecordID, record: ReadRecord)] = []
    /// Whether more records follow.
    package var hasMore = false

    /// Reads a page.
    ///
    /// - Parameters:
    ///   - snapshot: the snapshot of the store.
    ///   - since: records end after this time, Unix seconds.
    ///   - until: records end at this time at the latest, Unix seconds.
    ///   - filter: selects the records.
    ///   - newestFirst: the order.
    ///   - limit: the maximum number of records.
    ///   - cursor: the last record of the previous page.
    /// - Throws: `QueryError` if it takes too long, `StoreError` if the store cannot be read.
    package init(
        _ snapshot: StoreSnapshot,
        since: Int64,
        until: Int64,
        filter: Filter,
        newestFirst: Bool,
        limit: Int,
        cursor: StoredRecordID? = nil
    ) throws {
        let deadline = ContinuousClock.now + .seconds(FlowScan.limitSeconds)
        var (found, isMore) = ([(id: StoredRecordID, record: ReadRecord)](), false)
        var wanted = RowFilter(filter, keys: snapshot.keys)
        try snapshot.records(
            after: since,
            upTo: until,
            newestFirst: newestFirst,
            behind: cursor,
            isWanted: { rows, row in
                guard ContinuousClock.now < deadline else { throw QueryError.tooSlow(seconds: FlowScan.limitSeconds) }
                return try wanted.matches(rows, row)
            }
        ) { id, record in
            guard found.count < limit else {
                isMore = true
                return false
            }
            found.append((id, record))
            return true
        }
        (records, hasMore) = (found, isMore)
    }
}
