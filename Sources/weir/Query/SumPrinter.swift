import ArgumentParser
import Foundation
import Glibc
import Query
import Records
import Screen

/// The output format of sums.
enum SumFormat: String, ExpressibleByArgument, CaseIterable {
    /// Columns.
    case table
    /// Comma-separated values (RFC 4180).
    case csv
    /// A JSON object for each line.
    case json
}

/// Prints the result of a query on standard output.
struct SumPrinter {
    private let query: FlowQuery
    private let format: SumFormat
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    /// Takes the query.
    init(_ query: FlowQuery, _ format: SumFormat) {
        (self.query, self.format) = (query, format)
    }

    /// Prints the result.
    ///
    /// - Throws: `CommandFailure` if writing to standard output fails.
    func print(_ result: FlowQueryResult) throws {
        var output = OutputBuffer()
        for line in lines(result) {
            output.append((line + "\n").utf8)
            if output.isFull { try output.flush() }
        }
        try output.flush()
    }

    /// The lines of a result.
    func lines(_ result: FlowQueryResult) -> [String] {
        switch format {
        case .json: json(result)
        case .csv: csv(result)
        case .table: table(result)
        }
    }

    private var names: [String] { query.groupBy.map(\.description) }
    private var measures: [String] { query.sums.map(\.description) }

    /// A row: the time of a point if the query has a series, values, and sums.
    private struct Line {
        var time: Int64?
        var values: [String?]
        var sums: [UInt64]
    }

    private func rows(_ result: FlowQueryResult) -> [Line] {
        result.groups.flatMap { group in
            guard query.interval != nil else { return [Line(time: nil, values: group.values, sums: group.sums)] }
            return group.points.map { Line(time: $0.time, values: group.values, sums: $0.sums) }
        }
    }

    // MARK: Forms

    private func json(_ result: FlowQueryResult) -> [String] {
        rows(result).map { row in
            var members: [String] = []
            if let time = row.time { members.append("\"time\":\(time)") }
            for (name, value) in zip(names, row.values) { members.append("\"\(name)\":\(Self.quoted(value))") }
            for (name, sum) in zip(measures, row.sums) { members.append("\"\(name)\":\(sum)") }
            return "{\(members.joined(separator: ","))}"
        }
    }

    private static func quoted(_ value: String?) -> String {
        guard let value else { return "null" }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        guard let data = try? encoder.encode(value) else { return "null" }
        return TerminalText.neutralizedJSON(String(decoding: data, as: UTF8.self))
    }

    private func csv(_ result: FlowQueryResult) -> [String] {
        let head = (query.interval == nil ? [] : ["time"]) + names + measures
        let lines = rows(result).map { row in
            (row.time.map { ["\($0)"] } ?? []) + row.values.map { $0 ?? "" } + row.sums.map { "\($0)" }
        }
        return ([head] + lines).map { CommaSeparated.line(isTerminal ? $0.map(TerminalText.neutralized) : $0) }
    }

    private func table(_ result: FlowQueryResult) -> [String] {
        let offset = Int64(TimeZone.current.secondsFromGMT())
        var cells = [
            (query.interval == nil ? [] : ["TIME\(ClockText.offset(offset))"]) + names.map { $0.uppercased() }
                + measures.map { $0.uppercased() }
        ]
        for row in rows(result) {
            cells.append(
                (row.time.map { [ClockText.full($0, offset: offset)] } ?? [])
                    + row.values.map { TerminalText.neutralized($0 ?? "null") } + row.sums.map { "\($0)" }
            )
        }
        let rest = result.totalGroups - result.groups.count
        if rest > 0, query.interval == nil {
            let label = "other (\(rest))"
            let blanks = names.isEmpty ? [] : [label] + names.dropFirst().map { _ in "" }
            cells.append(blanks + result.other.map { "\($0)" })
        }
        let count = cells[0].count
        let widths = (0..<count).map { column in cells.map { TerminalText.width($0[column]) }.max() ?? 0 }
        return cells.map { row in
            let padded = row.enumerated().map { column, text in
                TerminalText.padded(text, to: widths[column], onLeft: column >= count - measures.count)
            }
            return String(padded.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
        }
    }
}
