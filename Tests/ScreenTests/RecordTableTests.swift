import FlowModel
import Records
import Screen
import Testing

@Suite struct RecordTableTests {
    private static let denied: [FlowField: String] = [
        .startTime: "1764338390", .endTime: "1764338401", .sourceType: "\"wep\"", .sourceNamespace: "\"yaobank\"",
        .sourceNameAggr: "\"customer-856cd6d9f5-*\"", .destType: "\"wep\"", .destNamespace: "\"yaobank\"",
        .destNameAggr: "\"database-69f6f4db5b-*\"", .destPort: "2379", .proto: "\"tcp\"", .action: "\"deny\"",
        .numFlows: "5", .bytesOut: "1600", .packetsOut: "26",
        .policies: #"{"enforced_policies":["0|application|yaobank/application.allow-customer|deny|-1"],"#
            + #""pending_policies":["0|application|yaobank/application.staged:customer-to-database|allow|0"]}"#,
    ]

    private func row(_ fields: [FlowField: String]) throws -> RecordRow {
        RecordRow(try ReadRecord(Array(recordLine(fields).utf8)))
    }

    @Test func showsDeniedRecordWithReasonIn80Columns() throws {
        let table = RecordTable(.init(width: 80, isColored: false, explains: true))
        #expect(table.header == "TIME+00   ACTION  SOURCE                DESTINATION                 PORT    CONN")
        #expect(
            try table.lines(row(Self.denied)) == [
                "14:00:01  DENY~   yaobank/customer-…*   yaobank/database-…*     2379/tcp       5",
                "          now: deny: tier application: NetworkPolicy",
                "            yaobank/application.allow-customer: no rule matched, and the tier's",
                "            default action denied",
                "          ~ if staged policies were enforced: allow: tier application:",
                "            StagedNetworkPolicy yaobank/application.customer-to-database",
                "            (staged, not in force): rule 0 allowed",
            ]
        )
    }

    /// A record of an end and of a forwarding host has the traffic of the end.
    @Test(arguments: [("dst,fwd", "dst", 1600), ("src, fwd", "src", 1600), ("fwd", "fwd", 7)])
    func showsEndOfJoinedReporters(_ text: String, _ expected: String, _ bytes: Int) throws {
        var fields = Self.denied
        (fields[.reporter], fields[.transitBytesOut]) = ("\"\(text)\"", "7")
        let shown = try row(fields)
        #expect(shown.reporter == expected && shown.bytes == UInt64(bytes))
    }

    @Test(arguments: [40, 60, 79, 80, 99, 100, 120, 140, 159, 160, 250])
    func linesFitWidthOfTerminal(_ width: Int) throws {
        var fields = Self.denied
        let long = String(repeating: "n", count: 253)
        fields[.sourceNameAggr] = "\"\(long)\""
        fields[.sourceNamespace] = "\"\(String(repeating: "s", count: 63))\""
        fields[.destNameAggr] = "\"\\u001b[2J\\u202e\(long)\""
        fields[.sourceIP] = "\"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\""
        fields[.bytesOut] = "18446744073709551615"
        let table = RecordTable(.init(width: width, isColored: false, explains: true))
        for line in try [table.header] + table.lines(row(fields)) {
            #expect(TerminalText.width(line) <= max(width, RecordTable.smallestWidth))
            #expect(!line.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202e })
        }
    }

    /// ICMP's type and code are wider than a port: the destination is shorter, and the line is as wide as before.
    @Test(arguments: [40, 50, 62, 80, 100, 130])
    func wideICMPPortKeepsLineWidth(_ width: Int) throws {
        let table = RecordTable(.init(width: width, isColored: false, explains: false))
        var fields = Self.denied
        let usual = try table.lines(row(fields))[0]
        (fields[.proto], fields[.destPort]) = ("\"icmp6\"", "\(143 << 8)")
        let line = try table.lines(row(fields))[0]
        #expect(line.contains("type 143/icmp6"), "\(line)")
        #expect(TerminalText.width(line) == TerminalText.width(usual) && TerminalText.width(line) <= width)
    }

    /// The class of an address is shortened first, and omitted before the address is shortened.
    @Test(arguments: [
        (21, "198.51.100.7 (public)"), (20, "198.51.100.7 (pub)"), (18, "198.51.100.7 (pub)"), (17, "198.51.100.7"),
        (12, "198.51.100.7"),
    ])
    func shortensClassBeforeAddress(_ width: Int, _ expected: String) throws {
        let net = try row([.sourceIP: "\"198.51.100.7\"", .sourceNameAggr: "\"pub\""])
        #expect(net.source.fitted(to: width) == expected)
    }

    @Test func writesFullTextsWithoutWidth() throws {
        let table = RecordTable(.init(width: nil, isColored: false, explains: false))
        let lines = try table.lines(row(Self.denied))
        #expect(lines.count == 1)
        #expect(lines[0].contains("yaobank/customer-856cd6d9f5-*"))
        #expect(lines[0].contains("2025-11-28 14:00:01"))
        #expect(lines[0].contains("no rule matched"))
        #expect(table.header.hasSuffix("REASON"))
    }

    /// The rows of a flow that several processes have differ in these columns.
    @Test(arguments: [
        ("\"-\"", "null", ["-", "-"]), ("\"curl\"", "[\"db.example\",\"db\"]", ["curl", "db.example,db"]),
        ("\"*\"", "[]", ["*", "-"]),
        ("\"a\\u001b[2J\"", "[\"\\u202eb\",\"c\"]", ["a\\u{1b}[2J", "\\u{202e}b,c"]),
    ])
    func wideTableHasProcessAndDomains(_ process: String, _ domains: String, _ cells: [String]) throws {
        let table = RecordTable(.init(width: nil, isColored: false, explains: false))
        let line = try table.lines(row([.processName: process, .destDomains: domains]))[0]
        let place = try #require(table.header.firstRange(of: "PROCESS ")).lowerBound
        let start = table.header.distance(from: table.header.startIndex, to: place)
        let found = line.dropFirst(start).split(separator: " ", omittingEmptySubsequences: true).prefix(2)
        #expect(found.map(String.init) == cells, "\(line)")
        #expect(table.header.contains("DOMAINS"))
    }

    @Test func verdictHasWordAndColour() throws {
        let table = RecordTable(.init(width: 80, isColored: true, explains: false))
        let line = try table.lines(row(Self.denied))[0]
        #expect(line.contains("\u{1b}[1;38;5;166mDENY~ \u{1b}[0m"))
        #expect(try table.lines(row([:]))[0].contains("allow"))
    }

    @Test func networkHasAddressAndClass() throws {
        let net = try row([.sourceIP: "\"198.51.100.7\"", .sourceNameAggr: "\"pub\"", .destNameAggr: "\"pvt\""])
        #expect(net.source.text == "198.51.100.7 (public)")
        #expect(net.destination.text == "(private, no address)")
        #expect(try row([:]).destination.text == "(other end not kept)")
    }

    @Test func reportsDisagreementOfPolicyAndAction() throws {
        var fields = Self.denied
        fields[.policies] = #"{"enforced_policies":["0|default|shop/knp.default.web|allow|0"],"pending_policies":[]}"#
        #expect(try row(fields).verdict.now.contains("the two disagree"))
        fields[.policies] = "null"
        fields[.action] = "\"deny\""
        #expect(try row(fields).verdict.now.contains("no known policy denies it"))
    }
}
