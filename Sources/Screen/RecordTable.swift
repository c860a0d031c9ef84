import Records

/// A table of records for terminals; its columns depend on the width, and no line is longer than that.
package struct RecordTable: Sendable {
    /// The content of a cell.
    enum Column {
        case time, node, action, reporter, source, sourceAddress, destination, destinationAddress, port, service,
            connections,
            packets, bytes, process, domains, decidedBy, reason
    }

    /// The appearance of the table.
    package struct Style: Sendable {
        /// The width of the terminal in columns; nil to show all columns untruncated.
        package var width: Int?
        /// Whether verdicts are coloured.
        package var isColored: Bool
        /// Whether a denied record is followed by a line with the reason.
        package var explains: Bool
        /// The offset of local time from UTC, seconds.
        package var utcOffset: Int64
        /// Whether records of several nodes are shown.
        package var showsNode: Bool

        /// Takes all members.
        package init(
            width: Int?,
            isColored: Bool,
            explains: Bool,
            utcOffset: Int64 = 0,
            showsNode: Bool = false
        ) {
            self.showsNode = showsNode
            self.width = width
            self.isColored = isColored
            self.explains = explains
            self.utcOffset = utcOffset
        }
    }

    private let style: Style
    private let columns: [(column: Column, width: Int)]

    /// The minimum width of the table; narrower terminals wrap its lines.
    package static let smallestWidth = 40

    /// Selects the columns for a style.
    package init(_ style: Style) {
        self.style = style
        columns = Self.plan(style)
    }

    /// The names of the columns.
    package var header: String {
        line(
            columns.map { one in
                let title = Self.title(one.column, style.utcOffset)
                let isName = style.width != nil && (one.column == .source || one.column == .destination)
                return (
                    isName ? TerminalText.prefix(title, width: one.width) : title, one.width, Self.isNumber(one.column)
                )
            }
        )
    }

    /// The lines of a record: its row, and explanations if it was denied.
    package func lines(_ row: RecordRow) -> [String] {
        let excess = excess(row)
        let cells = columns.map { one -> (String, Int, Bool) in
            let width = one.column == .destination ? max(0, one.width - excess) : one.width
            return (cell(one.column, row, width), width, Self.isNumber(one.column))
        }
        var lines = [line(cells, colored: row)]
        if style.explains, style.width != nil { lines += reasons(row) }
        return lines
    }

    /// By how much the numbers of a row are wider than their columns.
    ///
    /// Ports are never truncated; the destination gets less space instead.
    private func excess(_ row: RecordRow) -> Int {
        guard style.width != nil else { return 0 }
        return columns.filter { Self.isNumber($0.column) }.reduce(0) { sum, one in
            sum + max(0, TerminalText.width(cell(one.column, row, one.width)) - one.width)
        }
    }

    // MARK: Plan

    private static func plan(_ style: Style) -> [(column: Column, width: Int)] {
        guard let wanted = style.width else {
            return [(.time, 19)] + (style.showsNode ? [(.node, 12)] : []) + [
                (.action, 6), (.reporter, 3), (.source, 40), (.sourceAddress, 15), (.destination, 40),
                (.destinationAddress, 15), (.port, 11), (.service, 24), (.connections, 6), (.packets, 8), (.bytes, 10),
                (.process, 16), (.domains, 24), (.decidedBy, 32), (.reason, 0),
            ]
        }
        let width = max(smallestWidth, wanted)
        var fixed: [(column: Column, width: Int)] = width >= widthWithTime ? [(.time, 8)] : []
        if style.showsNode, width >= 90 { fixed.append((.node, width >= 130 ? 14 : 10)) }
        fixed.append((.action, 6))
        if width >= 100 { fixed.append((.reporter, 3)) }
        fixed += [(.source, 0)]
        if width >= 160 { fixed.append((.sourceAddress, 15)) }
        fixed += [(.destination, 0)]
        if width >= 160 { fixed.append((.destinationAddress, 15)) }
        fixed.append((.port, 10))
        if width >= 62 { fixed.append((.connections, 6)) }
        if width >= 160 { fixed.append((.packets, 6)) }
        if width >= 130 { fixed.append((.bytes, 7)) }
        if width >= 100 { fixed.append((.decidedBy, width >= 130 ? 28 : 20)) }
        let used = fixed.reduce(0) { $0 + $1.width } + 2 * (fixed.count - 1)
        let ends = width - used
        for index in fixed.indices {
            switch fixed[index].column {
            case .source: fixed[index].width = ends / 2
            case .destination: fixed[index].width = ends - ends / 2
            default: break
            }
        }
        return fixed
    }

    /// The minimum width for the time column.
    private static let widthWithTime = 50

    private static func isNumber(_ column: Column) -> Bool {
        switch column {
        case .port, .connections, .packets, .bytes: true
        default: false
        }
    }

    private static func title(_ column: Column, _ offset: Int64) -> String {
        switch column {
        case .time: "TIME" + ClockText.offset(offset)
        case .node: "NODE"
        case .action: "ACTION"
        case .reporter: "REP"
        case .source: "SOURCE"
        case .sourceAddress: "FROM"
        case .destination: "DESTINATION"
        case .destinationAddress: "TO"
        case .port: "PORT"
        case .service: "SERVICE"
        case .connections: "CONN"
        case .packets: "PACKETS"
        case .bytes: "BYTES"
        case .process: "PROCESS"
        case .domains: "DOMAINS"
        case .decidedBy: "DECIDED BY"
        case .reason: "REASON"
        }
    }

    // MARK: Cells

    private func cell(_ column: Column, _ row: RecordRow, _ width: Int) -> String {
        let isCut = style.width != nil
        return switch column {
        case .time:
            isCut
                ? ClockText.time(row.time, offset: style.utcOffset) : ClockText.full(row.time, offset: style.utcOffset)
        case .node: isCut ? TerminalText.middle(row.node, width: width) : row.node
        case .action: row.action
        case .reporter: row.reporter
        case .source: isCut ? row.source.fitted(to: width) : row.source.text
        case .sourceAddress: TerminalText.prefix(row.source.address ?? "", width: isCut ? width : .max)
        case .destination: isCut ? row.destination.fitted(to: width) : row.destination.text
        case .destinationAddress: TerminalText.prefix(row.destination.address ?? "", width: isCut ? width : .max)
        case .port: row.port
        case .service: row.service.isEmpty ? "-" : row.service
        case .connections: isCut ? ShortNumber.text(row.connections) : "\(row.connections)"
        case .packets: isCut ? ShortNumber.text(row.packets) : "\(row.packets)"
        case .bytes: isCut ? ShortNumber.text(row.bytes) : "\(row.bytes)"
        case .process: Self.orDash(row.process)
        case .domains: Self.orDash(row.domains)
        case .decidedBy:
            isCut ? TerminalText.middle(row.verdict.decidedBy, width: width) : Self.orDash(row.verdict.decidedBy)
        case .reason: reason(row)
        }
    }

    private static func orDash(_ text: String) -> String { text.isEmpty ? "-" : text }

    private func reason(_ row: RecordRow) -> String {
        guard row.isDenied || row.verdict.pending != nil else { return "-" }
        return row.verdict.now + (row.verdict.pending.map { "; if staged policies were enforced: \($0)" } ?? "")
    }

    private func line(_ cells: [(text: String, width: Int, isNumber: Bool)], colored row: RecordRow? = nil) -> String {
        var line = ""
        for (index, cell) in cells.enumerated() {
            if index > 0 { line += "  " }
            var text =
                cell.isNumber || index < cells.count - 1
                ? TerminalText.padded(cell.text, to: cell.width, onLeft: cell.isNumber) : cell.text
            if let row, style.isColored, columns[index].column == .action {
                text = (row.isDenied ? Self.orange : Self.blue) + text + Self.plain
            }
            line += text
        }
        return line
    }

    private func reasons(_ row: RecordRow) -> [String] {
        guard row.isDenied || row.verdict.pending != nil else { return [] }
        let whole = max(Self.smallestWidth, style.width ?? Self.smallestWidth)
        let indent = String(repeating: " ", count: whole >= Self.widthWithTime ? 10 : 2)
        let width = whole - indent.utf8.count
        var texts = ["now: \(row.verdict.now)"]
        if let pending = row.verdict.pending { texts.append("~ if staged policies were enforced: \(pending)") }
        return texts.flatMap { text in
            TerminalText.wrapped(text, width: width - 2).enumerated().map {
                indent + ($0.offset == 0 ? "" : "  ") + $0.element
            }
        }
    }

    // Blue and orange differ for every kind of colour blindness, on dark and light backgrounds (256-colour palette).
    private static let blue = "\u{1b}[38;5;32m"
    private static let orange = "\u{1b}[1;38;5;166m"
    private static let plain = "\u{1b}[0m"
}
