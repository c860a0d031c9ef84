package import Filter
import FlowModel
package import Records

/// Sends statements to a ClickHouse server and returns the rows as text.
package protocol ClickHouseConnection: Sendable {
    /// The rows of a statement's result in the format `JSONCompactStringsEachRow`.
    ///
    /// - Parameters:
    ///   - statement: the statement, without a format.
    ///   - take: receives each row; returning false stops the query.
    /// - Throws: an error if there is no result, or the error of `take`.
    func rows(_ statement: String, _ take: ([String]) throws -> Bool) throws
}

/// Records in a ClickHouse table that `weir schema clickhouse` created; supports the same queries as a local store.
package struct ClickHouseStore: Sendable {
    private let connection: any ClickHouseConnection
    private let table: String

    /// Creates a store from a connection and a table name, which includes the database.
    package init(_ connection: any ClickHouseConnection, table: String) {
        (self.connection, self.table) = (connection, table)
    }

    /// Whether a text is a valid table name: letters, digits, `_`, and one dot.
    package static func isTable(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return 1...2 ~= parts.count
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy {
                        0x30...0x39 ~= $0 || 0x41...0x5a ~= $0 || 0x61...0x7a ~= $0 || $0 == 0x5f
                    }
            }
    }

    private func all(_ statement: String) throws -> [[String]] {
        var rows: [[String]] = []
        try connection.rows(statement) {
            rows.append($0)
            return true
        }
        return rows
    }

    /// The end times of the first and the last record, Unix seconds; nil if there are no records.
    package func extent() throws -> (oldest: Int64, newest: Int64)? {
        let statement =
            "SELECT toUnixTimestamp(min(r.end_time)), toUnixTimestamp(max(r.end_time)), count() FROM \(table) AS r"
        guard let row = try all(statement).first, row.count == 3, row[2] != "0", let oldest = Int64(row[0]),
            let newest = Int64(row[1])
        else { return nil }
        return (oldest, newest)
    }

    /// The number of minutes in a range that have records.
    package func minutes(after since: Int64, upTo until: Int64) throws -> Int {
        let condition = ClickHouseText.condition(since: since, until: until, try Filter(""))
        let rows = try all("SELECT uniqExact(toStartOfMinute(r.end_time)) FROM \(table) AS r WHERE \(condition)")
        return rows.first?.first.flatMap { Int($0) } ?? 0
    }

    // MARK: Sums

    /// Runs a query.
    ///
    /// - Throws: `QueryError` if the query exceeds a limit, and errors of the connection.
    package func run(_ query: FlowQuery) throws -> FlowQueryResult {
        _ = try query.pointCount()
        let (names, sums) = (query.groupBy.indices.map { "g\($0)" }, query.sums.indices.map { "s\($0)" })
        let groups = groupStatement(query)
        let order = names.map { "\($0) ASC" }
        let direction =
            query.order.map { ["s\($0) \(query.isReversed ? "ASC" : "DESC")"] + order }
            ?? names.map { "\($0) \(query.isReversed ? "DESC" : "ASC")" }
        let ordering = direction.isEmpty ? "" : " ORDER BY \(direction.joined(separator: ", "))"
        let limit = query.limit == .max ? "" : " LIMIT \(query.limit)"
        var result = FlowQueryResult(groups: [], totalGroups: 0, total: [UInt64](repeating: 0, count: sums.count))
        let columns = (names + sums + ["first", "last"]).joined(separator: ", ")
        try connection.rows("SELECT \(columns) FROM (\(groups))\(ordering)\(limit)") { row in
            guard row.count == names.count + sums.count + 2 else { return true }
            result.groups.append(
                FlowQueryResult.Group(
                    values: zip(row, query.groupBy).map { ClickHouseText.read($0, $1) },
                    sums: row[names.count..<(names.count + sums.count)].map { UInt64($0) ?? 0 },
                    firstSeen: Int64(row[row.count - 2]) ?? 0,
                    lastSeen: Int64(row[row.count - 1]) ?? 0
                )
            )
            return true
        }
        let totals = ["count()"] + sums.map { "sum(\($0))" }
        if let row = try all("SELECT \(totals.joined(separator: ", ")) FROM (\(groups))").first,
            row.count == totals.count
        {
            result.totalGroups = Int(row[0]) ?? 0
            result.total = row.dropFirst().map { UInt64($0) ?? 0 }
        }
        if let interval = query.interval, !result.groups.isEmpty {
            let chosen =
                names.isEmpty ? nil : "SELECT \(names.joined(separator: ", ")) FROM (\(groups))\(ordering)\(limit)"
            try addPoints(to: &result, query, interval, chosen)
        }
        return result
    }

    private func groupStatement(_ query: FlowQuery) -> String {
        let values = query.groupBy.enumerated().map { "\(ClickHouseText.value($0.element)) AS g\($0.offset)" }
        let sums = query.sums.enumerated().map { "\(ClickHouseText.sum($0.element)) AS s\($0.offset)" }
        let times = [
            "toUnixTimestamp(min(least(r.start_time, r.end_time))) AS first",
            "toUnixTimestamp(max(r.end_time)) AS last",
        ]
        let names = query.groupBy.indices.map { "g\($0)" }.joined(separator: ", ")
        let condition = ClickHouseText.condition(since: query.since, until: query.until, query.filter)
        return "SELECT \((values + sums + times).joined(separator: ", ")) FROM \(table) AS r WHERE \(condition)"
            + (names.isEmpty ? "" : " GROUP BY \(names)") + " HAVING count() > 0"
    }

    private func addPoints(
        to result: inout FlowQueryResult,
        _ query: FlowQuery,
        _ interval: Int64,
        _ chosen: String?
    ) throws {
        let values = query.groupBy.map(ClickHouseText.value)
        let names = query.groupBy.indices.map { "g\($0)" }
        let selected = zip(values, names).map { "\($0) AS \($1)" }
        let sums = query.sums.map(ClickHouseText.sum)
        let point = "intDiv(toUnixTimestamp(r.end_time) - 1, \(interval)) * \(interval) AS point"
        let columns = (selected + [point] + sums).joined(separator: ", ")
        let condition = ClickHouseText.condition(since: query.since, until: query.until, query.filter)
        let isChosen = chosen.map { " AND (\(values.joined(separator: ", "))) IN (\($0))" } ?? ""
        var places: [[String?]: Int] = [:]
        for (place, group) in result.groups.enumerated() { places[group.values] = place }
        let keys = (names + ["point"]).joined(separator: ", ")
        try connection.rows(
            "SELECT \(columns) FROM \(table) AS r WHERE \(condition)\(isChosen) GROUP BY \(keys) ORDER BY point"
        ) { row in
            guard row.count == names.count + 1 + sums.count, let time = Int64(row[names.count]) else { return true }
            let key = zip(row, query.groupBy).map { ClickHouseText.read($0, $1) }
            guard let place = places[key] else { return true }
            result.groups[place].points.append((time, row.dropFirst(names.count + 1).map { UInt64($0) ?? 0 }))
            return true
        }
    }

    // MARK: Records

    /// Reads single records.
    ///
    /// - Parameters:
    ///   - since: records end after this time, Unix seconds.
    ///   - until: records end at this time at the latest, Unix seconds.
    ///   - filter: selects the records.
    ///   - newestFirst: the order.
    ///   - limit: the maximum number of records; nil for all.
    ///   - body: receives each record; returning false stops the query.
    /// - Throws: errors of the connection or of `body`.
    package func records(
        after since: Int64,
        upTo until: Int64,
        filter: Filter,
        newestFirst: Bool,
        limit: Int?,
        _ body: (ReadRecord) throws -> Bool
    ) throws {
        let columns = ClickHouseRecord.fields.map(ClickHouseText.value).joined(separator: ", ")
        let condition = ClickHouseText.condition(since: since, until: until, filter)
        let order = newestFirst ? "DESC" : "ASC"
        let statement =
            "SELECT \(columns) FROM \(table) AS r WHERE \(condition) ORDER BY r.end_time \(order)"
            + (limit.map { " LIMIT \($0)" } ?? "")
        try connection.rows(statement) { row in
            guard let record = ClickHouseRecord.read(row) else { return true }
            return try body(record)
        }
    }
}
