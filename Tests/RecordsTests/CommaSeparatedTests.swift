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
}
