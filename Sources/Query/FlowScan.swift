package import Filter
import FlowModel
import Records
package import Store

/// Iterates over the records of a range that match a filter.
package struct FlowScan {
    /// The snapshot of the store.
    package let snapshot: StoreSnapshot
    /// Records end after this time, Unix seconds.
    package let since: Int64
    /// Records end at this time at the latest, Unix seconds.
    package let until: Int64
    private let filter: Filter
    private let seconds: Int
    private let deadline: ContinuousClock.Instant
    /// Whether the filter uses only fields of the flow key.
    private let isOfKeys: Bool
    /// For each flow key, whether its records can match; always true if the filter uses other fields.
    private let wanted: [Bool]

    /// The maximum duration of a query where nothing else is said, seconds.
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
        (self.since, self.until, self.filter, self.seconds) = (since, until, filter, seconds)
        deadline = .now + .seconds(seconds)
        let isOfKeys = Self.asksOnly(of: StoreFields.key, filter.expression)
        self.isOfKeys = isOfKeys
        wanted = snapshot.keys.map { !isOfKeys || filter.matches($0.record) }
    }

    /// Calls a body for each matching row.
    ///
    /// - Parameters:
    ///   - needs: the columns that the body reads.
    ///   - body: receives the rows of a block, and the index of a matching row.
    /// - Throws: `QueryError` if it takes too long, `StoreError` if the store cannot be read, and what the body throws.
    package func forEach(_ needs: ScanNeeds, _ body: (ScanRows, Int) throws -> Void) throws {
        var needs = needs
        if !isOfKeys {
            needs.takesSums = false
            needs.counters = nil
        }
        try snapshot.scan(after: since, upTo: until, needs) { rows in
            guard ContinuousClock.now < deadline else { throw QueryError.tooSlow(seconds: seconds) }
            let keys = rows.keys
            for row in 0..<rows.count where wanted[Int(keys[row])] {
                if !isOfKeys, try !filter.matches(ReadRecord(rows.line(row, snapshot.keys[Int(keys[row])]))) {
                    continue
                }
                try body(rows, row)
            }
        }
    }

    /// Whether records of a flow key can match the filter.
    package func mayWant(key: Int) -> Bool { wanted[key] }

    private static func asksOnly(of fields: [FlowField], _ expression: FilterExpression) -> Bool {
        switch expression {
        case .all: true
        case .not(let inner): asksOnly(of: fields, inner)
        case .and(let parts), .or(let parts): parts.allSatisfy { asksOnly(of: fields, $0) }
        case .test(.field(let field), _), .test(.label(let field, _), _): fields.contains(field)
        case .test(.hits, _): true
        }
    }
}
