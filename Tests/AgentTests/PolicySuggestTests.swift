import FlowModel
import Foundation
import Testing

/// `weir policy suggest`, as an operator runs it.
@Suite struct PolicySuggestTests {
    private let folder: TemporaryFolder
    private let inventory: String

    /// An end of a record.
    private struct End {
        var type: String
        var namespace: String?
        var name: String?
        var aggregated: String
        var address: String?

        static func pod(_ namespace: String, _ name: String, _ aggregated: String, _ address: String) -> End {
            End(type: "wep", namespace: namespace, name: name, aggregated: aggregated, address: address)
        }
    }

    private static let web = End.pod("shop", "web-5d8f9c7b4d-x1", "web-5d8f9c7b4d-*", "10.1.0.1")
    /// A pod of a version that is gone.
    private static let oldWeb = End.pod("shop", "web-7c6f5b9d8c-q2", "web-7c6f5b9d8c-*", "10.1.0.99")
    private static let database = End.pod("shop", "db-0", "db-*", "10.1.0.2")
    private static let dns = End.pod("kube-system", "coredns-66bff467f8-z9", "coredns-66bff467f8-*", "10.1.0.3")
    private static let card = End(type: "net", aggregated: "pub", address: "203.0.113.20")
    private static let nobody = End(type: "net", aggregated: "pub")

    private static let cluster = """
        apiVersion: v1
        kind: Pod
        metadata:
          name: web-5d8f9c7b4d-x1
          generateName: web-5d8f9c7b4d-
          namespace: shop
          labels: {app: web, tier: front, pod-template-hash: 5d8f9c7b4d}
          ownerReferences: [{kind: ReplicaSet, name: web-5d8f9c7b4d, controller: true, apiVersion: apps/v1, uid: a}]
        spec: {nodeName: node-1}
        status: {phase: Running, podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          name: db-0
          generateName: db-
          namespace: shop
          labels: {app: db, evil: "a\\" || all() # '", statefulset.kubernetes.io/pod-name: db-0}
          ownerReferences: [{kind: StatefulSet, name: db, controller: true, apiVersion: apps/v1, uid: b}]
        spec: {nodeName: node-1}
        status: {phase: Running, podIP: 10.1.0.2, podIPs: [{ip: 10.1.0.2}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: idle, namespace: shop, labels: {app: idle}}
        spec: {nodeName: node-1}
        status: {phase: Running, podIP: 10.1.0.4, podIPs: [{ip: 10.1.0.4}]}
        ---
        apiVersion: v1
        kind: Pod
        metadata:
          name: coredns-66bff467f8-z9
          generateName: coredns-66bff467f8-
          namespace: kube-system
          labels: {k8s-app: kube-dns}
          ownerReferences: [{kind: ReplicaSet, name: coredns-66bff467f8, controller: true, apiVersion: apps/v1, uid: c}]
        spec: {nodeName: node-1}
        status: {phase: Running, podIP: 10.1.0.3, podIPs: [{ip: 10.1.0.3}]}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop, labels: {kubernetes.io/metadata.name: shop}}
        ---
        apiVersion: v1
        kind: Namespace
        metadata: {name: kube-system, labels: {kubernetes.io/metadata.name: kube-system}}

        """

    init() throws {
        folder = try TemporaryFolder()
        inventory = folder.file("cluster.yaml")
        try Data(Self.cluster.utf8).write(to: URL(fileURLWithPath: inventory))
    }

