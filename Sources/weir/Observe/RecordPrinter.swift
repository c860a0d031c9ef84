import ArgumentParser
import FlowModel
import Foundation
import Glibc
import Records
import Screen

/// The output format of records.
enum RecordFormat: String, ExpressibleByArgument, CaseIterable {
    /// Columns that fit the terminal.
    case table
    /// All columns, untruncated.
    case wide
    /// A line without columns.
    case compact
    /// All fields, separated by commas (RFC 4180).
    case csv
    /// The record as it was written.
    case json
}

/// The condition under which output is coloured.
enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
    case auto, always, never

    /// Whether standard output is coloured.
    var isColored: Bool {
        switch self {
        case .always: true
        case .never: false
        case .auto: isatty(STDOUT_FILENO) == 1 && !Self.isSet("NO_COLOR") && Self.value("TERM") != "dumb"
        }
    }

    private static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    private static func isSet(_ name: String) -> Bool { value(name).map { !$0.isEmpty } ?? false }
}

/// Prints records on standard output in one of the formats.
struct RecordPrinter {
    private let format: RecordFormat
    private let isColored: Bool
    private let explains: Bool?
    private let isTerminal = isatty(STDOUT_FILENO) == 1
    private let utcOffset: Int64
    private let showsNode: Bool
    private var output = OutputBuffer()
    private var table: RecordTable
    private var width: Int?
    private var hasHeader = false

    /// Creates a printer without output.
    ///
    /// - Parameters:
    ///   - format: the output format.
    ///   - color: when verdicts are coloured.
    ///   - explains: whether denied records are followed by an explanation; nil to explain on a terminal only.
    ///   - isUTC: whether times are in UTC rather than local time.
    ///   - showsNode: whether to show the node, because records come from several nodes.
    init(_ format: RecordFormat, color: ColorChoice, explains: Bool?, isUTC: Bool, showsNode: Bool = false) {
        self.showsNode = showsNode
        self.format = format
        self.explains = explains
        isColored = color.isColored
        utcOffset = isUTC ? 0 : Int64(TimeZone.current.secondsFromGMT())
        table = RecordTable(
            .init(width: nil, isColored: isColored, explains: false, utcOffset: utcOffset, showsNode: showsNode)
        )
    }

    /// Appends a record to the output.
    ///
    /// - Parameters:
    ///   - record: the record.
    ///   - node: the node of the agent that reported it, if there are several nodes.
    mutating func add(_ record: ReadRecord, node: String? = nil) {
        switch format {
        case .json: add(json: record, node)
        case .csv: add(csv: record, node)
        case .compact: add(line: compact(RecordRow(record, node: node)))
        case .table, .wide:
            prepareTable()
            for line in table.lines(RecordRow(record, node: node)) { add(line: line) }
        }
    }

    /// Whether the buffer should be written.
    var isFull: Bool { output.isFull }

    /// Writes the buffered output.
    ///
    /// - Throws: `CommandFailure` if writing to standard output fails.
    mutating func flush() throws { try output.flush() }

    private mutating func add(line: String) { output.append((line + "\n").utf8) }

    /// Prints the header at the start, and again when the width of the terminal changes.
    private mutating func prepareTable() {
        let now = format == .table && isTerminal ? Self.terminalWidth : nil
        guard !hasHeader || now != width else { return }
        width = now
        hasHeader = true
        table = RecordTable(
            .init(
                width: now,
                isColored: isColored,
                explains: explains ?? isTerminal,
                utcOffset: utcOffset,
                showsNode: showsNode
            )
        )
        add(line: table.header)
    }

    private mutating func add(json record: ReadRecord, _ node: String?) {
        // A record is a JSON object with members and without leading white space.
        let head = node.map { Array("{\"host\":\(Self.json($0)),".utf8) }
        let bytes = head.map { $0 + record.bytes.dropFirst() } ?? record.bytes
        guard isTerminal else {
            output.append(bytes)
            return output.append(CollectionOfOne(UInt8(ascii: "\n")))
        }
        add(line: TerminalText.neutralizedJSON(String(decoding: bytes, as: UTF8.self)))
    }

    private static func json(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "null"
    }

    private mutating func add(csv record: ReadRecord, _ node: String?) {
        if !hasHeader {
            hasHeader = true
            add(line: CommaSeparated.line(CommaSeparated.names + (showsNode ? ["host"] : [])))
        }
        let cells = CommaSeparated.cells(of: record) + (showsNode ? [node ?? ""] : [])
        add(line: CommaSeparated.line(isTerminal ? cells.map(TerminalText.neutralized) : cells))
    }

    private func compact(_ row: RecordRow) -> String {
        let time = ClockText.full(row.time, offset: utcOffset) + ClockText.offset(utcOffset)
        let place = showsNode ? "\(row.node) " : ""
        let what =
            "\(time) \(place)\(row.action) \(row.reporter) \(row.source.text) -> \(row.destination.text) \(row.port)"
        let numbers = "\(row.connections) conn \(ShortNumber.text(row.bytes))B"
        let reason = row.isDenied ? "; \(row.verdict.now)" : ""
        return "\(what) \(numbers)\(reason)"
    }

    /// The width of the terminal in columns.
    static var terminalWidth: Int {
        var size = winsize()
        if ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 { return Int(size.ws_col) }
        return getenv("COLUMNS").flatMap { Int(String(cString: $0)) } ?? 80
    }
}
