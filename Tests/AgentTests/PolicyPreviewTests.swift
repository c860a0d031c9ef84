import FlowModel
import Foundation
import Testing

/// `weir policy preview`, as an operator runs it.
@Suite struct PolicyPreviewTests {
    private let folder: TemporaryFolder
    private let inventory: String
    private let flows: String

    init() throws {
        folder = try TemporaryFolder()
        inventory = folder.file("bank.yaml")
        try Data(PolicyInventory.bank.utf8).write(to: URL(fileURLWithPath: inventory))
        flows = folder.file("flows.log")
        let lines = [
            Self.line(.init(name: "database-69f6f4db5b-wd2lr", address: "10.65.1.9"), "2379", "deny", connections: 5),
            Self.line(.init(name: "summary", address: "10.65.1.5"), "80", "allow", connections: 7),
            Self.line(.init(name: nil, address: nil), "443", "allow", connections: 2),
        ]
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: flows))
    }

    /// The destination of the customer's connections, which is a network without address if it has no name.
    private struct Called {
        var name: String?
        var address: String?
    }

    private static func line(_ called: Called, _ port: String, _ action: String, connections: Int) -> String {
        var fields: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .sourceType: "\"wep\"", .sourceNamespace: "\"yaobank\"",
            .sourceName: "\"customer-856cd6d9f5-bl2sn\"", .sourceNameAggr: "\"customer-856cd6d9f5-*\"",
            .sourceIP: "\"10.65.1.4\"", .destPort: port, .proto: "\"tcp\"", .action: "\"\(action)\"",
            .numFlows: "\(connections)", .numFlowsStarted: "\(connections)", .bytesOut: "100", .destNameAggr: "\"pub\"",
        ]
        if let name = called.name, let address = called.address {
            fields[.destType] = "\"wep\""
            fields[.destNamespace] = "\"yaobank\""
            fields[.destName] = "\"\(name)\""
            fields[.destNameAggr] = "\"\(name)\""
            fields[.destIP] = "\"\(address)\""
        }
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        return "{\(members.joined(separator: ","))}"
    }

    private func run(_ arguments: [String]) throws -> ChildProcess {
        try ChildProcess(
            [WeirProgram.path, "policy", "preview", "--inventory", inventory, "--flows", flows] + arguments,
            keepingIn: folder
        )
    }

    /// The members of the answer that matter here.
    private struct Answer: Decodable {
        struct Row: Decodable {
            var dest: String
            var before: String
            var after: String
            var after_rule: String?
            var connections: Int
        }

        var kept_connections: Int
        var warnings: [String]
        var rows: [Row]
    }

    private func answer(_ process: ChildProcess) throws -> Answer {
        try JSONDecoder().decode(Answer.self, from: Data(process.output.utf8))
    }

    @Test func previewReportsEffectOfStagedPolicies() throws {
        let process = try run(["--enforce-staged", "-o", "json"])
        #expect(process.wait() == 1, "\(process.errors)")
        let answer = try answer(process)
        let changed = try #require(answer.rows.first { $0.dest.hasPrefix("yaobank/database") })
        #expect(changed.before == "deny")
        #expect(changed.after == "allow")
        #expect(changed.connections == 5)
        #expect(changed.after_rule?.contains("staged:customer-to-database") == true)
        #expect(answer.kept_connections == 7)
        // A network without an address cannot be decided.
        #expect(answer.rows.last?.after == "unknown")

        let table = try run(["--enforce-staged"])
        #expect(table.wait() == 1)
        #expect(table.output.contains("DENY → allow"))
        #expect(table.output.contains("not seen is not safe"))
    }

    @Test func changeReplacesPolicyOfSameName() throws {
        let path = folder.file("new.yaml")
        let policy = """
            apiVersion: projectcalico.org/v3
            kind: NetworkPolicy
            metadata: {name: application.allow-customer, namespace: yaobank}
            spec:
              tier: application
              selector: app == "database"
              types: [Ingress]
              ingress:
              - {action: Allow, protocol: TCP, source: {selector: app == "customer"}, destination: {ports: [2379]}}

            """
        try Data(policy.utf8).write(to: URL(fileURLWithPath: path))
        let process = try run(["--change", path, "--port", "2379"])
        #expect(process.wait() == 1, "\(process.errors)")
        #expect(process.output.contains("~ Calico NetworkPolicy yaobank/application.allow-customer"))
        #expect(
            process.output.contains("1 pair changes (5 connections), 0 stay (0), 0 cannot be decided (0)"),
            "\(process.output)"
        )
        let markdown = try run(["--change", path, "--port", "2379", "-o", "markdown"])
        #expect(markdown.wait() == 1)
        #expect(markdown.output.contains("| DENY → allow | yaobank/customer-856cd6d9f5-* |"), "\(markdown.output)")
    }

    /// The result for connections between workloads depends on all of their pods, as far as policies distinguish them.
    @Test(
        arguments: [
            // The last of five pods has another label.
            (selector: #"app == "web""#, port: 80, before: "allow", after: "deny", calls: "web"),
            (selector: #"track == "canary""#, port: 80, before: "allow", after: "unknown", calls: "web"),
            (selector: #"app == "nobody""#, port: 80, before: "", after: "", calls: "web"),
            // Pods of a workload call each other, and not themselves.
            (selector: #"app == "client""#, port: 80, before: "allow", after: "deny", calls: "client"),
            // A rule that names an address among those of the workload.
            (selector: "", port: 80, before: "allow", after: "unknown", calls: "web"),
        ]
    )
    func evaluatesPodsThatPoliciesDistinguish(
        _ asked: (selector: String, port: Int, before: String, after: String, calls: String)
    ) throws {
        func pod(_ app: String, _ number: Int, _ labels: String) -> String {
            let address = (app == "web" ? 10 : 20) + number
            return "- {apiVersion: v1, kind: Pod, metadata: {name: \(app)-6f7d8c9b5d-x7k2\(number), namespace: shop, "
                + "generateName: \(app)-6f7d8c9b5d-, labels: {app: \(app), pod-template-hash: 6f7d8c9b5d\(labels)}}, "
                + "status: {phase: Running, podIPs: [{ip: 10.1.1.\(address)}]}}\n"
        }
        var text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"
        for number in 0..<5 { text += pod("web", number, number == 4 ? ", track: canary" : "") }
        for number in 0..<2 { text += pod("client", number, "") }
        let cluster = folder.file("shop.yaml")
        try Data(text.utf8).write(to: URL(fileURLWithPath: cluster))
        let line = Self.line(
            .init(name: "\(asked.calls)-6f7d8c9b5d-*", address: "-"),
            "\(asked.port)",
            "allow",
            connections: 3
        )
        .replacing("\"customer-856cd6d9f5-bl2sn\"", with: "\"-\"").replacing(
            "customer-856cd6d9f5-*",
            with: "client-6f7d8c9b5d-*"
        )
        .replacing("\"dest_name\":\"\(asked.calls)-6f7d8c9b5d-*\"", with: "\"dest_name\":\"-\"")
        .replacing("\"10.65.1.4\"", with: "null").replacing("\"dest_ip\":\"-\"", with: "\"dest_ip\":null")
        .replacing("yaobank", with: "shop")
        let recorded = folder.file("shop.log")
        try Data((line + "\n").utf8).write(to: URL(fileURLWithPath: recorded))
        let change = folder.file("deny.yaml")
        let rule = asked.selector.isEmpty ? ", destination: {nets: [10.1.1.13/32]}" : ""
        let policy =
            "{apiVersion: projectcalico.org/v3, kind: GlobalNetworkPolicy, metadata: {name: default.deny}, spec: "
            + "{selector: '\(asked.selector.isEmpty ? "all()" : asked.selector)', types: [Ingress], "
            + "ingress: [{action: Deny, protocol: TCP\(rule)}, {action: Allow}]}}\n"
        try Data(policy.utf8).write(to: URL(fileURLWithPath: change))
        let process = try ChildProcess(
            [
                WeirProgram.path, "policy", "preview", "--inventory", cluster, "--flows", recorded, "--change", change,
                "-o", "json",
            ],
            keepingIn: folder
        )
        #expect(process.wait() == (asked.after.isEmpty ? 0 : 1), "\(process.errors)\(process.output)")
        let rows = try answer(process).rows
        #expect(rows.map(\.before) == (asked.before.isEmpty ? [] : [asked.before]), "\(process.output)")
        #expect(rows.map(\.after) == (asked.after.isEmpty ? [] : [asked.after]), "\(process.output)")
    }

    /// A policy that governs forwarded traffic before or after the change is named; its effect there is not evaluated.
    @Test(
        arguments: [
            (kind: "GlobalNetworkPolicy", before: nil, after: "applyOnForward: true", isNamed: true),
            (kind: "GlobalNetworkPolicy", before: nil, after: "applyOnForward: true, preDNAT: true", isNamed: true),
            (kind: "GlobalNetworkPolicy", before: nil, after: "applyOnForward: true, doNotTrack: true", isNamed: true),
            (kind: "GlobalNetworkPolicy", before: "applyOnForward: true", after: "order: 1", isNamed: true),
            (kind: "GlobalNetworkPolicy", before: "applyOnForward: true", after: nil, isNamed: true),
            (kind: "GlobalNetworkPolicy", before: "order: 2", after: "order: 1", isNamed: false),
            (kind: "StagedGlobalNetworkPolicy", before: "applyOnForward: true", after: nil, isNamed: true),
        ] as [(kind: String, before: String?, after: String?, isNamed: Bool)]
    )
    func namesPoliciesForForwardedTraffic(
        _ test: (kind: String, before: String?, after: String?, isNamed: Bool)
    ) throws {
        func write(_ policies: [String], _ name: String) throws -> String {
            let path = folder.file(name)
            try Data(policies.joined(separator: "\n---\n").utf8).write(to: URL(fileURLWithPath: path))
            return path
        }
        func policy(_ name: String, _ members: String) -> String {
            "{apiVersion: projectcalico.org/v3, kind: \(test.kind), metadata: {name: default.\(name)}, spec: "
                + "{selector: has(nobody), types: [Ingress], ingress: [{action: Deny}], \(members)}}\n"
        }
        // The change does not concern the other one.
        let other = policy("other", "applyOnForward: true").replacing("kind: Staged", with: "kind: ")
        let gate = test.before.map { [policy("gate", $0)] } ?? []
        let before = try write([PolicyInventory.bank, other] + gate, "old.yaml")
        let isStaged = test.kind.hasPrefix("Staged")
        var change = isStaged ? ["--enforce-staged"] : ["--without", "\(test.kind)/default.gate"]
        if let after = test.after { change = ["--change", try write([policy("gate", after)], "new.yaml")] }
        func run(_ format: String) throws -> ChildProcess {
            let arguments = [
                "policy", "preview", "--inventory", before, "--flows", flows, "--port", "80", "-o", format,
            ]
            let process = try ChildProcess([WeirProgram.path] + arguments + change, keepingIn: folder)
            #expect(process.wait() == 0, "\(process.errors)\(process.output)")
            return process
        }
        let warning = "the effect on forwarded traffic is not evaluated: \(test.kind) default.gate"
        let json = try run("json")
        #expect(try answer(json).warnings == (test.isNamed ? [warning] : []), "\(json.output)")
        #expect(try run("table").output.contains("warning   \(warning)\n") == test.isNamed)
        #expect(try run("markdown").output.contains("Warning: \(warning).\n") == test.isNamed)
    }

    @Test func reportsNoChangeForUnaffectedTraffic() throws {
        let process = try run(["--enforce-staged", "--port", "80"])
        #expect(process.wait() == 0, "\(process.errors)\(process.output)")
        #expect(process.output.contains("0 pairs change (0 connections), 1 stay (7), 0 cannot be decided (0)"))
    }

    @Test(
        arguments: [
            ([], 2, "what would change?"), (["--without", "Pod/a/b"], 2, "kinds are"),
            (["--without", "NetworkPolicy/allow"], 2, "in a namespace"), (["--change", "/nowhere"], 1, "/nowhere"),
            (["--without", "NetworkPolicy/yaobank/nobody"], 1, "there is no"),
        ] as [([String], Int32, String)]
    )
    func rejectsWrongUsage(_ arguments: [String], _ status: Int32, _ text: String) throws {
        let process = try run(arguments)
        #expect(process.wait() == status)
        #expect(process.errors.contains(text), "\(process.errors)")
    }
}
