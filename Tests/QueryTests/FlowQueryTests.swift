import Filter
import FlowModel
import Query
import Records
import Store
import Testing

@Suite struct FlowQueryTests {
    private func run(_ reader: StoreReader, _ change: (inout FlowQuery) -> Void) throws -> FlowQueryResult {
        var query = FlowQuery(
            since: bankStart,
            until: bankStart + 7200,
            filter: try Filter(""),
            groupBy: [.end(.source), .end(.destination)],
            sums: [Measure(.connections), Measure(.bytes)]
        )
        change(&query)
        return try reader.read { try query.run($0) }
    }

    @Test func sumsAndOrdersGroups() throws {
        let (reader, _) = try store(bankLines(flushes: 400))
        let result = try run(reader) { _ in }
        #expect(
            result.groups.map { $0.values.map { $0 ?? "" } } == [
                ["yaobank/customer-*", "yaobank/summary-*"], ["yaobank/summary-*", "yaobank/database-*"],
                ["yaobank/customer-*", "yaobank/database-*"],
            ]
        )
        #expect(result.groups.map(\.sums) == [[2400, 800_000], [800, 2_000_000], [400, 24_000]])
        #expect(result.total == [3600, 2_824_000])
        #expect(result.groups[0].firstSeen == bankStart)
        #expect(result.groups[0].lastSeen == bankStart + 4000)
    }

    /// The port of an ICMPv6 message is its type and code, so its group has the name of the message.
    @Test func groupsPortsByName() throws {
        let messages = ["32768", "34048", "260", "null"]
        let lines = messages.map {
            recordLine([
                .startTime: "\(bankStart)", .endTime: "\(bankStart + 10)", .proto: "\"icmp6\"", .destPort: $0,
                .numFlowsStarted: "1",
            ])
        }
        let (reader, _) = try store(lines)
        let result = try run(reader) { $0.groupBy = [.port] }
        #expect(
            Set(result.groups.map { $0.values[0] }) == [
                "echo request/icmp6", "type 133/icmp6", "type 1 code 4/icmp6", "icmp6",
            ]
        )
    }

    /// A list of texts is one value: its JSON, whatever the escapes in records; an empty one is null.
    @Test(
        arguments: [
            (
                FlowField.destDomains, [#"["a\/b","c"]"#, #"["a/b","c"]"#, #"["a/b,c"]"#, "null", "[]"],
                [#"["a/b","c"]"#: 2, #"["a/b,c"]"#: 1, nil: 2]
            ),
            (
                .processArgs, [#"["-"]"#, "null", #"["x \u0022,"]"#, #"["x \",","y"]"#, #"["\u202e\u0011"]"#],
                [#"["-"]"#: 2, #"["x \","]"#: 1, #"["x \",","y"]"#: 1, "[\"\u{202e}\\u0011\"]": 1]
            ),
        ] as [(FlowField, [String], [String?: UInt64])]
    )
    func groupsByLists(field: FlowField, values: [String], expected: [String?: UInt64]) throws {
        let lines = values.map {
            recordLine([.startTime: "\(bankStart)", .endTime: "\(bankStart + 10)", field: $0])
        }
        let (reader, _) = try store(lines)
        let result = try run(reader) { query in
            query.groupBy = [.field(field)]
            query.sums = [Measure(.records)]
        }
        let found = result.groups.map { ($0.values[0], $0.sums[0]) }
        #expect(Dictionary(uniqueKeysWithValues: found) == expected)
    }

    /// Connections of two destinations, some without details; their source ports all differ.
    private static let detailedLines: [String] = (0..<600).map { number in
        let end = bankStart + Int64(number / 20 + 1) * 10
        var fields: [FlowField: String] = [
            .startTime: "\(end - 10)", .endTime: "\(end)", .sourceType: "\"wep\"", .sourceNameAggr: "\"a-*\"",
            .destNameAggr: "\"b-\(number % 2)-*\"", .proto: "\"tcp\"", .destPort: "80", .bytesOut: "\(number)",
            .numFlowsStarted: "1",
        ]
        if number % 5 > 0 {
            fields[.sourceIP] = "\"10.0.0.\(number % 7)\""
            fields[.sourceName] = number % 3 == 0 ? "\"a-\(number % 4)\"" : "\"-\""
            fields[.sourcePort] = "\(1_024 + number)"
            fields[.destIP] = number % 11 == 0 ? "null" : "\"10.1.0.\(number % 2)\""
            fields[.processID] = number % 13 == 0 ? "\"\(number)\"" : "\"-\""
            fields[.processArgs] = number % 13 == 0 ? "[\"a \(number % 3)\",\"b\"]" : "[\"-\"]"
            fields[.destDomains] = number % 7 == 0 ? "[\"\(number % 2).example\"]" : "null"
        }
        return recordLine(fields)
    }

    @Test(
        "groups by details of connections equal the groups of their records",
        arguments: [
            [.sourceIP], [.sourceName], [.sourceIP, .sourceName, .destIP], [.destIP, .destNameAggr], [.processID],
            [.destNameAggr, .sourcePort], [.sourceType, .processID, .sourceIP],
            [.processArgs, .destNameAggr], [.destDomains, .sourceIP],
        ] as [[FlowField]]
    )
    func groupsByDetailsOfConnections(fields: [FlowField]) throws {
        let (reader, _) = try store(Self.detailedLines)
        var expected: [[String?]: [UInt64]] = [:]
        for line in Self.detailedLines {
            let record = try ReadRecord(Array(line.utf8))
            let values = fields.map { GroupName.field($0).value(record) }
            let sums = expected[values] ?? [0, 0]
            expected[values] = [sums[0] + 1, sums[1] + record.integer(.bytesOut)]
        }
        let result = try run(reader) { query in
            query.groupBy = fields.map { .field($0) }
            query.sums = [Measure(.connections), Measure(.bytesOut)]
            query.limit = .max
        }
        #expect(result.groups.count == expected.count)
        for group in result.groups { #expect(group.sums == expected[group.values], "\(group.values)") }
    }

    @Test func sumsGroupsBeyondLimitInOther() throws {
        let (reader, _) = try store(bankLines(flushes: 10))
        let result = try run(reader) { $0.limit = 1 }
        #expect(result.groups.count == 1)
        #expect(result.totalGroups == 3)
        #expect(result.other == [30, 50_600])
    }

    @Test(arguments: [
        "", "reporter == \"src\"", "action == \"deny\"", "dest_port == 2379 && source_namespace == \"yaobank\"",
        "bytes_out > 100", "has(source_ip)", "enforced_policies contains \"allow-summary\"",
    ])
    func filteredTotalsEqualSumsOfMatchingRecords(_ text: String) throws {
        let lines = bankLines(flushes: 400)
        let (reader, _) = try store(lines)
        let filter = try Filter(text)
        let wanted = try lines.map { try ReadRecord(Array($0.utf8)) }.filter { filter.matches($0) }
        let result = try run(reader) { query in
            query.filter = filter
            query.groupBy = []
            query.sums = [Measure(.records), Measure(.bytesOut), Measure(.connections, .deny)]
        }
        let denied = wanted.filter(\.isDenied).reduce(0) { $0 + $1.integer(.numFlowsStarted) }
        #expect(result.total == [UInt64(wanted.count), wanted.reduce(0) { $0 + $1.integer(.bytesOut) }, denied])
    }

    @Test(arguments: [
        "source_name == \"a-1\"", "has(source_name)", "source_port > 1500",
        "!has(source_ip) || dest_ip == \"10.1.0.1\"",
        "process_id == \"13\" || source_ip == \"10.0.0.0/29\" && dest_name_aggr == \"b-1-*\"",
        "source_ip == \"10.0.0.3\" && bytes_out > 300",
    ])
    func detailFilterSelectsMatchingRecords(_ text: String) throws {
        let (reader, _) = try store(Self.detailedLines)
        let filter = try Filter(text)
        let wanted = try Self.detailedLines.map { try ReadRecord(Array($0.utf8)) }.filter { filter.matches($0) }
        #expect(!wanted.isEmpty && wanted.count < Self.detailedLines.count)
        let result = try run(reader) { query in
            query.filter = filter
            query.groupBy = [.field(.destNameAggr)]
            query.sums = [Measure(.records), Measure(.bytesOut)]
        }
        #expect(result.total == [UInt64(wanted.count), wanted.reduce(0) { $0 + $1.integer(.bytesOut) }])
        let list = try reader.read { snapshot in
            try RecordList(
                snapshot,
                since: bankStart,
                until: bankStart + 7200,
                filter: filter,
                newestFirst: false,
                limit: 999
            )
        }
        #expect(Set(list.records.map { $0.record.integer(.bytesOut) }) == Set(wanted.map { $0.integer(.bytesOut) }))
        #expect(list.records.count == wanted.count && !list.hasMore)
    }

    @Test(arguments: [("2001:db8::/32", true), ("192.0.2.7", true), ("192.0.2.0/30", false), ("0.0.0.0/0", true)])
    func filterMatchesAddressListAgainstRange(_ range: String, isIn: Bool) throws {
        let line = recordLine([.originalSourceIPs: #"["192.0.2.7","2001:db8::7"]"#])
        #expect(try Filter("original_source_ips == \"\(range)\"").matches(ReadRecord(Array(line.utf8))) == isIn)
    }

    @Test(arguments: [60, 300, 3600, 420] as [Int64]) func pointsAddUpToSumsOfGroup(_ interval: Int64) throws {
        let (reader, _) = try store(bankLines(flushes: 500))
        let result = try run(reader) { $0.interval = interval }
        for group in result.groups {
            let sum = group.points.reduce([0, 0]) { [$0[0] + $1.sums[0], $0[1] + $1.sums[1]] }
            #expect(sum == group.sums)
            #expect(group.points.allSatisfy { $0.time % interval == 0 })
            #expect(group.points.map(\.time) == group.points.map(\.time).sorted())
        }
    }

    @Test func rejectsInvalidIntervalAndTooManyPoints() throws {
        let (reader, _) = try store(bankLines(flushes: 1))
        for interval in [59, 61, 0, -60] as [Int64] {
            #expect(throws: QueryError.self) { try run(reader) { $0.interval = interval } }
        }
        #expect(throws: QueryError.self) {
            try run(reader) { query in
                query.since = 0
                query.interval = 60
            }
        }
    }

    @Test(arguments: [
        ["source,nonsense", "bytes", "", ""], ["source", "bytes,speed", "", ""], ["source", "bytes", "1x", ""],
        ["source", "bytes", "", "packets"], ["source_labels", "bytes", "", ""], ["bytes_in", "", "", ""],
        ["a,b,c,d,e,f,g", "", "", ""],
    ])
    func rejectsInvalidQueryText(_ parts: [String]) throws {
        let text = QueryText(groupBy: parts[0], sum: parts[1], interval: parts[2], order: parts[3], limit: 1)
        let filter = try Filter("")
        #expect(throws: QueryError.self) { try text.query(since: 0, until: 3600, filter: filter) }
    }

    @Test func parsesOrderFromText() throws {
        let (reader, _) = try store(bankLines(flushes: 10))
        func first(_ order: String) throws -> String? {
            let text = QueryText(groupBy: "dest,port", sum: "bytes,connections", interval: nil, order: order, limit: 1)
            let query = try text.query(since: bankStart, until: bankStart + 3600, filter: try Filter(""))
            return try reader.read { try query.run($0) }.groups.first?.values[0]
        }
        #expect(try first("-bytes") == "yaobank/database-*")
        #expect(try first("bytes") == "yaobank/summary-*")
        #expect(try first("dest") == "yaobank/database-*")
        #expect(try first("-dest") == "yaobank/summary-*")
    }
}