    private static func line(
        _ from: End,
        _ to: End,
        _ port: Int,
        _ proto: String = "tcp",
        count: Int = 10,
        action: String = "allow",
        reporter: String = "src"
    ) -> String {
        func text(_ value: String?) -> String { value.map { "\"\($0)\"" } ?? "null" }
        let fields: [FlowField: String] = [
            .startTime: "1764338390", .endTime: "1764338400", .action: text(action), .reporter: text(reporter),
            .proto: text(proto), .destPort: "\(port)", .numFlows: "\(count)", .numFlowsStarted: "\(count)",
            .sourceType: text(from.type), .sourceNamespace: text(from.namespace ?? "-"), .sourceIP: text(from.address),
            .sourceName: text(from.name ?? "-"), .sourceNameAggr: text(from.aggregated),
            .destType: text(to.type), .destNamespace: text(to.namespace ?? "-"), .destIP: text(to.address),
            .destName: text(to.name ?? "-"), .destNameAggr: text(to.aggregated),
        ]
        let members = FlowField.standard.map { "\"\($0.description.name)\":\(fields[$0] ?? $0.description.emptyJSON)" }
        return "{\(members.joined(separator: ","))}"
    }

    private static let seen = [
        line(web, database, 5432), line(web, database, 5432, count: 8, reporter: "dst"),
        line(oldWeb, database, 5432, count: 3), line(web, dns, 53, "udp", count: 7), line(web, card, 443, count: 1),
        line(web, nobody, 25, count: 2), line(card, web, 8080, count: 4),
        line(database, web, 22, count: 9, action: "deny"),
        line(dns, card, 53, "udp"),
    ]
    private static let ping = line(web, database, 0, "icmp", count: 5)

