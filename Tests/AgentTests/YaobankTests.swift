import Agent
import Foundation
import Lab
import Testing

/// The bank of `weir lab --scenario yaobank`: the verdicts of its policies, the drops of nftables, and the records.
@Suite(.serialized, .needsRoot)
struct YaobankTests {
    private let folder: TemporaryFolder
    private let bank: YaobankScenario
    private let inventory: String

    init() throws {
        folder = try TemporaryFolder()
        bank = try YaobankScenario()
        inventory = folder.file("inventory")
        try FileManager.default.createDirectory(atPath: inventory, withIntermediateDirectories: false)
        for file in bank.inventory {
            try Data(file.text.utf8).write(to: URL(fileURLWithPath: "\(inventory)/\(file.name)"))
        }
    }

    private static let passes = [
        "0|tigera-security|tigera-security.block-alienvault-ipthreatfeed|pass|1",
        "1|security|security.security-default-pass|pass|0", "2|platform|platform.platform-default-pass|pass|0",
    ]
    private static let denied = passes + ["3|application|yaobank/application.allow-customer|deny|-1"]
    private static let staged = passes + ["3|application|yaobank/application.staged:customer-to-database|allow|0"]

    /// Hits of a policy of the application's tier at an end whose ingress decides: the first tier has egress only.
    private static func ingress(_ hit: String) -> [String] {
        ["0|security|security.security-default-pass|pass|0", "1|platform|platform.platform-default-pass|pass|0"]
            + ["2|application|yaobank/application.\(hit)|allow|0"]
    }

    private static func egress(_ hit: String) -> [String] {
        passes + ["3|application|yaobank/application.\(hit)|allow|0"]
    }

    // MARK: Policies and rules

    private struct Answer: Decodable {
        struct Side: Decodable {
            var action: String
            var enforced: [String]
            var pending: [String]
        }
        var src: Side
        var dst: Side
    }

    private func traces(_ calls: [Call]) throws -> [Answer] {
        let lines = try calls.map { call in
            let from = "\(YaobankScenario.namespace)/\(call.client.podName)"
            let address = try bank.pod(call.server).ipv4
            return "{\"from\":\"\(from)\",\"to\":\"\(address)\",\"protocol\":\"tcp\",\"port\":\(call.port)}\n"
        }
        try lines.joined().write(toFile: folder.file("flows"), atomically: true, encoding: .utf8)
        let arguments = ["policy", "trace", "--inventory", inventory, "--flows", folder.file("flows")]
        let process = try ChildProcess([WeirProgram.path] + arguments, keepingIn: folder)
        try #require(process.wait() == 0, "\(process.errors)")
        return try process.output.split(separator: "\n").map {
            try JSONDecoder().decode(Answer.self, from: Data($0.utf8))
        }
    }

    /// A connection between two parts of the bank.
    private struct Call: CustomStringConvertible {
        var client: YaobankScenario.Part
        var server: YaobankScenario.Part
        var port: UInt16
        var description: String { "\(client) → \(server) \(port)" }
    }

    @Test func traceDeniesCustomerToDatabase() throws {
        let answers = try traces([Call(client: .customer, server: .database, port: 2379)])
        let answer = try #require(answers.first)
        #expect(answer.src.action == "deny")
        #expect(answer.src.enforced == Self.denied)
        #expect(answer.src.pending == Self.staged)
        // In force, the staged policy would let the connection through at both ends.
        #expect(answer.dst.pending.last == "2|application|yaobank/application.staged:customer-to-database|allow|0")
        let check = try ChildProcess(
            [WeirProgram.path, "policy", "check", "--inventory", inventory],
            keepingIn: folder
        )
        #expect(check.wait() == 0)
        #expect(check.output.hasSuffix(": 0 errors, 0 warnings\n"), "\(check.output)")
        let objects = try ChildProcess(
            [WeirProgram.path, "inventory", "check", inventory],
            keepingIn: folder
        )
        #expect(objects.wait() == 0, "\(objects.output)")
    }

    /// A connection that gets through is refused, because nothing listens.
    @Test func nftablesEnforcesPolicies() throws {
        let ports = [YaobankScenario.webPort, YaobankScenario.databasePort, 22]
        let parts = YaobankScenario.Part.allCases
        let calls = parts.flatMap { client in
            parts.filter { $0 != client }.flatMap { server in
                ports.map { Call(client: client, server: server, port: $0) }
            }
        }
        let attempts = try calls.map { call in
            try ConnectionAttempt.begin(
                from: try bank.pod(call.client).namespace,
                to: try bank.pod(call.server).ipv4,
                port: call.port
            )
        }
        var allowed = 0
        for ((call, attempt), answer) in zip(zip(calls, attempts), try traces(calls)) {
            let isAllowed = answer.src.action == "allow" && answer.dst.action == "allow"
            let outcome = try attempt.outcome(within: isAllowed ? .seconds(20) : .milliseconds(50))
            #expect(outcome == (isAllowed ? .refused : .timedOut), "\(call)")
            allowed += isAllowed ? 1 : 0
        }
        // Customer to summary, summary to database, and database to the customer's page, which is open to everybody.
        #expect(allowed == 3)
    }

    // MARK: Records

