import FlowModel
import Records
import Testing

@Suite struct CommaSeparatedTests {
    /// Cells have the quotes of RFC 4180, and an apostrophe before a text that a spreadsheet would compute.
    @Test(arguments: [
        ("plain", "plain"), ("", ""), ("-", "-"), ("a=b", "a=b"), ("a,b", "\"a,b\""),
        ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("two\nlines", "\"two\nlines\""), ("two\r\nlines", "\"two\r\nlines\""),
        ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""), ("=1+1", "'=1+1"), ("+1", "'+1"),
        ("-1+1", "'-1+1"),
        ("--", "'--"), ("@SUM(A1)", "'@SUM(A1)"), ("\t=1", "'\t=1"), ("\r=1", "\"'\r=1\""), ("\n=1", "\"'\n=1\""),
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"), ("\u{ff1d}1", "'\u{ff1d}1"), ("'=1", "'=1"), ("0", "0"),
    ])
    func quotesCellsAndPrefixesFormulas(_ text: String, _ expected: String) {
        #expect(CommaSeparated.line([text]) == expected)
    }

    @Test func separatesCellsWithCommas() {
        #expect(CommaSeparated.line(["a", "=b,c", ""]) == "a,\"'=b,c\",")
    }

    /// All fields have columns, in the order of the format; a record without extended fields has their empty values.
    @Test func recordsHaveAllFields() throws {
        #expect(CommaSeparated.names == FlowField.allCases.map(\.description.name))
        let own: [FlowField: String] = [
            .droppedPacketsIn: "3", .dropReason: "\"NO_SOCKET\"", .handshakeRTT: "250", .tcpFlags: "[\"SYN\",\"ACK\"]",
        ]
        let members = own.map { ",\"\($0.description.name)\":\($1)" }.joined()
        let records: [(line: String, own: [FlowField: String])] = [
            (recordLine(), [:]), (String(recordLine().dropLast()) + members + "}", own),
        ]
        for (line, own) in records {
            let cells = CommaSeparated.cells(of: try ReadRecord(Array(line.utf8)))
            try #require(cells.count == FlowField.allCases.count)
            for (field, cell) in zip(FlowField.allCases, cells) {
                let json = own[field] ?? field.description.emptyJSON
                let isText = json.hasPrefix("\"")
                #expect(cell == (json == "null" ? "" : isText ? String(json.dropFirst().dropLast()) : json), "\(field)")
            }
        }
    }
}
