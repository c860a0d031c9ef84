import API
import FlowModel
import Foundation
import Policy
import Query
import Records
import Store
import Testing

/// The API's policies, of an inventory and of the hits in records, and its previews.
@Suite struct PolicyAPITests {
    private let now = bankStart + 2000

    private func ask(_ api: API, _ name: String, _ query: String = "since=1h") throws -> [String: Any] {
        let answer = api.answer(APIRequest(name: name, parameters: try QueryString.parse(query), now: now))
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
        return try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
    }

    private func policies(_ api: API, _ query: String = "since=1h") throws -> [String: [String: Any]] {
        let tiers = try #require(try ask(api, "policies", query)["tiers"] as? [[String: Any]])
        let all = tiers.flatMap { $0["policies"] as? [[String: Any]] ?? [] }
        return Dictionary(uniqueKeysWithValues: all.map { ($0["name"] as? String ?? "", $0) })
    }

    /// An inventory with used and unused policies, staged policies, and rules without hits.
    private struct Inventory: RuleExplaining {
        var catalogue: PolicyCatalogue {
            func policy(_ name: String, _ kind: PolicyHit.Kind, _ rules: [PolicyCatalogue.Rule])
                -> PolicyCatalogue.Policy
            {
                let part = kind.isStaged ? "application.staged:\(name)" : "application.\(name)"
                return PolicyCatalogue.Policy(
                    kind: kind,
                    namespace: "yaobank",
                    name: "application.\(name)",
                    id: "yaobank/\(part)",
                    selector: "all()",
                    rules: rules
                )
            }
            func rule(_ index: Int, isIngress: Bool = false) -> PolicyCatalogue.Rule {
                PolicyCatalogue.Rule(isIngress: isIngress, index: index, action: .allow, text: "rule \(index) in words")
            }
            return PolicyCatalogue(tiers: [
                .init(name: "first", defaultAction: .pass, policies: [policy("never", .networkPolicy, [rule(0)])]),
                .init(
                    name: "application",
                    defaultAction: .deny,
                    policies: [
                        policy(
                            "allow-summary",
                            .networkPolicy,
                            [rule(0), rule(1), rule(10), rule(0, isIngress: true)]
                        ),
                        policy("customer-to-database", .stagedNetworkPolicy, [rule(0)]),
                        policy("idle", .stagedNetworkPolicy, [rule(0)]),
                    ]
                ),
            ])
        }

        func checks(_ record: ReadRecord) -> RuleChecks {
            var checks = RuleChecks()
            checks.nearest = [
                "application": "rule 0 of x would allow it, but port 80 is wanted, it is 2379", "first": "-",
            ]
            return checks
        }
    }

    @Test func policiesAndRulesWithoutHitsAreUnused() throws {
        let (reader, writer) = try store(bankLines(flushes: 200))
        let api = API(reader, version: "1", node: "n", policies: { KnownPolicies(rules: Inventory()) })
        let body = try ask(api, "policies")
        #expect(body["has_inventory"] as? Bool == true && body["can_preview"] as? Bool == false)
        let tiers = try #require(body["tiers"] as? [[String: Any]])
        #expect(tiers.map { $0["name"] as? String } == ["first", "application"])
        #expect(tiers.map { $0["default_action"] as? String } == ["pass", "deny"])
        let policies = try policies(api)
        #expect(policies["application.never"]?["state"] as? String == "unused")
        #expect(policies["application.idle"]?["state"] as? String == "unused")
        #expect(policies["application.customer-to-database"]?["state"] as? String == "used")
        let summary = try #require(policies["application.allow-summary"])
        #expect(summary["state"] as? String == "used" && summary["selector"] as? String == "all()")
        let rules = try #require(summary["rules"] as? [[String: Any]])
        #expect(rules.map { $0["direction"] as? String } == ["ingress", "egress", "egress", "egress"])
        #expect(rules.map { $0["state"] as? String } == ["used", "used", "unused", "unused"])
        #expect(rules[1]["text"] as? String == "rule 0 in words")
        // A policy that is only in records comes behind those of the inventory.
        let names = (tiers[1]["policies"] as? [[String: Any]])?.map { $0["name"] as? String }
        #expect(names?.last == "application.allow-customer")
        withExtendedLifetime(writer) {}
    }

    /// If no record has the evaluated policies, nothing is reported as unused.
    @Test func stateIsUnknownWithoutPolicyHits() throws {
        let (reader, writer) = try store([recordLine([.endTime: "\(bankStart + 10)", .numFlowsStarted: "1"])])
        let policies = try policies(
            API(reader, version: "1", node: "n", policies: { KnownPolicies(rules: Inventory()) })
        )
        #expect(policies.count == 4)
        #expect(policies.values.allSatisfy { $0["state"] as? String == "unknown" })
        withExtendedLifetime(writer) {}
    }

