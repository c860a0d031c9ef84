import FlowModel
import Foundation
import Testing

/// `weir report network-access` and `inventory`, as an auditor runs them.
@Suite struct ReportCommandTests {
    private let folder: TemporaryFolder
    private static let bank =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/docs/examples/bank.yaml"

    init() throws {
        folder = try TemporaryFolder()
    }

    private func report(_ arguments: [String]) throws -> String {
        let process = try ChildProcess(
            [WeirProgram.path, "report"] + arguments + ["--inventory", Self.bank],
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        return process.output
    }

    private static let pods = [
        "summary-68597c9ddd-*": "summary-68597c9ddd-9c7xk", "customer-856cd6d9f5-*": "customer-856cd6d9f5-bl2sn",
    ]

    /// A record of connections from a pod of the bank to the database.
    private static func line(_ source: String, _ action: String, _ reporter: String, _ connections: Int) -> String {
        let fields: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .proto: "\"tcp\"", .destPort: "2379",
            .sourceType: "\"wep\"", .sourceNamespace: "\"yaobank\"", .sourceNameAggr: "\"\(source)\"",
            .destType: "\"wep\"", .destNamespace: "\"yaobank\"", .destNameAggr: "\"database-69f6f4db5b-*\"",
            .destName: "\"database-69f6f4db5b-wd2lr\"", .sourceName: "\"\(pods[source] ?? "-")\"",
            .action: "\"\(action)\"", .reporter: "\"\(reporter)\"", .numFlowsStarted: "\(connections)",
            .policies:
                #"{"enforced_policies":["0|application|yaobank/application.then|\#(action)|0"],"pending_policies":[]}"#,
        ]
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        return "{\(members.joined(separator: ","))}\n"
    }

    private func flows(_ lines: [String]) throws -> String {
        let path = folder.file("flows.log")
        try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    private func rows(_ text: String) throws -> [[String: Any]] {
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        return try #require(object?["rows"] as? [[String: Any]], "\(text)")
    }

    @Test func accessIsWhatPoliciesAllowAndWhatWasRecorded() throws {
        let path = try flows([
            Self.line("summary-68597c9ddd-*", "allow", "src", 5), Self.line("summary-68597c9ddd-*", "allow", "dst", 4),
            Self.line("customer-856cd6d9f5-*", "allow", "src", 3), Self.line("customer-856cd6d9f5-*", "deny", "dst", 2),
            Self.line("<script>,\"gone-*", "deny", "dst", 1).replacing("<script>,\"", with: "<script>,\\\""),
        ])
        let text = try report(["network-access", "--from", path, "--format", "json"])
        let found = try rows(text)
        func row(_ source: String) throws -> [String: Any] {
            let rows = found.filter {
                ($0["source"] as? String)?.hasPrefix("yaobank/\(source)") == true && $0["port"] as? String == "2379/tcp"
                    && ($0["lastSeen"] as? String)?.isEmpty == false
            }
            return try #require(rows.first, "\(text)")
        }
        let summary = try row("summary")
        #expect(summary["couldReach"] as? String == "allow")
        #expect((summary["rule"] as? String)?.hasSuffix("yaobank/application.allow-customer|allow|0") == true)
        #expect(summary["allowedConnections"] as? Int == 5)
        #expect(summary["rulesInForce"] as? [String] == ["0|application|yaobank/application.then|allow|0"])
        #expect(summary["lastSeen"] as? String == "2025-11-28T14:00:00Z")
        // What the source lets out the destination may deny.
        let customer = try row("customer")
        #expect(customer["couldReach"] as? String == "deny")
        #expect(customer["allowedConnections"] as? Int == 1)
        #expect(customer["deniedConnections"] as? Int == 2)
        let gone = try row("<script>")
        #expect(gone["couldReach"] as? String == "")
        #expect(found.contains { $0["destination"] as? String == "(internet)" && $0["port"] as? String == "443/tcp" })
        #expect(!found.contains { $0["source"] as? String == "(internet)" })
    }

    @Test func theFormsSayTheSame() throws {
        let path = try flows([Self.line("a,\\\"b\\n", "deny", "dst", 1)])
        let csv = try report(["network-access", "--from", path, "--namespace", "yaobank"])
        #expect(csv.hasPrefix("source,destination,port,couldReach,rule,allowedConnections,deniedConnections,"))
        #expect(csv.contains("\"yaobank/a,\"\"b\n\","))
        let yaml = try report(["network-access", "--from", path, "--format", "yaml"])
        #expect(yaml.contains("startTime: \"") && yaml.contains("rows:\n- source: \""))
        #expect(yaml.contains("- source: \"yaobank/a,\\\"b\\n\"\n"))
        let none = try report(["network-access", "--from", path, "--namespace", "nowhere", "--format", "yaml"])
        #expect(none.hasSuffix("rows: []\n"))
    }

    @Test func theInventoryHasPoliciesAndServicesOfEachPod() throws {
        let found = try rows(try report(["inventory", "--format", "json"]))
        #expect(found.count == 3)
        let database = try #require(found.first { ($0["endpoint"] as? String)?.contains("/database") == true })
        #expect(database["addresses"] as? [String] == ["10.65.1.9"])
        #expect(database["ingressProtected"] as? Bool == true)
        #expect(database["services"] as? [String] == ["yaobank/database"])
        let policies = try #require(database["appliedPolicies"] as? [String])
        #expect(policies.contains { $0.contains("application.allow-customer") })
        #expect(!policies.contains { $0.contains("customer-to-database") }, "staged policies are not in force")
        let csv = try report(["inventory", "--namespace", "nowhere"])
        #expect(csv.split(separator: "\n").count == 1)
    }
}