    @Test(arguments: [WeirRun.endless, "1s"])
    func recordsNamePolicyThatDeniesDatabase(flushInterval: String) throws {
        let weir = try WeirRun(
            in: bank.node,
            folder,
            watching: bank.interfaces,
            [
                "--aggregation-allowed", "1", "--flush-interval", flushInterval, "--inventory", inventory,
                "--host", YaobankScenario.nodeName,
            ]
        )
        var story = try bank.generateTraffic(for: .seconds(3))
        if flushInterval != WeirRun.endless {
            // A later attempt is in another interval.
            let isRecorded = try eventually {
                try weir.lines.contains { try PolicyRecord($0).isFromCustomerToDatabase }
            }
            try #require(isRecorded)
            story.attempts += try bank.generateTraffic(for: .seconds(1)).attempts
        }
        try weir.finish()
        let dropped = try bank.droppedFromCustomer()
        #expect(dropped == (try bank.dropped()))
        #expect(dropped.messages > story.attempts, "TCP tries again")

        let records = try weir.lines.map { try PolicyRecord($0) }
        let calls = records.filter { $0.isFromCustomerToDatabase }
        for record in calls { try expectDenied(record) }
        #expect(flushInterval == WeirRun.endless ? calls.count == 1 : calls.count > 1, "\(weir.lines)")
        #expect(calls.sum("packets_out") == dropped.messages)
        #expect(calls.sum("bytes_out") == dropped.bytes)
        #expect(calls.sum("num_flows_started") == story.attempts)
        if flushInterval == WeirRun.endless { #expect(calls.sum("num_flows") == story.attempts) }

        try expectAllowed(records)
        let report = try weir.report()
        #expect(report.balanced)
        let (ingress, egress) = (Count(report.totals.ingress.denied.seen), Count(report.totals.egress.denied.seen))
        #expect(ingress == Count(UInt64(dropped.messages), UInt64(dropped.bytes)))
        #expect(egress == Count())
    }

    private func expectDenied(_ record: PolicyRecord) throws {
        let expected: [String: String] = [
            "action": "deny", "reporter": "src", "proto": "tcp", "dest_port": "2379",
            "source_type": "wep", "source_namespace": "yaobank", "source_name": "customer-856cd6d9f5-bl2sn",
            "source_name_aggr": "customer-856cd6d9f5-*", "source_ip": "10.77.0.2",
            "dest_type": "wep", "dest_namespace": "yaobank", "dest_name": "database-69f6f4db5b-wd2lr",
            "dest_name_aggr": "database-69f6f4db5b-*", "dest_ip": "10.77.0.4",
            "dest_service_name": "-", "dest_service_namespace": "-", "dest_service_port": "-",
            "packets_in": "0", "bytes_in": "0",
        ]
        for (field, value) in expected {
            #expect(record.text(field) == value, "\(field) is \(record.text(field))")
        }
        #expect(record["source_port"] is NSNull)
        #expect(record.enforced == Self.denied)
        #expect(record.pending == Self.staged)
    }

    /// Both sides of both conversations that policies allow, and nothing else.
    private func expectAllowed(_ records: [PolicyRecord]) throws {
        let pairs: [(source: String, destination: String, port: Int, egress: [String], ingress: [String])] = [
            (
                "customer-856cd6d9f5-*", "summary-5877cf7d76-*", 80, Self.egress("allow-customer"),
                Self.ingress("allow-summary")
            ),
            (
                "summary-5877cf7d76-*", "database-69f6f4db5b-*", 2379, Self.egress("allow-summary"),
                Self.ingress("allow-database")
            ),
        ]
        let allowed = records.filter { !$0.isFromCustomerToDatabase }
        #expect(allowed.allSatisfy { $0.text("action") == "allow" })
        var seen = 0
        for pair in pairs {
            for (reporter, hits) in [("src", pair.egress), ("dst", pair.ingress)] {
                let found = allowed.filter {
                    $0.text("source_name_aggr") == pair.source && $0.text("dest_name_aggr") == pair.destination
                        && $0["dest_port"] as? Int == pair.port && $0.text("reporter") == reporter
                }
                #expect(!found.isEmpty)
                #expect(found.allSatisfy { $0.enforced == hits && $0.pending == hits }, "\(pair) \(reporter)")
                seen += found.count
            }
        }
        #expect(seen == allowed.count)
    }
}

/// A record with all its fields.
private struct PolicyRecord {
    private let fields: [String: Any]

    init(_ line: Substring) throws {
        fields = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }

    subscript(_ field: String) -> Any? { fields[field] }

    func text(_ field: String) -> String { fields[field].map { "\($0)" } ?? "not there" }

    var isFromCustomerToDatabase: Bool {
        text("source_name_aggr").hasPrefix("customer-") && text("dest_name_aggr").hasPrefix("database-")
    }

    var enforced: [String]? { hits("enforced_policies") }
    var pending: [String]? { hits("pending_policies") }

    /// The order is that of the hits' numbers; the format promises none.
    private func hits(_ name: String) -> [String]? {
        ((fields["policies"] as? [String: Any])?[name] as? [String])?.sorted()
    }
}

extension [PolicyRecord] {
    fileprivate func sum(_ field: String) -> Int {
        reduce(0) { $0 + ($1[field] as? Int ?? 0) }
    }
}
