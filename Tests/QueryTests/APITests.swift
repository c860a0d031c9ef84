import API
import FlowModel
import Foundation
import Query
import Records
import Store
import Testing

@Suite struct APITests {
    private let api: API
    private let writer: StoreWriter
    private let now = bankStart + 2000

    init() throws {
        let (reader, writer) = try store(bankLines(flushes: 200))
        api = API(reader, version: "1.2.3", node: "node-1")
        self.writer = writer
    }

    private func ask(_ name: String, _ query: String = "") throws -> (status: Int, body: [String: Any]) {
        let parameters = try QueryString.parse(query)
        let answer = api.answer(APIRequest(name: name, parameters: parameters, now: now))
        let body = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        return (answer.status, try #require(body))
    }

    private func add(_ fields: [FlowField: String]) {
        writer.take(Array((recordLine(fields) + "\n").utf8))
        writer.commit()
    }

    @Test func overviewCountsPairsOnceAndListsDenials() throws {
        let (status, body) = try ask("overview", "since=1h")
        #expect(status == 200)
        let totals = try #require(body["totals"] as? [String: Any])
        #expect((totals["allowed"] as? [String: Int])?["connections"] == 200 * 5)
        #expect((totals["denied"] as? [String: Int])?["connections"] == 200)
        let denied = try #require((body["top_denied"] as? [[String: Any]])?.first)
        #expect((denied["reason"] as? String)?.contains("no rule matched") == true)
        let pair = try #require(denied["pair"] as? [String: Any])
        #expect((pair["source"] as? [String: Any])?["id"] as? String == "wep:yaobank/customer-*")
        #expect((pair["pending"] as? [String: Int])?["would_allow"] == 200)
        let points = try #require((body["series"] as? [String: Any])?["points"] as? [[String: Any]])
        #expect(points.reduce(0) { $0 + ((($1["denied"] as? [String: Int])?["connections"]) ?? 0) } == 200)
        let filter = try #require(pair["filter"] as? String)
        let encoded = try #require(filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        #expect(try ask("records", "since=1h&limit=1&filter=\(encoded)").body["matched"] as? Int == 200)
    }

    /// The filter of a pair selects its records, even if its names have quotes.
    @Test(arguments: ["a\\\"b", "it's", "a\\\"\\\"b'c\\\"", "\\\"\\\"", "x\\\" || all() || name == \\\"", "\\\\"])
    func pairFilterEscapesQuotesInNames(_ name: String) throws {
        add([
            .endTime: "\(bankStart + 1999)", .startTime: "\(bankStart + 1990)", .sourceType: "\"wep\"",
            .sourceNameAggr: "\"\(name)\"", .destNameAggr: "\"pub\"", .action: "\"deny\"", .numFlowsStarted: "7",
        ])
        let (_, body) = try ask("overview", "since=5m")
        let pairs = try #require(body["top_denied"] as? [[String: Any]]).compactMap { $0["pair"] as? [String: Any] }
        let pair = try #require(pairs.first { ($0["denied"] as? [String: Int])?["connections"] == 7 })
        let filter = try #require(pair["filter"] as? String)
        let encoded = try #require(filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        #expect(try ask("records", "since=5m&filter=\(encoded)").body["matched"] as? Int == 1, "\(filter)")
    }

    /// A count that takes too long does not hold back the page.
    @Test func pageArrivesWithIncompleteCount() throws {
        var limits = QueryLimits()
        limits.seconds = 0
        let slow = API(api.reader, version: "1.2.3", node: "node-1", limits: limits)
        for (limit, least) in [(5, 6), (10_000, 800)] {
            let parameters = ["since": "1h", "limit": "\(limit)"]
            let answer = slow.answer(APIRequest(name: "records", parameters: parameters, now: now))
            let body = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
            #expect(answer.status == 200)
            #expect((body["records"] as? [Any])?.count == min(limit, 800))
            #expect(body["matched"] as? Int == least && body["is_complete"] as? Bool == false)
        }
    }

    /// The records are counted for the first page only.
    @Test func followingPagesHaveNoCount() throws {
        let (_, first) = try ask("records", "since=1h&limit=300")
        #expect(first["matched"] as? Int == 800 && first["is_complete"] as? Bool == true)
        let (status, second) = try ask("records", "since=1h&limit=300&cursor=\(try #require(first["next"] as? String))")
        #expect(status == 200 && (second["records"] as? [Any])?.count == 300)
        #expect(second["matched"] is NSNull && second["is_complete"] is NSNull)
    }

    @Test(arguments: ["namespace", "workload", "service"]) func graphHasAllConnections(_ by: String) throws {
        let (_, body) = try ask("graph", "since=1h&by=\(by)")
        let edges = try #require(body["edges"] as? [[String: Any]])
        func sum(_ what: String) -> Int { edges.reduce(0) { $0 + (($1[what] as? [String: Int])?["connections"] ?? 0) } }
        #expect(sum("allowed") == 1000)
        #expect(sum("denied") == 200)
        let nodes = Set(try #require(body["nodes"] as? [[String: Any]]).compactMap { $0["id"] as? String })
        for edge in edges {
            #expect(nodes.contains(edge["source"] as? String ?? ""))
            #expect(nodes.contains(edge["dest"] as? String ?? ""))
        }
        let (_, cut) = try ask("graph", "since=1h&by=workload&limit=1")
        #expect((cut["edges"] as? [Any])?.count == 1)
        #expect((cut["other"] as? [String: Any])?["edges"] as? Int == 2)
    }

    @Test func recordPagesHaveEachRecordOnce() throws {
        var seen: [String] = []
        var cursor = ""
        repeat {
            let (_, body) = try ask("records", "since=1h&limit=70\(cursor)")
            let records = try #require(body["records"] as? [[String: Any]])
            seen += records.compactMap { $0["id"] as? String }
            cursor = (body["next"] as? String).map { "&cursor=\($0)" } ?? ""
        } while !cursor.isEmpty
        #expect(seen.count == 800)
        #expect(Set(seen).count == 800)
        let (_, oldest) = try ask("records", "since=1h&limit=1&order=oldest")
        #expect((oldest["records"] as? [[String: Any]])?.first?["end_time"] as? Int64 == bankStart + 10)
    }

    @Test func explainsDeniedRecord() throws {
        let (status, body) = try ask("explain", "since=1h")
        #expect(status == 200)
        let verdict = try #require(body["now"] as? [String: Any])
        #expect(verdict["action"] as? String == "deny")
        #expect((verdict["steps"] as? [[String: Any]])?.first?["rule"] as? Int == -1)
        #expect((body["pending"] as? [String: Any])?["action"] as? String == "allow")
        let id = try #require((body["record"] as? [String: Any])?["id"] as? String)
        #expect(try ask("explain", "id=\(id)").status == 200)
        #expect(try ask("explain", "id=1-2-3").status == 404)
    }

    @Test func policiesHaveHitsOfEachRule() throws {
        let (_, body) = try ask("policies", "since=1h")
        let tiers = try #require(body["tiers"] as? [[String: Any]])
        #expect(tiers.map { $0["name"] as? String } == ["application"])
        let policies = try #require(tiers[0]["policies"] as? [[String: Any]])
        let staged = try #require(policies.first { $0["is_staged"] as? Bool == true })
        #expect(staged["would_allow"] as? Int == 200)
        let summary = try #require(policies.first { ($0["id"] as? String)?.hasSuffix("allow-summary") == true })
        #expect((summary["allow"] as? [String: Int])?["connections"] == 200 * 8)
        let rules = try #require(summary["rules"] as? [[String: Any]])
        #expect(rules.map { $0["direction"] as? String } == ["ingress", "egress"])
        #expect(rules.map { $0["connections"] as? Int } == [200 * 3, 200 * 5])
    }

    @Test(arguments: [
        ("records", "limit=0", 400, "bad_parameter"), ("records", "limit=x", 400, "bad_parameter"),
        ("records", "cursor=../etc", 400, "bad_parameter"), ("records", "sort=x", 400, "unknown_parameter"),
        ("records", "since=yesterday", 400, "bad_parameter"), ("records", "since=1&until=1", 400, "bad_parameter"),
        ("query", "filter=nonsense%20=", 400, "bad_filter"), ("query", "group_by=x", 400, "bad_parameter"),
        ("graph", "by=colour", 400, "bad_parameter"), ("nothing", "", 404, "not_found"), ("", "", 404, "not_found"),
    ])
    func rejectsInvalidRequestWithCodeAndMessage(
        _ name: String,
        _ query: String,
        _ status: Int,
        _ code: String
    ) throws {
        let (found, body) = try ask(name, query)
        #expect(found == status)
        let error = try #require(body["error"] as? [String: Any])
        #expect(error["code"] as? String == code)
        #expect((error["message"] as? String)?.isEmpty == false)
    }

    /// The largest numbers that a request can have get an answer.
    @Test(arguments: [
        ("explain", "id=9223372036854775807-0-0"), ("explain", "id=9223372036854775807-9223372036854775807-1"),
        ("explain", "id=137438953472-0-0"), ("explain", "id=137438953473-0-0"), ("explain", "id=0-0-0"),
        ("records", "cursor=9223372036854775807-0-0&since=1h"), ("records", "since=1099511627775"),
        ("records", "since=1099511627775&until=1099511627776&cursor=1-9223372036854775807-9223372036854775807"),
        ("records", "since=99999999999999-01-01T00:00:00Z&until=99999999999999999999-01-01T00:00:00Z"),
        ("records", "since=0000-01-01T00:00:00Z"), ("records", "since=10000d&until=9000d"),
        ("query", "since=0&until=1099511627776&interval=10000d"), ("query", "since=0&until=1099511627776&interval=1m"),
        ("query", "since=1&filter=bytes_in%20%3E%3D%2018446744073709551615"),
        ("overview", "since=0&until=1099511627776"), ("timeline", "since=0&until=1099511627776"),
        ("timeline", "since=0000-01-01T00:00:00Z&until=9999-01-01T00:00:00Z"), ("findings", "since=1099511627775"),
        ("graph", "since=0&until=1099511627776&limit=9223372036854775807"),
    ])
    func answersExtremeNumbers(_ name: String, _ query: String) throws {
        #expect(try [200, 400, 404].contains(ask(name, query).status))
    }

    /// Records with the largest counters and times are summed without an overflow.
    @Test(arguments: [
        ("records", "since=0"), ("overview", "since=1h"), ("graph", "since=1h"), ("policies", "since=1h"),
        ("findings", "since=1h"), ("explain", "since=1h"), ("timeline", "since=1h"), ("status", ""),
        ("query", "since=0&until=1099511627776&interval=10000d&sum=bytes,packets,connections,flows,dropped_packets"),
    ])
    func sumsLargestCounters(_ name: String, _ query: String) throws {
        var fields: [FlowField: String] = [.startTime: "0", .action: "\"deny\""]
        for field in StoreFields.counters { fields[field] = "18446744073709551615" }
        for end in [now - 5, now - 4, 1 << 37] {
            fields[.endTime] = "\(end)"
            add(fields)
            add(fields)
        }
        #expect(try ask(name, query).status == 200)
    }

    /// An answer has exactly the members in the OpenAPI document.
    @Test(arguments: [
        ("records", "since=1h"), ("query", "since=1h&interval=auto"), ("overview", "since=1h"), ("graph", "since=1h"),
        ("policies", "since=1h"), ("explain", "since=1h"), ("findings", "since=1h"), ("timeline", "since=1h"),
        ("status", ""), ("fields", ""), ("values", "field=proto"),
    ])
    func responseMembersMatchOpenAPIDocument(_ name: String, _ query: String) throws {
        let (status, body) = try ask(name, query)
        #expect(status == 200)
        #expect(try Set(body.keys) == documentedMembers(of: name))
    }

    @Test func openAPIDocumentHasAllFieldsOfRecords() throws {
        let document = try JSONSerialization.jsonObject(with: Data(OpenAPI.document(version: "1"))) as? [String: Any]
        let schemas = (document?["components"] as? [String: Any])?["schemas"] as? [String: Any]
        let record = try #require((schemas?["Record"] as? [String: Any])?["properties"] as? [String: Any])
        #expect(Set(record.keys) == Set(FlowField.allCases.map(\.description.name) + ["id"]))
    }

    /// Filters compare the elements of a list, so these are proposed.
    @Test func valuesOfListAreItsElements() throws {
        for domains in [#"["b.example","a.example"]"#, #"["b.example","c.test"]"#] {
            add([.endTime: "\(now - 5)", .destDomains: domains])
        }
        let (_, all) = try ask("values", "since=1m&field=dest_domains")
        #expect(all["values"] as? [String] == ["a.example", "b.example", "c.test"])
        let (_, some) = try ask("values", "since=1m&field=dest_domains&prefix=c")
        #expect(some["values"] as? [String] == ["c.test"])
    }

    @Test func returnsHostileNamesUnchanged() throws {
        let name = #""<script>alert(1)</script>\u202e\"'\\""#
        add([.endTime: "\(now - 5)", .sourceNameAggr: name, .sourceType: "\"wep\"", .numFlowsStarted: "9"])
        let (_, body) = try ask("query", "since=1m&group_by=source_name_aggr")
        let rows = try #require(body["rows"] as? [[String: Any]])
        #expect(rows.contains { $0["group"] as? [String] == ["<script>alert(1)</script>\u{202e}\"'\\"] })
        #expect(try ask("graph", "since=1m&by=workload").status == 200)
        #expect(try ask("overview", "since=1m").status == 200)
    }

    @Test func liveReturnsEachNewRecordOnce() throws {
        var live = try LiveRecords(api.reader, APIRequest(name: "live", parameters: [:], now: now))
        #expect(try live.next().isEmpty)
        add([.endTime: "\(bankStart + 2010)"])
        let lines = String(decoding: try live.next(), as: UTF8.self)
        #expect(lines.hasPrefix("{\"record\":{\"id\":"))
        #expect(lines.split(separator: "\n").count == 1)
        #expect(try live.next().isEmpty)
    }

    /// What is stored is shown, once, whatever its time is: seconds after the bank's beginning, whose newest record has 2000.
    @Test(arguments: [
        // A record of the future.
        [10_000_000_000, 2010, 2020],
        // The clock was set back by an hour, into a minute with records, and by less than a minute.
        [2010, 2020, -1590, -1580, -1570, -1500], [2010, 1500, 1510, 1520, 2020, 1580, 1590],
        [2050, 2010, 2020, 2060, 2070],
        // Several commits of one interval.
        [2010, 2010, 2010, 2010], [2000, 2000],
    ])
    func liveReturnsRecordsInOrderOfStoring(_ times: [Int64]) throws {
        var live = try LiveRecords(api.reader, APIRequest(name: "live", parameters: [:], now: now))
        for (number, time) in times.enumerated() {
            add([.endTime: "\(bankStart + time)", .numFlows: "\(1000 + number)"])
            let lines = String(decoding: try live.next(), as: UTF8.self)
            #expect(lines.split(separator: "\n").count == 1)
            #expect(lines.contains("\"end_time\":\(bankStart + time),"))
            #expect(lines.contains("\"num_flows\":\(1000 + number),"))
            #expect(try live.next().isEmpty)
        }
        // Several at once.
        for time in times { add([.endTime: "\(bankStart + time)"]) }
        #expect(try live.next().split(separator: 0x0a).count == times.count)
    }

    @Test func returnsValuesWithPrefix() throws {
        let (_, body) = try ask("values", "since=1h&field=dest_service_name&prefix=d")
        #expect(body["values"] as? [String] == ["database"])
    }

    @Test func decodesFormEncodedParameters() throws {
        #expect(try QueryString.parse("a=x%20y+z&b=%3D&c") == ["a": "x y z", "b": "=", "c": ""])
        #expect(throws: APIError.self) { try QueryString.parse("a=%zz") }
        #expect(throws: APIError.self) { try QueryString.parse(String(repeating: "a", count: 100_000)) }
        #expect(throws: APIError.self) { try QueryString.parse((0..<100).map { "a\($0)=1" }.joined(separator: "&")) }
    }
}
