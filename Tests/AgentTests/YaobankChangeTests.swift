import Agent
import Foundation
import Lab
import Testing

/// The yaobank scenario, with a policy that is created during the traffic: the record, the store and the timeline link the
/// change, its author and the verdict.
@Suite(.serialized, .needsRoot)
struct YaobankChangeTests {
    private let folder: TemporaryFolder
    private let bank: YaobankScenario
    private let inventory: String

    init() throws {
        folder = try TemporaryFolder()
        bank = try YaobankScenario()
        inventory = folder.file("inventory")
        try FileManager.default.createDirectory(atPath: inventory, withIntermediateDirectories: false)
        for file in bank.inventory { try write(file.text, to: file.name) }
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(inventory)/\(name)", atomically: true, encoding: .utf8)
    }

    private static let policy = """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: application.let-customer, namespace: yaobank}
        spec:
          tier: application
          order: 50
          selector: app in { "customer", "database" }
          types: [Ingress, Egress]
          egress:
          - {action: Allow, protocol: TCP, destination: {selector: app == "database", ports: [2379]}}
          ingress:
          - {action: Allow, protocol: TCP, source: {selector: app == "customer"}, destination: {ports: [2379]}}
        """

    /// Returns an API server's event for a request for the policy, now.
    private static func event(_ id: String, _ user: String, code: Int) -> String {
        let format = ISO8601DateFormatter()
        format.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        let time = format.string(from: Date())
        let object =
            #"{"kind":"NetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"name":"application.let-customer","#
            + #""namespace":"yaobank","resourceVersion":"7"},"spec":{"order":50,"egress":[{"action":"Allow"}]}}"#
        return #"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"\#(id)","#
            + #""stage":"ResponseComplete","requestURI":"/x","verb":"create","user":{"username":"\#(user)"},"#
            + #""objectRef":{"resource":"networkpolicies","namespace":"yaobank","apiGroup":"projectcalico.org"},"#
            + #""responseStatus":{"code":\#(code)},"requestObject":\#(object),"responseObject":\#(object),"#
            + #""requestReceivedTimestamp":"\#(time)","stageTimestamp":"\#(time)"}"# + "\n"
    }

    private func append(_ line: String) throws {
        let file = try #require(fopen(folder.file("kube-audit.log"), "a"))
        fputs(line, file)
        fclose(file)
    }

    /// The customer calls the database, once.
    private func call() throws {
        let attempt = try ConnectionAttempt.begin(
            from: try bank.pod(.customer).namespace,
            to: try bank.pod(.database).ipv4,
            port: YaobankScenario.databasePort
        )
        _ = try attempt.outcome(within: .milliseconds(200))
    }

    /// Calls the database from the customer until the customer's records of these calls meet a condition.
    private func callUntil(_ weir: WeirRun, _ isThere: ([[String: Any]]) -> Bool) throws {
        let isRight = eventually(within: .seconds(60)) {
            try? call()
            return isThere((try? Self.calls(weir)) ?? [])
        }
        try #require(isRight, "\(weir.lines.suffix(6).joined(separator: "\n"))")
    }

    /// The customer's own records of its calls of the database.
    private static func calls(_ weir: WeirRun) throws -> [[String: Any]] {
        try weir.lines.compactMap { line in
            let record = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
            let isCall =
                record["dest_port"] as? Int == 2379 && record["reporter"] as? String == "src"
                && (record["source_name_aggr"] as? String)?.hasPrefix("customer") == true
            return isCall ? record : nil
        }
    }

