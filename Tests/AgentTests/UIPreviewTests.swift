import FlowModel
import Foundation
import Testing

/// Policies and previews of `weir ui --inventory`, as the page requests them.
@Suite struct UIPreviewTests {
    private let folder: TemporaryFolder
    private let flows: String
    private let inventory: String

    init() throws {
        folder = try TemporaryFolder()
        inventory = folder.file("bank.yaml")
        try Data(PolicyInventory.bank.utf8).write(to: URL(fileURLWithPath: inventory))
        flows = folder.file("flows.log")
        let hit = "0|application|yaobank/application.allow-customer|deny|-1"
        let lines = ["src", "dst"].map { reporter in
            let fields: [FlowField: String] = [
                .startTime: "1764338390", .endTime: "1764338400", .action: "\"deny\"", .proto: "\"tcp\"",
                .destPort: "2379", .numFlows: "5", .numFlowsStarted: "5", .reporter: "\"\(reporter)\"",
                .sourceType: "\"wep\"", .destType: "\"wep\"", .sourceNamespace: "\"yaobank\"",
                .destNamespace: "\"yaobank\"", .sourceNameAggr: "\"customer-856cd6d9f5-bl2sn\"",
                .destNameAggr: "\"database-69f6f4db5b-wd2lr\"",
                .policies: "{\"enforced_policies\":[\"\(hit)\"],\"pending_policies\":[\"\(hit)\"]}",
            ]
            let members = FlowField.standard.map {
                "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)"
            }
            return "{\(members.joined(separator: ","))}\n"
        }
        try Data(lines.joined().utf8).write(to: URL(fileURLWithPath: flows))
    }

