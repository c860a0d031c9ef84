import Query
import Screen

/// A frame of `weir top`: lines that fit the terminal.
struct TopFrame {
    /// The grouping.
    var view: TopView
    /// The measure that orders the groups.
    var measure: TopMeasure
    /// The result of the query.
    var result: FlowQueryResult
    /// The length of the queried range, seconds.
    var seconds: Int64
    /// The end of the range, Unix seconds.
    var until: Int64
    /// Whether updates are paused.
    var isPaused = false

    /// The lines of the frame.
    ///
    /// - Parameters:
    ///   - width: the width of the terminal in columns; nil for untruncated lines.
    ///   - height: the height of the terminal in lines; nil to show all groups.
    ///   - offset: the offset of local time from UTC, seconds.
    /// - Returns: the header, a line for each group, and the remaining groups as `other`.
    func lines(width: Int?, height: Int?, offset: Int64) -> [String] {
        let rates = result.total.map { ShortNumber.text(seconds > 0 ? $0 / UInt64(seconds) : $0) }
        var lines = [
            "weir top \(view.rawValue)   last \(seconds) s   \(ClockText.time(until, offset: offset))"
                + "\(ClockText.offset(offset))\(isPaused ? "   PAUSED" : "")",
            "per second: \(rates[0]) connections (\(rates[3]) denied), \(rates[1])B, \(rates[2]) packets",
            "",
        ]
        let room = height.map { max(1, $0 - lines.count - 3) } ?? result.groups.count
        let shown = result.groups.prefix(room)
        var rows = [
            view.titles
                + TopMeasure.titles.enumerated().map { $0.offset == measure.place ? $0.element + "▼" : $0.element }
        ]
        for group in shown { rows.append(names(group) + group.sums.map(ShortNumber.text)) }
        let hidden = result.totalGroups - shown.count
        if hidden > 0 {
            let rest = shown.reduce(result.total) { zip($0, $1.sums).map { $0 - min($0, $1) } }
            rows.append(
                ["other \(hidden)"] + view.titles.dropFirst().map { _ in "" } + rest.map(ShortNumber.text)
            )
        }
        lines += table(rows, width)
        if result.groups.isEmpty { lines.append("nothing is recorded in this time yet") }
        return lines.map { line in width.map { TerminalText.prefix(line, width: $0) } ?? line }
    }

    private func names(_ group: FlowQueryResult.Group) -> [String] {
        let names = group.values.map { TerminalText.neutralized($0 ?? "-") }
        return view == .services && names.allSatisfy { $0 == "-" } ? ["-", "(no service)"] : names
    }

    /// The least width of a shortened name.
    private static let leastName = 8
    /// The order in which numbers are left out in a narrow terminal: packets, bytes, connections, denied connections.
    private static let removalOrder = [2, 1, 0, 3]

    /// The rows without the numbers that do not fit; the measure that orders the groups stays.
    private func fitting(_ rows: [[String]], _ width: Int?) -> [[String]] {
        guard let width else { return rows }
        let names = view.titles.count
        var columns = Array(rows[0].indices)
        for place in Self.removalOrder where place != measure.place {
            let used = columns.reduce(0) { sum, column in
                let widest = rows.map { TerminalText.width($0[column]) }.max() ?? 0
                return sum + (column < names ? min(Self.leastName, widest) : widest)
            }
            if used + 2 * (columns.count - 1) <= width { break }
            columns.removeAll { $0 == names + place }
        }
        return rows.map { row in columns.map { row[$0] } }
    }

    private func table(_ all: [[String]], _ width: Int?) -> [String] {
        let rows = fitting(all, width)
        let count = rows[0].count
        let numbers = count - view.titles.count
        var widths = (0..<count).map { column in rows.map { TerminalText.width($0[column]) }.max() ?? 0 }
        if let width {
            // Names share the remaining width.
            let fixed = widths.suffix(numbers).reduce(0, +) + 2 * (count - 1)
            let names = count - numbers
            var excess = widths.prefix(names).reduce(0, +) + fixed - width
            while excess > 0, let widest = (0..<names).max(by: { widths[$0] < widths[$1] }),
                widths[widest] > Self.leastName
            {
                widths[widest] -= 1
                excess -= 1
            }
        }
        return rows.map { row in
            row.enumerated().map { column, text in
                let isNumber = column >= count - numbers
                let cell = isNumber ? text : TerminalText.middle(text, width: widths[column])
                return TerminalText.padded(cell, to: widths[column], onLeft: isNumber)
            }.joined(separator: "  ")
        }
    }
}
