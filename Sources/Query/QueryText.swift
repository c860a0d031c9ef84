package import Filter
import Records

/// A query in text form, as users write it: names separated by commas.
package struct QueryText: Sendable {
    private let groupBy: String?
    private let sum: String?
    private let interval: String?
    private let order: String?
    private let limit: Int

    /// Takes the parts; nil or empty text selects the default of a part.
    package init(groupBy: String?, sum: String?, interval: String?, order: String?, limit: Int) {
        (self.groupBy, self.sum, self.interval, self.order, self.limit) = (groupBy, sum, interval, order, limit)
    }

    /// Parses the query.
    ///
    /// - Throws: `QueryError` if a part is invalid.
    package func query(since: Int64, until: Int64, filter: Filter) throws(QueryError) -> FlowQuery {
        let names = Self.words(groupBy)
        guard names.count <= 6 else { throw .invalid(parameter: "group_by", reason: "6 names are possible") }
        var groups: [GroupName] = []
        for name in names {
            guard let group = GroupName(name) else {
                throw .invalid(
                    parameter: "group_by",
                    reason: "'\(name)' is no field that groups, and none of source, dest, port, rule, pending_rule, "
                        + "pending_action"
                )
            }
            groups.append(group)
        }
        let sums = try measures()
        var query = FlowQuery(since: since, until: until, filter: filter, groupBy: groups, sums: sums)
        query.interval = try intervalSeconds(until - since)
        query.limit = limit
        guard let order, !order.isEmpty else { return query }
        let name = order.hasPrefix("-") ? String(order.dropFirst()) : order
        if let place = sums.firstIndex(where: { $0.description == name }) {
            query.order = place
            query.isReversed = !order.hasPrefix("-")
        } else if names.contains(name) {
            query.order = nil
            query.isReversed = order.hasPrefix("-")
        } else {
            throw .invalid(parameter: "order", reason: "'\(name)' is neither summed nor grouped by")
        }
        return query
    }

    private func measures() throws(QueryError) -> [Measure] {
        let words = Self.words(sum)
        guard words.count <= 12 else { throw .invalid(parameter: "sum", reason: "12 measures are possible") }
        var sums: [Measure] = []
        for word in words.isEmpty ? ["connections", "bytes"] : words {
            guard let measure = Measure(word) else {
                throw .invalid(
                    parameter: "sum",
                    reason: "'\(word)' is no measure; there are \(Measure.names), with allowed_ or denied_ in front"
                )
            }
            sums.append(measure)
        }
        return sums
    }

    private func intervalSeconds(_ range: Int64) throws(QueryError) -> Int64? {
        guard let interval, !interval.isEmpty else { return nil }
        if interval == "auto" { return Self.automaticInterval(range) }
        guard let seconds = TimePoint.span(interval) else {
            throw .invalid(parameter: "interval", reason: "a time like 1m, 5m or 1h is needed, or auto")
        }
        return seconds
    }

    /// The interval that divides a range into at most 60 points, seconds.
    package static func automaticInterval(_ range: Int64) -> Int64 {
        let steps: [Int64] = [60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 604_800, 2_592_000]
        return steps.first { range / $0 <= 60 } ?? 31_536_000
    }

    private static func words(_ text: String?) -> [String] {
        (text ?? "").split(separator: ",").map { $0.trimmingPrefix { $0 == " " } }.map(String.init)
    }
}