    private func write(_ lines: [String]) throws -> String {
        let path = folder.file("flows.log")
        try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    private func run(_ arguments: [String], _ lines: [String] = Self.seen) throws -> ChildProcess {
        let words = [WeirProgram.path, "policy", "suggest", "--inventory", inventory, "--flows", try write(lines)]
        return try ChildProcess(words + arguments, keepingIn: folder)
    }

    /// Runs a preview of the suggested policies.
    private func preview(_ yaml: String) throws -> ChildProcess {
        let path = folder.file("suggested.yaml")
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: path))
        return try ChildProcess(
            [
                WeirProgram.path, "policy", "preview", "--inventory", inventory, "--flows", try write(Self.seen),
                "--change", path, "--allowed", "-o", "json",
            ],
            keepingIn: folder
        )
    }

    @Test func suggestionAllowsOnlySeenTraffic() throws {
        let process = try run(["-n", "shop"])
        #expect(process.wait() == 0, "\(process.errors)\(process.output)")
        let yaml = process.output
        // Ten connections at one end and eight at the other count as ten; three of the earlier version are in the same rule.
        #expect(yaml.contains("  #   5432/tcp: 13 connections, last 2025-11-28 14:00:00"), "\(yaml)")
        #expect(yaml.contains("  #   443/tcp: seen once"))
        #expect(yaml.contains("cidr: \"203.0.113.20/32\""))
        #expect(yaml.contains("\"kubernetes.io/metadata.name\": \"kube-system\""))
        #expect(!yaml.contains("evil"), "\(yaml)")
        #expect(yaml.contains("# no policy for workloads without connections: idle"))
        #expect(
            yaml.contains(
                "# in no rule: shop/web-5d8f9c7b4d-* to (public, no address), 25/tcp, 2 connections: the records"
            )
        )
        #expect(!yaml.contains("port: 22}") && !yaml.contains("hash") && !yaml.contains("0.0.0.0/0"), "\(yaml)")
        #expect(yaml.contains(" 0 would be denied"), "\(yaml)")
        let judged = try preview(yaml)
        _ = judged.wait()
        #expect(!judged.output.contains("\"after\":\"deny\""), "\(judged.output)")
        // Traffic that was not seen is denied: the policies are in force.
        let trace = try ChildProcess(
            [
                WeirProgram.path, "policy", "trace", "--inventory", inventory, "--inventory",
                folder.file("suggested.yaml"),
                "--from", "shop/web-5d8f9c7b4d-x1", "--to", "shop/db-0", "--port", "5433", "--expect", "deny",
            ],
            keepingIn: folder
        )
        #expect(trace.wait() == 0, "\(trace.errors)\(trace.output)")
    }

    @Test(arguments: [[], ["--staged"]])
    func kubernetesKindWritesKubernetesPoliciesOnly(_ options: [String]) throws {
        let process = try run(["-n", "shop"] + options)
        #expect(process.wait() == 0, "\(process.errors)")
        let kinds = process.output.split(separator: "\n").filter { $0.hasPrefix("kind: ") }
        #expect(kinds.count == 2)
        #expect(Set(kinds) == [options.isEmpty ? "kind: NetworkPolicy" : "kind: StagedKubernetesNetworkPolicy"])
        try check(process.output)
    }

    @Test(arguments: [[], ["--staged"], ["--tier", "application"]])
    func calicoPoliciesHaveICMPRules(_ options: [String]) throws {
        let process = try run(["-n", "shop", "--kind", "calico"] + options, Self.seen + [Self.ping])
        #expect(process.wait() == 0, "\(process.errors)\(process.output)")
        #expect(process.output.contains("protocol: ICMP"), "\(process.output)")
        #expect(process.output.contains("kind: Staged") == options.contains("--staged"))
        #expect(process.output.contains("tier: \"application\"") == options.contains("--tier"))
        #expect(process.output.contains("projectcalico.org/name == 'kube-system'"))
        try check(process.output)
    }

    /// Policies of Kubernetes have no rules for ICMP: the output reports that ICMP traffic that was seen would be denied.
    @Test func reportsTrafficThatNoRuleCanAllow() throws {
        let process = try run(["-n", "shop"], Self.seen + [Self.ping])
        #expect(process.wait() == 1)
        #expect(process.output.contains("policies of this kind have no rule for icmp"))
        #expect(process.output.contains("# DENIED: shop/web-5d8f9c7b4d-* to shop/db-* icmp: 5 connections"))
        #expect(process.errors.contains("1 pairs that were seen would be denied"), "\(process.errors)")
    }

    /// Expects that `weir policy check` accepts policies, with the tier that they may name.
    private func check(_ yaml: String) throws {
        let path = folder.file("check.yaml")
        let tier = "apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: application}\nspec: {order: 100}\n"
        try Data((tier + yaml).utf8).write(to: URL(fileURLWithPath: path))
        let process = try ChildProcess(
            [WeirProgram.path, "policy", "check", "--inventory", inventory, "--inventory", path],
            keepingIn: folder
        )
        #expect(process.wait() == 0, "\(process.errors)\(process.output)\(yaml)")
    }

    @Test func escapesNamesInComments() throws {
        var evil = Self.web
        evil.name = "evil"
        evil.aggregated = "evil\\u001b[2J\\nkind: Evil\\u2028-*"
        evil.namespace = "else\\nwhere: x"
        let process = try run(
            ["-n", "shop"],
            [Self.line(evil, Self.database, 5432), Self.line(Self.web, Self.database, 1)]
        )
        // The pod's labels are unknown: no rule can allow its traffic, and the output reports that.
        #expect(process.wait() == 1, "\(process.errors)\(process.output)")
        #expect(
            process.output.contains("\n# DENIED: else\\u{a}where: x/evil\\u{1b}[2J\\u{a}kind: Evil"),
            "\(process.output)"
        )
        #expect(!process.output.contains("\nkind: Evil") && !process.output.contains("\nwhere:"), "\(process.output)")
        #expect(!process.output.contains("\u{1b}"))
    }

    @Test(
        arguments: [
            ([], 2, "--namespace"), (["-n", "shop", "--tier", "x"], 2, "--kind calico"),
            (["-n", "shop", "--kind", "calico", "--tier", "A b"], 2, "small letters"),
            (["-n", "nowhere"], 1, "no allowed connection of namespace nowhere"),
            (["-n", "shop", "--filter", "x ="], 2, "--filter"),
        ] as [([String], Int32, String)]
    )
    func rejectsWrongUsage(_ arguments: [String], _ status: Int32, _ text: String) throws {
        let process = try run(arguments)
        #expect(process.wait() == status, "\(process.errors)")
        #expect(process.errors.contains(text), "\(process.errors)")
    }
}
