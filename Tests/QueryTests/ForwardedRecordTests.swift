import Filter
import FlowModel
import Query
import Records
import Testing

/// Records of connections that a host forwards are explained and found by the policies of its host endpoints.
struct ForwardedRecordTests {
    private func record(_ action: String, _ hits: [String]) throws -> ReadRecord {
        let list = hits.map { "\"\($0)\"" }.joined(separator: ",")
        let line = recordLine([
            .reporter: "\"fwd\"", .action: "\"\(action)\"",
            .policies: #"{"enforced_policies":[],"pending_policies":[],"transit_policies":[\#(list)]}"#,
        ])
        return try ReadRecord(Array(line.utf8))
    }

    @Test(arguments: [
        (
            "allow", ["0|default|default.pre-dnat|allow|1", "1|default|default.out|allow|2"],
            "allow: tier default: GlobalNetworkPolicy default.out: rule 2 allowed", "default.out 2"
        ),
        (
            "deny", ["0|default|default.gateway|deny|-1"],
            "deny: tier default: GlobalNetworkPolicy default.gateway: no rule matched, and the tier's default action denied",
            "default default"
        ),
        (
            "deny", ["0|default|default.out|allow|2"],
            "deny by the kernel, although tier default: GlobalNetworkPolicy default.out: rule 2 allowed: the two disagree",
            "default.out 2"
        ),
    ])
    func explainsByTransitPolicies(action: String, hits: [String], words: String, decidedBy: String) throws {
        let record = try record(action, hits)
        let verdict = VerdictWords(record)
        #expect(verdict.now == words && verdict.pending == nil)
        #expect(verdict.decidedBy == decidedBy)
        #expect(GroupName("rule")?.value(record) == hits.last)
        let explanation = Explanation(record)
        #expect(explanation.now.action == action && explanation.now.sentence == words)
        #expect(explanation.now.steps.map(\.hit) == hits && explanation.pending == nil)
        #expect(
            explanation.notes == [
                "a host forwards the connection: these are the policies of its host endpoints for forwarded traffic"
            ]
        )
    }

    @Test func saysThatNoPolicyIsKnown() throws {
        let explanation = Explanation(try record("allow", []))
        #expect(explanation.now.sentence == "allow: no policy is known that applies" && explanation.now.steps.isEmpty)
        #expect(
            explanation.notes == [
                "a host forwards the connection, and no policies of its host endpoints are known to apply"
            ]
        )
    }

    @Test(arguments: [
        ("policies contains \"gateway\"", true), ("transit_policies contains \"|default.gateway|deny|\"", true),
        ("enforced_policies contains \"gateway\"", false), ("has(pending_policies)", false),
        ("transit_policies contains \"out\"", false),
    ])
    func filtersFindTransitPolicies(text: String, expected: Bool) throws {
        let record = try record("deny", ["0|default|default.gateway|deny|-1"])
        #expect(try Filter(text).matches(record) == expected)
    }
}
