import Foundation
import Lab
import Testing

/// The page of a run shows the policies of the run's own inventory, as they are now.
@Suite(.serialized, .needsRoot)
struct RunPageTests {
    private let lab: PolicyNode

    init() throws {
        lab = try PolicyNode(policies: Self.policies(["idle"]))
    }

    /// The client's policy, a staged one that would deny the database, and policies that select no pod.
    private static func policies(_ others: [String]) -> String {
        let nobodys = others.map { name in
            """
            apiVersion: projectcalico.org/v3
            kind: NetworkPolicy
            metadata: {name: default.\(name), namespace: shop}
            spec: {selector: app == 'nobody', types: [Egress], egress: [{action: Allow}]}

            """
        }
        return ([client, wish] + nobodys).joined(separator: "---\n")
    }

    private static let client = """
        apiVersion: projectcalico.org/v3
        kind: NetworkPolicy
        metadata: {name: default.client, namespace: shop}
        spec:
          order: 2
          selector: app == 'client'
          types: [Egress]
          egress: [{action: Deny, destination: {selector: app == 'remote'}}, {action: Allow}]

        """
    private static let wish = """
        apiVersion: projectcalico.org/v3
        kind: StagedNetworkPolicy
        metadata: {name: default.wish, namespace: shop}
        spec:
          order: 1
          selector: app == 'client'
          types: [Egress]
          egress: [{action: Deny, destination: {selector: app == 'db'}}]

        """

    private var socket: String { lab.folder.file("weir.sock") }

    private func ask(_ path: String, _ options: [String] = []) throws -> [String: Any] {
        let text = try lab.node.command(
            ["curl", "-sS", "--max-time", "30", "--unix-socket", socket] + options + ["http://weir/api/v1/\(path)"]
        )
        return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
    }

    private func policies() throws -> [String: [String: Any]] {
        let tiers = try ask("policies?since=1h")["tiers"] as? [[String: Any]] ?? []
        let all = tiers.flatMap { $0["policies"] as? [[String: Any]] ?? [] }
        return Dictionary(all.map { ($0["name"] as? String ?? "", $0) }) { first, _ in first }
    }

    private func preview(_ change: String, staged: Bool = false) throws -> [String: Any] {
        let path = lab.folder.file("change")
        try change.write(toFile: path, atomically: true, encoding: .utf8)
        return try ask(
            "policy/preview?since=1h&enforce_staged=\(staged)",
            ["--data-binary", "@\(path)", "-H", "Content-Type: application/yaml"]
        )
    }

    @Test func pageAPIReportsCurrentPolicies() throws {
        let weir = try lab.run(["--http", "off", "--socket", socket, "--store", lab.folder.file("flows.db")])
        let (client, db) = (try lab.namespace(of: .client), try lab.namespace(of: .db))
        let address = try lab.address(of: .db, isIPv6: false, towards: .client)
        let traffic = try SteadyTraffic(isStream: false, from: client, to: db, at: address, port: 2001, pause: 3)
        let filter = "filter=dest_port==2001%20%26%26%20reporter==%22src%22"
        let isStored = try eventually(within: .seconds(20)) {
            (try ask("records?since=1h&\(filter)")["records"] as? [Any])?.isEmpty == false
        }
        try #require(isStored)
        // Unused, and in words.
        let known = try policies()
        #expect(known["default.idle"]?["state"] as? String == "unused")
        #expect(known["default.client"]?["state"] as? String == "used")
        #expect((known["default.client"]?["selector"] as? String)?.contains("app == \"client\"") == true, "\(known)")
        #expect((known["default.wish"]?["would_deny"] as? Int ?? 0) > 0)
        // Rule by rule.
        let explained = try ask("explain?since=1h&\(filter)")
        let steps = (explained["now"] as? [String: Any])?["steps"] as? [[String: Any]] ?? []
        let checks = steps.flatMap { $0["checks"] as? [String] ?? [] }
        #expect(checks.contains { $0.contains("default.client rule 0") }, "\(explained)")
        // Previews.
        let staged = try preview("", staged: true)
        #expect((staged["newly_denied"] as? [String: Int])?["pairs"] == 1, "\(staged)")
        #expect((try preview(Self.policies(["idle"]))["newly_denied"] as? [String: Int])?["pairs"] == 0)
        // Policies that change while the run goes on.
        try lab.write(policies: Self.policies(["other"]))
        let isNews = try eventually(within: .seconds(20)) {
            let names = try policies().keys
            return names.contains("default.other") && !names.contains("default.idle")
        }
        #expect(isNews)
        let changes = try preview(Self.policies(["idle", "other"]))["changes"] as? [String] ?? []
        #expect(
            changes == [
                "~ Calico NetworkPolicy shop/default.client", "~ StagedNetworkPolicy shop/default.wish",
                "+ Calico NetworkPolicy shop/default.idle", "~ Calico NetworkPolicy shop/default.other",
            ]
        )
        try traffic.end()
        try weir.finish()
    }

    /// Changes as large as they may be, many at once, hold up neither health nor records.
    @Test func largePreviewsDoNotBlockHealthOrRecords() throws {
        let weir = try lab.run(["--http", "off", "--socket", socket, "--store", lab.folder.file("flows.db")])
        let (client, db) = (try lab.namespace(of: .client), try lab.namespace(of: .db))
        let address = try lab.address(of: .db, isIPv6: false, towards: .client)
        let traffic = try SteadyTraffic(isStream: false, from: client, to: db, at: address, port: 2001, pause: 3)
        try #require(try eventually(within: .seconds(20)) { try ask("status")["store"] != nil })
        let path = lab.folder.file("large")
        try Self.large.write(toFile: path, atomically: true, encoding: .utf8)
        let script = """
            for n in $(seq 12); do
                curl -sS --max-time 60 --unix-socket \(socket) -o /dev/null -w '%{http_code}\\n' --data-binary @\(path) \
                    -H 'Content-Type: application/yaml' 'http://weir/api/v1/policy/preview?since=1h' &
            done
            wait
            """
        let previews = try lab.node.start(["sh", "-c", script], keepingIn: lab.folder)
        var (slowest, probes) = (0.0, 0)
        while !previews.hasEnded {
            let text = try lab.node.command([
                "curl", "-sS", "--max-time", "30", "--unix-socket", socket, "-o", "/dev/null", "-w",
                "%{http_code} %{time_total}", "http://weir/healthz",
            ])
            let parts = text.split(separator: " ")
            #expect(parts.first == "200", "\(text)")
            slowest = max(slowest, parts.last.flatMap { Double($0) } ?? .infinity)
            probes += 1
        }
        // The machine is busy with a dozen processes of the test too.
        #expect(probes > 0 && slowest < 2, "\(slowest) s, \(probes) probes")
        let codes = previews.output.split(separator: "\n")
        #expect(codes.count == 12 && codes.contains("200"), "\(codes)")
        #expect(codes.allSatisfy { ["200", "429", "503"].contains($0) }, "\(codes)")
        try traffic.end()
        try weir.finish()
        #expect(try weir.report().balanced)
    }

    /// Just less than a mebibyte of policies, each of which is evaluated for the client's packets.
    private static let large: String = {
        var text = ""
        var number = 0
        while text.utf8.count < (1 << 20) - 300 {
            number += 1
            text += """
                ---
                apiVersion: projectcalico.org/v3
                kind: NetworkPolicy
                metadata: {name: default.p\(number), namespace: shop}
                spec: {selector: all(), types: [Egress], egress: [{action: Deny, destination: {nets: [192.0.2.\(number % 256)/32]}}]}

                """
        }
        return text
    }()
}
