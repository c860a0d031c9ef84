package import Filter
import FlowModel
import Records
package import Store

/// A query for sums of measures by group over a range of time.
package struct FlowQuery: Sendable {
    /// Records end after this time, Unix seconds.
    package var since: Int64
    /// Records end at this time at the latest, Unix seconds.
    package var until: Int64
    /// Selects the records.
    package var filter: Filter
    /// The names that records are grouped by.
    package var groupBy: [GroupName]
    /// The measures that are summed.
    package var sums: [Measure]
    /// The length of the points of the series, seconds; nil for no series.
    package var interval: Int64?
    /// The index in ``sums`` of the measure that orders the groups, largest first; nil orders by the group values.
    package var order: Int?
    /// Whether the order is reversed.
    package var isReversed = false
    /// Whether groups with equal sums are ordered by their values.
    ///
    /// Otherwise they are in the order of their first records, which takes less time.
    package var ordersTies = true
    /// The maximum number of groups.
    package var limit = 20
    /// The limits of memory and time.
    package var limits = QueryLimits()

    /// The maximum number of points in a series.
    package static let maximumPoints: Int64 = 10_000

    /// Creates a query for all records of a range.
    package init(
        since: Int64,
        until: Int64,
        filter: Filter,
        groupBy: [GroupName],
        sums: [Measure],
        interval: Int64? = nil,
        order: Int? = 0
    ) {
        (self.since, self.until, self.filter, self.groupBy, self.sums) = (since, until, filter, groupBy, sums)
        (self.interval, self.order) = (interval, order)
    }
}

/// The result of a query.
package struct FlowQueryResult: Sendable {
    /// A group.
    package struct Group: Sendable {
        /// The values, in the order of the query; nil where a field is null.
        package var values: [String?]
        /// The sums, in the order of the query.
        package var sums: [UInt64]
        /// The points of the series that have records: their start times, Unix seconds, and their sums.
        package var points: [(time: Int64, sums: [UInt64])] = []
        /// Start of the first interval with a record, Unix seconds.
        package var firstSeen: Int64
        /// End of the last interval with a record, Unix seconds.
        package var lastSeen: Int64
    }

    /// The groups in order, up to the limit.
    package var groups: [Group]
    /// The total number of groups.
    package var totalGroups: Int
    /// The sums of all groups.
    package var total: [UInt64]

    /// The sums of the groups beyond the limit.
    package var other: [UInt64] {
        groups.reduce(total) { rest, group in zip(rest, group.sums).map { $0 - min($0, $1) } }
    }
}

extension FlowQuery {
    /// Runs the query.
    ///
    /// - Throws: `QueryError` if the query exceeds a limit, `StoreError` if the store cannot be read.
    package func run(_ snapshot: StoreSnapshot) throws -> FlowQueryResult {
        let points = try pointCount()
        let scan = FlowScan(snapshot, since: since, until: until, filter: filter, seconds: limits.seconds)
        var groups = GroupTable(groupBy, keys: snapshot.keys)
        var cells = SumTable(width: sums.count, points: points)
        let isDenied = snapshot.keys.map { $0.record.isDenied }
        let counters = Set(sums.flatMap(\.counters)).sorted()
        let quantities = sums.map {
            (action: $0.action, isRecords: $0.quantity == .records, counters: $0.counters)
        }
        var values = [UInt64](repeating: 0, count: sums.count)
        let needs = ScanNeeds(
            takesSums: groupBy.allSatisfy(\.isOfKey),
            interval: interval,
            counters: counters,
            details: groups.needsDetails
        )
        try scan.forEach(needs) { rows, row in
            let key = Int(rows.keys[row])
            for (index, quantity) in quantities.enumerated() {
                guard quantity.action == nil || (quantity.action == .deny) == isDenied[key] else {
                    values[index] = 0
                    continue
                }
                if quantity.isRecords {
                    values[index] = rows.records.isEmpty ? 1 : rows.records[row]
                } else {
                    values[index] = rows.sum(of: quantity.counters, row)
                }
            }
            let group = try groups.number(rows, row, key)
            let point = interval.map { Int((rows.pointTime(row) / $0) - since / $0) }
            guard group < limits.groups, cells.count(with: group) <= limits.sums else {
                throw QueryError.invalid(
                    parameter: "group_by",
                    reason:
                        "too many groups and points; use a shorter range, a larger interval, fewer names, or a filter"
                )
            }
            cells.add(values, group, point, min(rows.starts[row], rows.ends[row])...rows.ends[row])
        }
        return result(groups, cells)
    }

    /// The number of points in the series.
    func pointCount() throws -> Int {
        guard let interval else { return 0 }
        guard interval >= 60, interval % 60 == 0 else {
            throw QueryError.invalid(parameter: "interval", reason: "whole minutes are needed")
        }
        let points = max(0, (until - 1) / interval - since / interval + 1)
        guard points <= Self.maximumPoints else {
            let least = (until - since) / Self.maximumPoints / 60 * 60 + 60
            throw QueryError.invalid(parameter: "interval", reason: "\(points) points; \(least)s or more is needed")
        }
        return Int(points)
    }

    private func result(_ groups: borrowing GroupTable, _ cells: borrowing SumTable) -> FlowQueryResult {
        var all = (0..<groups.count).map { number in
            FlowQueryResult.Group(
                values: groups.values(number),
                sums: cells.sums(number),
                firstSeen: cells.firsts[number],
                lastSeen: cells.lasts[number]
            )
        }
        var numbers = Array(all.indices)
        let ordering = order.map { order in all.map { $0.sums[order] } }
        numbers.sort { left, right in
            if let ordering, ordering[left] != ordering[right] {
                return (ordering[left] > ordering[right]) != isReversed
            }
            guard ordersTies || ordering == nil else { return left < right }
            return Self.precedes(all[left].values, all[right].values) != (order == nil && isReversed)
        }
        if let interval {
            for number in numbers.prefix(limit) {
                all[number].points = cells.points(number).map { point, sums in
                    ((since / interval + Int64(point)) * interval, sums)
                }
            }
        }
        var total = [UInt64](repeating: 0, count: sums.count)
        for group in all {
            for index in total.indices {
                let (sum, isTooLarge) = total[index].addingReportingOverflow(group.sums[index])
                total[index] = isTooLarge ? .max : sum
            }
        }
        return FlowQueryResult(groups: numbers.prefix(limit).map { all[$0] }, totalGroups: all.count, total: total)
    }

    private static func precedes(_ left: [String?], _ right: [String?]) -> Bool {
        for (one, other) in zip(left, right) where one != other {
            guard let one else { return true }
            guard let other else { return false }
            return one < other
        }
        return false
    }
}
