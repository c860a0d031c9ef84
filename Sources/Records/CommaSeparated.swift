import FlowModel

/// Lines of comma-separated values (RFC 4180) that are safe for spreadsheets.
///
/// Names in records are chosen by users who may create pods. A cell that a spreadsheet would interpret as a formula gets a
/// leading apostrophe, as OWASP's "CSV Injection" advises. A cell with `-`, the format's text for no value, is not changed.
package enum CommaSeparated {
    /// Returns the line of some cells, without a line end.
    package static func line(_ cells: some Sequence<String>) -> String {
        cells.map(cell).joined(separator: ",")
    }

    private static func cell(_ any: String) -> String {
        let text = beginsFormula(any) ? "'" + any : any
        guard text.utf8.contains(where: { $0 == 0x2c || $0 == 0x22 || $0 == 0x0a || $0 == 0x0d }) else { return text }
        return "\"\(text.replacing("\"", with: "\"\""))\""
    }

    /// Whether a text begins like a formula; some languages' versions of spreadsheets also accept full-width characters.
    private static func beginsFormula(_ text: String) -> Bool {
        switch text.unicodeScalars.first {
        case "=", "+", "@", "\t", "\n", "\r", "\u{ff1d}", "\u{ff0b}", "\u{ff0d}", "\u{ff20}": true
        case "-": text != "-"
        default: false
        }
    }
}

extension CommaSeparated {
    /// The names of the columns of ``cells(of:)``.
    package static var names: [String] { FlowField.allCases.map(\.description.name) }

    /// The cells of a record: texts unchanged, other values as JSON, and empty cells for null.
    ///
    /// A field that the record lacks has its empty value.
    package static func cells(of record: ReadRecord) -> [String] {
        FlowField.allCases.map { field in
            if let text = record.text(field) { return text }
            let json = record.json(field)
            return json == "null" ? "" : json
        }
    }
}
