import Audit
import Testing

/// Audit policies: the level of each request, and the findings of the check.
@Suite struct AuditPolicyTests {
    private func policy(_ rules: String, more: String = "", version: String = "audit.k8s.io/v1") throws -> AuditPolicy {
        let json = Array(#"{"apiVersion":"\#(version)","kind":"Policy",\#(more)"rules":[\#(rules)]}"#.utf8)
        return try AuditPolicy(json: json.span)
    }

    private func findings(_ policy: AuditPolicy) -> [String] {
        AuditPolicyCheck(policy, hasCalico: false, hasAdminPolicies: false).findings.map {
            "\($0.isError ? "E" : "N") \($0.text)"
        }
    }

    /// The cases of checker.go, ruleMatchesResource.
    @Test(arguments: [
        (#"{"group":"","resources":["pods"]}"#, "pods", "", true),
        (#"{"group":"","resources":["pods"]}"#, "pods/status", "", false),
        (#"{"group":"","resources":["pods/*"]}"#, "pods/status", "", true),
        (#"{"group":"","resources":["pods/*"]}"#, "pods", "", true),
        (#"{"group":"","resources":["*/status"]}"#, "pods/status", "", true),
        (#"{"group":"","resources":["*/status"]}"#, "pods", "", false),
        (#"{"group":"","resources":["*"]}"#, "pods/status", "", true), (#"{"group":""}"#, "pods/exec", "", true),
        (#"{"group":"apps"}"#, "pods", "", false), (#"{"resources":["pods"]}"#, "pods", "", true),
        (#"{"group":"networking.k8s.io"}"#, "networkpolicies", "networking.k8s.io", true),
        (#"{"group":"*"}"#, "pods", "", false),
    ])
    func matchesResourcesLikeAPIServer(_ entry: String, _ resource: String, _ group: String, _ matches: Bool) throws {
        let policy = try policy(#"{"level":"Request","resources":[\#(entry)]}"#)
        #expect(policy.answer("create", resource, group: group).level == (matches ? .request : .none))
    }

    @Test func appliesFirstMatchingRule() throws {
        let policy = try policy(
            #"{"level":"None","users":["system:kube-proxy"]},{"level":"None","nonResourceURLs":["/healthz*"]},"#
                + #"{"level":"Metadata","verbs":["delete"]},{"level":"Request","namespaces":["shop"]},{"level":"RequestResponse"}"#
        )
        #expect(policy.answer("delete", "pods", group: "").level == .metadata)
        let create = policy.answer("create", "pods", group: "")
        #expect(create.level == .requestResponse)
        #expect(create.rule == 4)
        #expect(create.exceptions == [0, 3])
        let names = try self.policy(
            #"{"level":"Request","resources":[{"group":"","resources":["pods"],"resourceNames":["x"]}]}"#
        )
        #expect(names.answer("create", "pods", group: "").level == .none)
        #expect(names.answer("create", "pods", group: "").exceptions == [0])
    }

    @Test func printedPolicyHasNoFindings() throws {
        for variant in 0..<16 {
            var text = AuditPolicyText()
            text.hasStatus = variant & 1 != 0
            text.hasCalico = variant & 2 == 0
            text.hasAdminPolicies = variant & 4 == 0
            text.others = variant & 8 == 0 ? .none : .metadata
            let json = try Self.json(text.text)
            let policy = try AuditPolicy(json: json.span)
            #expect(policy.mistakes == [])
            let check = AuditPolicyCheck(policy, hasCalico: text.hasCalico, hasAdminPolicies: text.hasAdminPolicies)
            #expect(check.findings == [])
            #expect(check.rows.allSatisfy { $0.answers.allSatisfy { $0.level == .requestResponse } })
            for (resource, group) in [
                ("secrets", ""), ("serviceaccounts/token", ""), ("tokenreviews", "authentication.k8s.io"),
            ] {
                #expect(policy.answer("create", resource, group: group).level == .none)
            }
            let status = policy.answer("patch", "pods/status", group: "")
            #expect(status.level == .requestResponse)
            #expect(status.exceptions.map { policy.rules[$0].userGroups } == (text.hasStatus ? [] : [["system:nodes"]]))
            #expect(policy.answer("create", "pods/eviction", group: "").level == .requestResponse)
            #expect(policy.answer("update", "namespaces/finalize", group: "").level == .requestResponse)
            #expect(policy.answer("create", "pods/exec", group: "").level == text.others)
        }
    }

    /// Converts the restricted YAML of the printed policy to JSON.
    private static func json(_ yaml: String) throws -> [UInt8] {
        var members: [String] = []
        var rules: [(head: [String], resources: [String])] = []
        for line in yaml.split(separator: "\n") where !line.hasPrefix("#") {
            let text = line.trimmingPrefix(while: { $0 == " " })
            let part = try #require(text.firstIndex(of: ":"))
            let key = text[..<part].replacing("- ", with: "")
            var value = String(text[text.index(after: part)...].dropFirst())
            if value.hasPrefix("[") {
                value =
                    "[" + value.dropFirst().dropLast().split(separator: ", ").map { "\"\($0)\"" }.joined(separator: ",")
                    + "]"
            } else if value != "\"\"", value != "true" {
                value = "\"\(value)\""
            }
            if text.hasPrefix("- level") { rules.append(([], [])) }
            if key == "rules" || text == "resources:" { continue }
            switch key {
            case "group": rules[rules.count - 1].resources.append("\"group\":\(value)")
            case "resources":
                rules[rules.count - 1].resources[rules[rules.count - 1].resources.count - 1] +=
                    ",\"resources\":\(value)"
            default:
                if rules.isEmpty {
                    members.append("\"\(key)\":\(value)")
                } else {
                    rules[rules.count - 1].head.append("\"\(key)\":\(value)")
                }
            }
        }
        let texts = rules.map { rule in
            let resources =
                rule.resources.isEmpty
                ? "" : ",\"resources\":[\(rule.resources.map { "{\($0)}" }.joined(separator: ","))]"
            return "{\(rule.head.joined(separator: ","))\(resources)}"
        }
        return Array("{\(members.joined(separator: ",")),\"rules\":[\(texts.joined(separator: ","))]}".utf8)
    }

    @Test func reportsRemovedVersion() throws {
        let found = findings(try policy(#"{"level":"RequestResponse"}"#, version: "audit.k8s.io/v1beta1"))
        #expect(found.first?.hasPrefix("E audit.k8s.io/v1beta1 was removed in Kubernetes 1.24") == true)
    }

    /// The sample of Calico's documentation, without deletecollection, services and EndpointSlice.
    @Test func reportsResourcesMissingForReports() throws {
        let found = findings(
            try policy(
                #"{"level":"RequestResponse","verbs":["create","patch","update","delete"],"resources":["#
                    + #"{"group":"networking.k8s.io","resources":["networkpolicies"]},"#
                    + #"{"group":"","resources":["pods","namespaces","serviceaccounts","endpoints"]}]}"#,
                more: #""omitStages":["RequestReceived"],"omitManagedFields":true,"#
            )
        )
        #expect(
            found.contains { $0.hasPrefix("E networkpolicies.networking.k8s.io: deletecollection is not recorded") }
        )
        #expect(found.contains { $0.hasPrefix("E endpointslices.discovery.k8s.io is not recorded") })
        #expect(found.contains { $0.hasPrefix("N services is not recorded") })
        #expect(found.contains { $0.hasPrefix("N pods/status, pods/binding, pods/eviction, namespaces/status") })
        #expect(!found.contains { $0.contains("RequestReceived") || $0.contains("secrets") })
    }

    @Test(arguments: [
        (#"{"level":"RequestResponse"}"#, "E secrets: create is recorded with bodies"),
        (#"{"level":"Metadata"}"#, "N pods is recorded at Metadata: who and when"),
        (#"{"level":"Everything"}"#, "E rules[0].level: None"),
        (#"{"level":"None","verb":["get"]}"#, "E rules[0]: verb is no member"),
        (#"{"level":"None","verbs":["*"]}"#, "E rules[0].verbs: * is no wildcard"),
        (#"{"level":"None","nonResourceURLs":["/x"],"namespaces":["a"]}"#, "E rules[0]: resources or namespaces"),
        (#"{"level":"None","omitStages":["Begin"]}"#, "E omitStages: Begin is no stage"),
        (#"{"level":"None","users":["system:*"]}"#, "E rules[0]: users and groups have no wildcards"),
        (#"{"level":"None","resources":[{"group":"apps/v1"}]}"#, "E rules[0].resources: the group apps/v1 is invalid"),
        ("", "E there are no rules"), (#"{"level":"None"}"#, "N RequestReceived is not omitted"),
        (#"{"level":"None","users":["bob"]},{"level":"Metadata"}"#, "N pods: None for users bob (rules[0])"),
    ])
    func reportsMistakes(_ rules: String, _ expected: String) throws {
        let found = findings(try policy(rules))
        #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"kind":"Policy","apiVersion":"v1"}"#,
        #"{"kind":"NetworkPolicy","apiVersion":"audit.k8s.io/v1"}"#,
    ])
    func rejectsOtherDocuments(_ text: String) {
        let json = Array(text.utf8)
        #expect(throws: AuditError.self) { try AuditPolicy(json: json.span) }
    }
}
