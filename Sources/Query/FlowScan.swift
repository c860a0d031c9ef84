package import Filter
import FlowModel
import Records
package import Store

extension ScanRows {
    /// The sum of some counters of a row.
    func sum(of counters: [Int], _ row: Int) -> UInt64 {
        counters.reduce(0) { sum, counter in
            let column = self.counters[counter]
            return sum &+ (column.isEmpty ? 0 : column[row])
        }
    }
}

/// Iterates over the records of a range that match a filter.
package struct FlowScan {
    /// The snapshot of the store.
    package let snapshot: StoreSnapshot
    /// Records end after this time, Unix seconds.
    package let since: Int64
    /// Records end at this time at the latest, Unix seconds.
    package let until: Int64
    private let seconds: Int
    private let deadline: ContinuousClock.Instant
    private let filter: RowFilter

    /// The default maximum duration of a query, seconds.
    package static let limitSeconds = 10

    /// Prepares a scan.
    ///
    /// - Parameters:
    ///   - snapshot: the snapshot of the store.
    ///   - since: records end after this time, Unix seconds.
    ///   - until: records end at this time at the latest, Unix seconds.
    ///   - filter: selects the records.
    ///   - seconds: the maximum duration.
    package init(
        _ snapshot: StoreSnapshot,
        since: Int64,
        until: Int64,
        filter: Filter,
        seconds: Int = FlowScan.limitSeconds
    ) {
        self.snapshot = snapshot
        (self.since, self.until, self.seconds) = (since, until, seconds)
        deadline = .now + .seconds(seconds)
        self.filter = RowFilter(filter, keys: snapshot.keys)
    }

    /// Counts the matching records.
    ///
    /// - Returns: the number; if it takes too long, the number that was found until then, which is not complete.
    /// - Throws: `StoreError` if the store cannot be read.
    package func count() throws -> (records: UInt64, isComplete: Bool) {
        var records: UInt64 = 0
        do {
            try forEach(ScanNeeds(takesSums: true, counters: [])) { rows, row in
                records &+= rows.records.isEmpty ? 1 : rows.records[row]
            }
        } catch QueryError.tooSlow {
            return (records, false)
        }
        return (records, true)
    }

    /// Calls a body for each matching row.
    ///
    /// - Parameters:
    ///   - needs: the columns that the body reads.
    ///   - body: receives the rows of a block, and the index of a matching row.
    /// - Throws: `QueryError` if it takes too long, `StoreError` if the store cannot be read, and errors of the body.
    package func forEach(_ needs: ScanNeeds, _ body: (ScanRows, Int) throws -> Void) throws {
        var (needs, filter) = (needs, filter)
        if !filter.takesSums { needs.takesSums = false }
        if filter.needsDetails { needs.details = true }
        if filter.needsCounters { needs.counters = nil }
        try snapshot.scan(after: since, upTo: until, needs) { rows in
            guard ContinuousClock.now < deadline else { throw QueryError.tooSlow(seconds: seconds) }
            for row in 0..<rows.count where try filter.matches(rows, row) { try body(rows, row) }
        }
    }
}