    /// The filters of policies, of rules and of changes by staged policies select as many connections as were counted.
    @Test func filtersSelectCountedConnections() throws {
        let (reader, writer) = try store(bankLines(flushes: 200))
        let api = API(reader, version: "1", node: "n", policies: { KnownPolicies(rules: Inventory()) })
        func connections(_ filter: Any?) throws -> Int? {
            let text = try #require(filter as? String)
            let encoded = try #require(text.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
            let body = try ask(api, "query", "since=1h&filter=\(encoded)")
            return ((body["total"] as? [String: Any])?["sums"] as? [Int])?.first
        }
        for policy in try policies(api).values {
            func sum(_ name: String) -> Int { (policy[name] as? [String: Int])?["connections"] ?? -1 }
            #expect(try connections(policy["filter"]) == sum("allow") + sum("deny") + sum("pass"))
            for rule in policy["rules"] as? [[String: Any]] ?? [] {
                #expect(try connections(rule["filter"]) == rule["connections"] as? Int, "\(rule)")
            }
            guard policy["is_staged"] as? Bool == true else { continue }
            #expect(try connections(policy["would_allow_filter"]) == policy["would_allow"] as? Int)
            #expect(try connections(policy["would_deny_filter"]) == policy["would_deny"] as? Int)
        }
        withExtendedLifetime(writer) {}
    }

    /// If no rule matched, the reason is the nearest rule's condition; if a rule decided, it is that rule.
    @Test func explainsTierDefaultDenialByNearestRule() throws {
        let (reader, writer) = try store(bankLines(flushes: 2))
        let api = API(reader, version: "1", node: "n", policies: { KnownPolicies(rules: Inventory()) })
        func sentence(_ filter: String) throws -> String {
            let now = try ask(api, "explain", "since=1h&filter=\(filter)")["now"] as? [String: Any]
            return try #require(now?["sentence"] as? String)
        }
        let denied = try sentence("action==%22deny%22")
        #expect(denied.hasSuffix("; rule 0 of x would allow it, but port 80 is wanted, it is 2379"), "\(denied)")
        #expect(try !sentence("dest_port==80").contains("would allow"))
        withExtendedLifetime(writer) {}
    }

    // MARK: Previews

    /// Returns a row for each recorded group.
    private struct Previews: PolicyPreviewing {
        var groupBy: [GroupName] { [.field(.sourceNameAggr), .field(.destNameAggr)] }
        var sums: [Measure] { [Measure(.connections)] }

        func preview(_ change: [UInt8], enforcesStaged: Bool) throws -> Evaluation {
            { recorded, _ in
                var shape = PreviewShape()
                shape.changes = [String(decoding: change, as: UTF8.self), "\(enforcesStaged)"]
                shape.rows = recorded.groups.map { group in
                    var row = PreviewShape.Row()
                    row.source = group.values[0] ?? ""
                    return row
                }
                return shape
            }
        }
    }

    private func preview(
        _ query: String = "",
        type: String = "application/yaml; charset=utf-8",
        body: [UInt8] = Array("kind: X".utf8),
        hasInventory: Bool = true
    ) throws -> (status: Int, body: [String: Any]) {
        let (reader, writer) = try store(bankLines(flushes: 2))
        let api = API(
            reader,
            version: "1",
            node: "n",
            policies: {
                KnownPolicies(previews: hasInventory ? Previews() : nil)
            }
        )
        let request = APIRequest(name: "policy/preview", parameters: try QueryString.parse(query), now: now)
        let answer = api.preview(request, type: type, body: body)
        withExtendedLifetime(writer) {}
        return (
            answer.status, try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
        )
    }

    @Test func previewCoversRecordsOfRange() throws {
        let (status, body) = try preview("since=1h&enforce_staged=true")
        #expect(status == 200)
        #expect(body["changes"] as? [String] == ["kind: X", "true"])
        #expect((body["rows"] as? [Any])?.count == 3 && body["other_rows"] as? Int == 0)
        #expect((body["range"] as? [String: Any])?["until"] as? Int64 == now)
        #expect(try Set(body.keys) == documentedMembers(of: "policy/preview", method: "post"))
        let cut = try preview("since=1h&limit=1").body
        #expect((cut["rows"] as? [Any])?.count == 1 && cut["other_rows"] as? Int == 2)
        let filtered = try preview("since=1h&filter=action%20==%20%22deny%22").body
        #expect((filtered["rows"] as? [Any])?.count == 1)
    }

    @Test(arguments: [
        ("since=x", "application/yaml", 7, true, 400, "bad_parameter"),
        ("colour=x", "application/yaml", 7, true, 400, "unknown_parameter"),
        ("colour=x", "text/plain", 7, false, 400, "unknown_parameter"),
        ("enforce_staged=yes", "application/yaml", 7, true, 400, "bad_parameter"),
        ("limit=10001", "application/yaml", 7, true, 400, "bad_parameter"),
        ("", "text/plain", 7, true, 415, "bad_content_type"), ("", "", 7, true, 415, "bad_content_type"),
        ("", "application/x-www-form-urlencoded", 7, true, 415, "bad_content_type"),
        ("", "multipart/form-data; boundary=application/yaml", 7, true, 415, "bad_content_type"),
        ("", "application/yaml", (1 << 20) + 1, true, 413, "too_large"),
        ("", "application/yaml", 7, false, 503, "no_inventory"), ("", "application/yaml", 0, true, 400, "bad_change"),
    ])
    func rejectsInvalidPreviewWithCode(
        _ query: String,
        _ type: String,
        _ length: Int,
        _ hasInventory: Bool,
        _ status: Int,
        _ code: String
    ) throws {
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: length)
        let answer = try preview(query, type: type, body: body, hasInventory: hasInventory)
        #expect(answer.status == status)
        #expect((answer.body["error"] as? [String: Any])?["code"] as? String == code)
    }
}