    private func serve(_ more: [String]) throws -> (process: ChildProcess, url: String) {
        let process = try ChildProcess(
            [WeirProgram.path, "ui", "--from", flows, "--listen", "127.0.0.1:0"] + more,
            keepingIn: folder
        )
        let isThere = eventually { process.output.contains("\n") || process.hasEnded }
        try #require(isThere && process.output.hasPrefix("http://127.0.0.1:"), "\(process.errors)")
        return (process, process.output.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    private static let range = "since=1764338000&until=1764339000"

    /// Sends a change, and returns the status and the body of the answer.
    private func preview(
        _ url: String,
        _ change: [UInt8],
        _ query: String = range,
        _ more: [String] = ["-H", "Content-Type: application/yaml"]
    ) throws -> (status: String, body: [String: Any]) {
        let path = folder.file("change")
        try Data(change).write(to: URL(fileURLWithPath: path))
        let process = try ChildProcess(
            ["curl", "-s", "-m", "60", "-w", "\n%{http_code}", "--data-binary", "@\(path)"] + more
                + ["\(url)api/v1/policy/preview?\(query)"],
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)")
        let lines = process.output.split(separator: "\n")
        let body = try JSONSerialization.jsonObject(with: Data((lines.first ?? "").utf8)) as? [String: Any]
        return (String(lines.last ?? ""), try #require(body, "\(process.output)"))
    }

    private func end(_ process: ChildProcess) {
        process.signal(SIGTERM)
        #expect(process.wait() == 0, "\(process.errors)")
    }

    /// The same rows as those of the command.
    @Test func pageAndCommandAgree() throws {
        let (process, url) = try serve(["--inventory", inventory])
        let (status, body) = try preview(url, [], "\(Self.range)&enforce_staged=true")
        #expect(status == "200")
        let row = try #require((body["rows"] as? [[String: Any]])?.first)
        #expect(row["before"] as? String == "deny" && row["after"] as? String == "allow")
        // Both ends report each connection: they are five.
        #expect(row["connections"] as? Int == 5)
        #expect(body["newly_allowed"] as? [String: Int] == ["pairs": 1, "connections": 5])
        #expect((row["after_text"] as? String)?.contains("rule 0") == true, "\(row)")
        let command = try ChildProcess(
            [
                WeirProgram.path, "policy", "preview", "--inventory", inventory, "--flows", flows, "--enforce-staged",
                "-o", "json",
            ],
            keepingIn: folder
        )
        #expect(command.wait() == 1, "\(command.errors)")
        let printed = try JSONSerialization.jsonObject(with: Data(command.output.utf8)) as? [String: Any]
        #expect(printed?["rows"] as? NSArray == body["rows"] as? NSArray)
        #expect(printed?["changes"] as? [String] == ["~ staged policies are enforced"])
        let filter = try #require(row["filter"] as? String)
        let encoded = try #require(filter.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        let asked = try ChildProcess(
            ["curl", "-s", "\(url)api/v1/records?\(Self.range)&filter=\(encoded)"],
            keepingIn: folder
        )
        #expect(asked.wait() == 0)
        #expect(asked.output.contains("\"matched\":2"), "\(asked.output)")
        end(process)
    }

    /// A change replaces the policy of the same name, and the next preview starts without the change.
    @Test func previewLeavesNoState() throws {
        let (process, url) = try serve(["--inventory", inventory])
        let change = """
            apiVersion: projectcalico.org/v3
            kind: NetworkPolicy
            metadata: {name: application.allow-customer, namespace: yaobank}
            spec: {tier: application, selector: app == "database", types: [Ingress], ingress: [{action: Allow}]}
            """
        for _ in 0..<2 {
            let (status, body) = try preview(url, Array(change.utf8))
            #expect(status == "200", "\(body)")
            #expect(body["changes"] as? [String] == ["~ Calico NetworkPolicy yaobank/application.allow-customer"])
            #expect(body["newly_allowed"] as? [String: Int] == ["pairs": 1, "connections": 5])
        }
        let other = """
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}
            """
        let (status, body) = try preview(url, Array(other.utf8), Self.range, ["-H", "Content-Type: application/json"])
        #expect(status == "200")
        #expect((body["rows"] as? [Any])?.isEmpty == true, "\(body)")
        #expect(body["kept_connections"] as? Int == 5)
        end(process)
    }

    /// Each request gets an answer with a message, and the server keeps running.
    @Test func rejectsHostileChanges() throws {
        let (process, url) = try serve(["--inventory", inventory])
        let laughs = (0..<10).map { level in
            let items = Array(repeating: level == 0 ? "lol" : "*a\(level - 1)", count: 10).joined(separator: ",")
            return "a\(level): &a\(level) [\(items)]"
        }.joined(separator: "\n")
        let selector = String(repeating: "(", count: 200_000)
        let policy = "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: x, namespace: y}\n"
        let hostile: [(String, String)] = [
            ("kind: X\n" + laughs + "\n", "400"), (String(repeating: "[", count: 500_000), "400"),
            (String(repeating: "- ", count: 300_000), "400"), ("<script>alert(1)</script>", "400"),
            ("kind: NetworkPolicy\n", "400"), ("a: *nobody\n", "400"), ("\u{0}\u{1}\u{2}", "400"),
            (policy + "spec: {ingress: 7}\n", "400"), ("kind: Secret\napiVersion: v1\nmetadata: {name: x}\n", "400"),
            (String(repeating: "#", count: (1 << 20) + 1), "413"),
        ]
        for (text, expected) in hostile {
            let (status, body) = try preview(url, Array(text.utf8))
            #expect(status == expected, "\(text.prefix(40)): \(body)")
            #expect((body["error"] as? [String: Any])?["message"] is String)
        }
        // A policy whose selector cannot be parsed is not in force, and the answer has a warning.
        let unread = try preview(url, Array((policy + "spec: {selector: \"\(selector)\", ingress: []}\n").utf8))
        #expect(unread.status == "200" || unread.status == "400", "\(unread.status)")
        if unread.status == "200" { #expect((unread.body["warnings"] as? [String])?.isEmpty == false) }
        // A form of another site.
        #expect(
            try preview(url, Array("kind: X".utf8), Self.range, ["-H", "Content-Type: text/plain"]).status == "415"
        )
        let rebound = ["-H", "Content-Type: application/yaml", "-H", "Host: rebound.example"]
        #expect(try preview(url, Array("kind: X".utf8), Self.range, rebound).status == "403")
        #expect(try preview(url, [], "\(Self.range)&enforce_staged=true").status == "200")
        end(process)
    }

    /// The list has policies without hits, and describes rules in words.
    @Test func marksPoliciesWithoutHitsAsUnused() throws {
        let (process, url) = try serve(["--inventory", inventory])
        let asked = try ChildProcess(["curl", "-s", "\(url)api/v1/policies?\(Self.range)"], keepingIn: folder)
        #expect(asked.wait() == 0)
        let body = try #require(try JSONSerialization.jsonObject(with: Data(asked.output.utf8)) as? [String: Any])
        #expect(body["has_inventory"] as? Bool == true && body["can_preview"] as? Bool == true)
        let tiers = try #require(body["tiers"] as? [[String: Any]])
        #expect(tiers.map { $0["name"] as? String } == ["tigera-security", "security", "platform", "application"])
        let policies = tiers.flatMap { $0["policies"] as? [[String: Any]] ?? [] }
        let states = Dictionary(
            uniqueKeysWithValues: policies.map { ($0["id"] as? String ?? "", $0["state"] as? String) }
        )
        #expect(states["yaobank/application.allow-customer"] == "used")
        #expect(states["yaobank/application.staged:customer-to-database"] == "unused")
        #expect(states["security.security-default-pass"] == "unused")
        #expect(asked.output.contains("destination port is 2379"))
        end(process)
    }

    @Test func unusedCommandListsPoliciesAndRules() throws {
        func run(_ more: [String]) throws -> ChildProcess {
            let arguments = [WeirProgram.path, "policy", "unused", "--inventory", inventory] + more
            return try ChildProcess(arguments, keepingIn: folder)
        }
        let table = try run(["--flows", flows])
        #expect(table.wait() == 1, "\(table.errors)")
        let lines = table.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("GlobalNetworkPolicy security.security-default-pass: nothing of it"), "\(table.output)")
        #expect(
            lines.contains { $0.hasPrefix("NetworkPolicy yaobank/application.allow-customer: ingress rule 0 (allow)") }
        )
        let json = try run(["--flows", flows, "-o", "json"])
        #expect(json.wait() == 1)
        #expect(json.output.split(separator: "\n").count == lines.count)
        let empty = folder.file("empty.log")
        try Data().write(to: URL(fileURLWithPath: empty))
        let nothing = try run(["--flows", empty])
        #expect(nothing.wait() == 1)
        #expect(nothing.output.isEmpty && nothing.errors.contains("no record of this time"), "\(nothing.errors)")
    }

