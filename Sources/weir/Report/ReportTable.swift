import ArgumentParser
import Foundation
import Records
import Screen

/// The output format of a report.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
    case csv, json, yaml
}

/// The columns, rows and summary of a report.
struct ReportTable {
    /// A cell.
    enum Value {
        case text(String)
        case number(UInt64)
        case flag(Bool)
        /// Several texts; csv separates them with `;`.
        case texts([String])
    }

    /// The summary of all rows; not part of the csv format.
    var summary: [(name: String, value: Value)] = []
    /// The names of the columns.
    let columns: [String]
    /// The rows, each with a value for every column.
    var rows: [[Value]] = []

    /// Creates a table without rows.
    init(columns: [String]) {
        self.columns = columns
    }

    /// The report as text.
    func text(_ format: ReportFormat) -> String {
        switch format {
        case .csv:
            return ([columns] + rows.map { $0.map(Self.plain) }).map(Self.line).joined(separator: "\n")
        case .json:
            let members = summary.map { "\(Self.json(.text($0.name))):\(Self.json($0.value))" }
            let objects = rows.map { "{\(pairs($0).map { "\"\($0)\":\($1)" }.joined(separator: ","))}" }
            return "{\(members.map { "\($0)," }.joined())\"rows\":[\n\(objects.joined(separator: ",\n"))\n]}"
        case .yaml:
            // A JSON value is valid YAML.
            let head = summary.map { "\($0.name): \(Self.json($0.value))" }
            let items = rows.map { row in
                pairs(row).enumerated().map { "\($0 == 0 ? "- " : "  ")\($1.0): \($1.1)" }.joined(separator: "\n")
            }
            return (head + (items.isEmpty ? ["rows: []"] : ["rows:"] + items)).joined(separator: "\n")
        }
    }

    private func pairs(_ row: [Value]) -> [(String, String)] { zip(columns, row.map(Self.json)).map { ($0, $1) } }

    private static func plain(_ value: Value) -> String {
        switch value {
        case .text(let text): text
        case .number(let number): "\(number)"
        case .flag(let flag): "\(flag)"
        case .texts(let texts): texts.joined(separator: ";")
        }
    }

    /// The cells as a line of csv, without characters that could control a terminal.
    static func line(_ cells: [String]) -> String {
        CommaSeparated.line(cells.map(TerminalText.neutralizedLines))
    }

    static func json(_ value: Value) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes]
        let data =
            switch value {
            case .text(let text): try? encoder.encode(text)
            case .number(let number): try? encoder.encode(number)
            case .flag(let flag): try? encoder.encode(flag)
            case .texts(let texts): try? encoder.encode(texts)
            }
        return data.map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }
}