    @Test func linksNewPolicyWithChangedVerdict() throws {
        let store = folder.file("flows.db")
        let weir = try WeirRun(
            in: bank.node,
            folder,
            watching: bank.interfaces,
            [
                "--aggregation-allowed", "2", "--inventory", inventory, "--host", YaobankScenario.nodeName,
                "--extended-fields", "--store", store, "--audit-log", folder.file("kube-audit.log"), "--audit-state",
                folder.file("audit.state"),
            ]
        )
        try callUntil(weir) { $0.count >= 2 && $0.allSatisfy { $0["action"] as? String == "deny" } }
        // A rejected request changes nothing, and is no cause.
        try append(Self.event("refused", "mallory", code: 403))
        try callUntil(weir) { $0.count >= 4 }
        #expect(try Self.calls(weir).allSatisfy { $0["caused_by"] is NSNull })

        // The log has the change before the firewall enforces it.
        try append(Self.event("made", "alice", code: 201))
        let isKept = eventually {
            (try? output(["audit", "changes", "--store", store]))?.contains("alice created") == true
        }
        try #require(isKept)
        try write(Self.policy, to: "let-customer.yaml")
        try bank.node.nft("flush chain inet yaobank customer-egress\nflush chain inet yaobank database-ingress")
        try callUntil(weir) { records in
            records.contains { ($0["caused_by"] as? [String])?.first == "made" && Self.isAllowedByPolicy($0) }
        }
        try callUntil(weir) { $0.last?["caused_by"] is NSNull }
        try weir.finish()
        try expectRecords(weir)
        try expectStored(store)
        try expectTimeline(store)
    }

    /// Whether the policy allowed the connections of a record.
    private static func isAllowedByPolicy(_ record: [String: Any]) -> Bool {
        let rule = (record["policies"] as? [String: [String]])?["enforced_policies"]?.last
        return record["action"] as? String == "allow"
            && rule?.hasSuffix("yaobank/application.let-customer|allow|0") == true
    }

    private func expectRecords(_ weir: WeirRun) throws {
        let caused = try Self.calls(weir).compactMap { $0["caused_by"] as? [String] }
        for texts in caused {
            #expect(texts.prefix(3) == ["made", "Calico NetworkPolicy yaobank/application.let-customer", "alice"])
        }
        #expect(!caused.isEmpty)
    }

    private func expectStored(_ store: String) throws {
        let json = try output(["audit", "changes", "--store", store, "-o", "json"])
        let changes = try json.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(changes.map { $0["outcome"] as? String } == ["denied", "done"])
        #expect(changes[0]["verdictsChanged"] == nil)
        let verdicts = try #require(changes[1]["verdictsChanged"] as? [[String: Any]])
        let opened = verdicts.filter { $0["before"] as? String == "deny" && $0["after"] as? String == "allow" }
        let first = try #require(opened.first, "\(verdicts)")
        #expect(first["source"] as? String == "yaobank/customer-856cd6d9f5-*")
        #expect(first["dest"] as? String == "yaobank/database-69f6f4db5b-*")
        #expect(first["port"] as? String == "2379/tcp")
        #expect((first["connections"] as? Int ?? 0) > 0)
        let text = try output(["audit", "changes", "--store", store, "--user", "alice", "--utc"])
        #expect(text.contains("alice created Calico NetworkPolicy yaobank/application.let-customer"))
        #expect(
            text.contains("yaobank/customer-856cd6d9f5-* → yaobank/database-69f6f4db5b-* 2379/tcp: deny → allow by")
        )
        #expect(!text.contains("mallory"))
    }

    private func expectTimeline(_ store: String) throws {
        let server = try ChildProcess(
            [WeirProgram.path, "ui", "--store", store, "--listen", "127.0.0.1:0"],
            keepingIn: folder
        )
        try #require(eventually { server.output.contains("\n") }, "\(server.errors)")
        let url = server.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let answer = try ChildProcess(["curl", "-s", "\(url)api/v1/timeline?since=1h"], keepingIn: folder)
        #expect(answer.wait() == 0)
        server.signal(SIGTERM)
        _ = server.wait()
        let object = try JSONSerialization.jsonObject(with: Data(answer.output.utf8)) as? [String: Any]
        let events = try #require(object?["events"] as? [[String: Any]], "\(answer.output)")
        let made = try #require(events.first { $0["audit_id"] as? String == "made" })
        #expect(made["user"] as? String == "alice")
        #expect((made["verdicts_changed"] as? [[String: Any]])?.isEmpty == false)
        #expect(events.first { $0["audit_id"] as? String == "refused" }?["outcome"] as? String == "denied")
    }

    private func output(_ arguments: [String]) throws -> String {
        let process = try ChildProcess([WeirProgram.path] + arguments, keepingIn: folder)
        #expect(process.wait() == 0, "\(process.errors)")
        return process.output
    }
}
