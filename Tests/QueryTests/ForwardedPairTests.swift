import API
import Filter
import FlowModel
import Foundation
import Query
import Records
import Store
import Testing

/// Connections that a host forwards are counted once with the records of their ends, and their traffic has measures of its own.
@Suite struct ForwardedPairTests {
    /// Records of one pair, and the connections that its sums have.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var records: [(reporter: String, action: String, connections: Int)]
        var allowed: UInt64
        var denied: UInt64
    }

    private static let gatewayHit = "0|default|default.gateway|deny|-1"

    /// A record of connections to a pod, with 100 bytes and 2 packets each.
    private static func line(_ reporter: String, _ action: String, _ connections: Int) -> String {
        var fields: [FlowField: String] = [
            .startTime: "\(bankStart)", .endTime: "\(bankStart + 10)", .sourceType: "\"net\"",
            .sourceNameAggr: "\"pub\"", .destType: "\"wep\"", .destNamespace: "\"shop\"", .destNameAggr: "\"web-*\"",
            .destPort: "80", .proto: "\"tcp\"", .reporter: "\"\(reporter)\"", .action: "\"\(action)\"",
            .numFlowsStarted: "\(connections)",
        ]
        let isForwarded = reporter == "fwd"
        fields[isForwarded ? .transitBytesIn : .bytesIn] = "\(60 * connections)"
        fields[isForwarded ? .transitBytesOut : .bytesOut] = "\(40 * connections)"
        fields[isForwarded ? .transitPacketsIn : .packetsIn] = "\(connections)"
        fields[isForwarded ? .transitPacketsOut : .packetsOut] = "\(connections)"
        if isForwarded {
            let hit = action == "deny" ? gatewayHit : "0|default|default.gateway|allow|0"
            fields[.policies] = #"{"enforced_policies":[],"pending_policies":[],"transit_policies":["\#(hit)"]}"#
        }
        return recordLine(fields)
    }

    private func totals(_ lines: [String]) throws -> KeyTotals {
        let (reader, _) = try store(lines)
        return try reader.read {
            try KeyTotals(FlowScan($0, since: bankStart, until: bankStart + 60, filter: Filter("")), interval: 60)
        }
    }

    @Test(arguments: [
        Case(testDescription: "only denied on the way", records: [("fwd", "deny", 30)], allowed: 0, denied: 30),
        Case(
            testDescription: "no end reports",
            records: [("fwd", "allow", 5), ("fwd", "deny", 2)],
            allowed: 5,
            denied: 2
        ),
        Case(
            testDescription: "all report an allowed connection",
            records: [("src", "allow", 4), ("fwd", "allow", 4), ("dst", "allow", 4)],
            allowed: 4,
            denied: 0
        ),
        Case(
            testDescription: "the ends count without a denial on the way",
            records: [("dst", "allow", 10), ("dst", "deny", 2), ("fwd", "allow", 24)],
            allowed: 10,
            denied: 2
        ),
        Case(
            testDescription: "denied before the destination",
            records: [("fwd", "deny", 30), ("fwd", "allow", 1), ("dst", "allow", 1)],
            allowed: 1,
            denied: 30
        ),
        Case(
            testDescription: "denied behind the source",
            records: [("src", "allow", 10), ("fwd", "deny", 10)],
            allowed: 0,
            denied: 10
        ),
        Case(
            testDescription: "the source reports the denial, too",
            records: [("src", "deny", 30), ("fwd", "deny", 30)],
            allowed: 0,
            denied: 30
        ),
        Case(
            testDescription: "the destination reports the denial, too",
            records: [("dst", "allow", 1), ("dst", "deny", 30), ("fwd", "deny", 30), ("fwd", "allow", 1)],
            allowed: 1,
            denied: 30
        ),
        Case(
            testDescription: "the destination denies others",
            records: [("dst", "allow", 10), ("dst", "deny", 2), ("fwd", "deny", 30), ("fwd", "allow", 12)],
            allowed: 10,
            denied: 32
        ),
    ])
    func countsForwardedConnectionsOnce(_ test: Case) throws {
        let totals = try totals(test.records.map { Self.line($0.reporter, $0.action, $0.connections) })
        var pairs: [FlowPair] = []
        totals.forEachPair { pairs.append($0) }
        let pair = try #require(pairs.first)
        #expect(pairs.count == 1)
        for (amount, expected) in [(pair.allowed, test.allowed), (pair.denied, test.denied)] {
            #expect(
                [amount.connections, amount.bytes, amount.packets] == [expected, 100 * expected, 2 * expected],
                "\(amount)"
            )
        }
        #expect(totals.series.count == 1)
        let point = try #require(totals.series[bankStart])
        #expect(point.allowed == pair.allowed && point.denied == pair.denied)
        let graph = FlowGraph(totals, by: .workload, focus: nil, limit: 10)
        #expect(graph.total.allowed == pair.allowed && graph.total.denied == pair.denied)
        let finding = Finding.all(totals, gaps: []).first { $0.id == "denied-info" }
        #expect(finding?.count == (test.denied > 0 ? test.denied : nil))
        #expect(finding.map { $0.detail == "1 pair, most: pub to shop/web-* on 80/tcp" } ?? true)
    }

    /// The title of a finding has the singular for one connection.
    @Test(arguments: [(1, "1 connection denied"), (2, "2 connections denied")])
    func titlesOfFindingsCount(_ connections: Int, _ title: String) throws {
        let totals = try totals([Self.line("dst", "deny", connections)])
        #expect(Finding.all(totals, gaps: []).first { $0.id == "denied-info" }?.title == title)
    }

    /// Each point counts its connections once, whichever records it has.
    @Test func pointsOfSeriesCountOnce() throws {
        let records: [(reporter: String, second: Int64)] = [("src", 0), ("fwd", 0), ("dst", 60), ("fwd", 60)]
        let lines = records.map { record in
            Self.line(record.reporter, "allow", 3)
                .replacing("\"end_time\":\(bankStart + 10)", with: "\"end_time\":\(bankStart + record.second + 10)")
        }
        let (reader, _) = try store(lines)
        let totals = try reader.read {
            try KeyTotals(FlowScan($0, since: bankStart, until: bankStart + 120, filter: Filter("")), interval: 60)
        }
        #expect(totals.series.mapValues { $0.allowed.connections } == [bankStart: 3, bankStart + 60: 3])
    }

    @Test func overviewShowsDenialsOfHost() throws {
        let (reader, writer) = try store([Self.line("dst", "allow", 1), Self.line("fwd", "deny", 30)])
        let api = API(reader, version: "1", node: "n")
        let answer = api.answer(APIRequest(name: "overview", parameters: ["since": "1h"], now: bankStart + 60))
        let body = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
        let totals = try #require(body["totals"] as? [String: Any])
        #expect((totals["denied"] as? [String: Int]) == ["connections": 30, "bytes": 3000, "packets": 60])
        let denied = try #require((body["top_denied"] as? [[String: Any]])?.first)
        #expect((denied["pair"] as? [String: Any])?["rule"] as? String == Self.gatewayHit)
        #expect((denied["reason"] as? String)?.hasPrefix("deny: tier default: GlobalNetworkPolicy") == true)
        withExtendedLifetime(writer) {}
    }

    @Test(
        arguments: [
            ("bytes", 300), ("transit_bytes", 500), ("packets", 6), ("transit_packets", 10),
            ("denied_transit_bytes", 500),
            ("allowed_transit_packets", 0), ("connections", 8),
        ] as [(String, UInt64)]
    )
    func measuresSumForwardedTrafficSeparately(_ name: String, _ expected: UInt64) throws {
        let measure = try #require(Measure(name))
        #expect(measure.description == name)
        #expect(try sum(measure) == expected)
    }

    @Test func measuresCanIncludeForwardedTraffic() throws {
        #expect(try sum(Measure(.bytes, includesForwarded: true)) == 800)
        #expect(try sum(Measure(.packets, includesForwarded: true)) == 16)
    }

    private func sum(_ measure: Measure) throws -> UInt64 {
        let (reader, _) = try store([Self.line("dst", "allow", 3), Self.line("fwd", "deny", 5)])
        let query = FlowQuery(
            since: bankStart,
            until: bankStart + 60,
            filter: try Filter(""),
            groupBy: [],
            sums: [measure]
        )
        return try reader.read { try query.run($0) }.total[0]
    }
}
