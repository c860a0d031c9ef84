import FlowModel

/// Lines of comma-separated values (RFC 4180) that spreadsheets show and do not compute.
///
/// Names in records are chosen by whoever may create a pod. A cell that a spreadsheet would take for a formula gets an apostrophe
/// in front, as OWASP's "CSV Injection" advises. A cell that is `-`, the format's word for no value, stays as it is.
package enum CommaSeparated {
    /// The line of some cells, without a line end.
    package static func line(_ cells: some Sequence<String>) -> String {
        cells.map(cell).joined(separator: ",")
    }

    private static func cell(_ any: String) -> String {
        let text = beginsFormula(any) ? "'" + any : any
        guard text.utf8.contains(where: { $0 == 0x2c || $0 == 0x22 || $0 == 0x0a || $0 == 0x0d }) else { return text }
        return "\"\(text.replacing("\"", with: "\"\""))\""
    }

    /// Whether a text begins as formulas do: also with a full-width character, which some languages' versions take for one.
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
    package static var names: [String] { FlowField.standard.map(\.description.name) }

    /// The cells of a record: texts as they are, other values as JSON, and nothing for null.
    package static func cells(of record: ReadRecord) -> [String] {
        FlowField.standard.map { field in
            if let text = record.text(field) { return text }
            let json = record.json(field)
            return json == "null" ? "" : json
        }
    }
}