    /// Without records of forwarded traffic, the use of policies that govern it is not known, and of others it is.
    @Test func unusedCommandNotesUnknownUseInForwardedTraffic() throws {
        let gateway = """

            ---
            apiVersion: projectcalico.org/v3
            kind: GlobalNetworkPolicy
            metadata: {name: application.gateway}
            spec: {tier: application, applyOnForward: true, types: [Ingress], ingress: [{action: Allow}]}
            ---
            apiVersion: projectcalico.org/v3
            kind: GlobalNetworkPolicy
            metadata: {name: application.early}
            spec: {tier: application, applyOnForward: true, preDNAT: true, types: [Ingress], ingress: [{action: Allow}]}

            """
        let cluster = folder.file("gateway.yaml")
        try Data((PolicyInventory.bank + gateway).utf8).write(to: URL(fileURLWithPath: cluster))
        func run(_ more: [String]) throws -> ChildProcess {
            let arguments = [WeirProgram.path, "policy", "unused", "--inventory", cluster, "--flows", flows]
            return try ChildProcess(arguments + more, keepingIn: folder)
        }
        let table = try run([])
        #expect(table.wait() == 1, "\(table.errors)")
        let lines = table.output.split(separator: "\n").map(String.init)
        let note = "not known for forwarded traffic without weir run --policy-scope all"
        for name in ["gateway", "early"] {
            let line = "GlobalNetworkPolicy application.\(name): nothing of it; \(note)"
            #expect(lines.contains(line), "\(table.output)")
        }
        #expect(lines.contains("GlobalNetworkPolicy security.security-default-pass: nothing of it"))
        let json = try run(["-o", "json"])
        #expect(json.wait() == 1)
        let members = try json.output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let states = members.filter { $0["rule"] == nil }.map { ($0["policy"] as? String, $0["state"] as? String) }
        #expect(states.contains { $0 == ("application.gateway", "unknown") })
        #expect(states.contains { $0 == ("application.early", "unknown") })
        #expect(states.contains { $0 == ("security.security-default-pass", "unused") })
        #expect(members.compactMap { $0["note"] as? String } == [note, note])
    }

    @Test func previewRequiresInventory() throws {
        let (process, url) = try serve([])
        let (status, body) = try preview(url, Array("kind: X".utf8))
        #expect(status == "503")
        #expect((body["error"] as? [String: Any])?["code"] as? String == "no_inventory")
        end(process)
    }
}
