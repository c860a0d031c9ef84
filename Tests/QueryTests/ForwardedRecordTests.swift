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

    /// A record of an end and of a forwarding host is explained as one of the end.
    @Test(arguments: [
        ("dst,fwd", "the destination reports: these are its ingress policies"),
        ("src, fwd", "the source reports: these are its egress policies"),
    ])
    func explainsJoinedReportersAsEnd(reporter: String, note: String) throws {
        let policies =
            #"{"enforced_policies":["0|t|t.e|allow|0"],"pending_policies":[],"transit_policies":["0|t|t.f|allow|0"]}"#
        let line = recordLine([.reporter: "\"\(reporter)\"", .policies: policies])
        let explanation = Explanation(try ReadRecord(Array(line.utf8)))
        #expect(explanation.now.steps.map(\.hit) == ["0|t|t.e|allow|0"])
        #expect(explanation.notes.first == note)
    }

    @Test(arguments: [
        ("reporter == 'dst'", ["dst", "dst,fwd", "dst, fwd"]),
        ("reporter == 'fwd'", ["fwd", "dst,fwd", "dst, fwd", "src,fwd"]),
        ("reporter == 'dst' && reporter == 'fwd'", ["dst,fwd", "dst, fwd"]),
        ("reporter in {'src', 'dst'}", ["src", "dst", "dst,fwd", "dst, fwd", "src,fwd"]),
        ("reporter != 'fwd'", ["src", "dst"]),
        ("has(reporter)", ["src", "dst", "fwd", "dst,fwd", "dst, fwd", "src,fwd"]),
    ])
    func filtersCompareEachReporter(text: String, expected: [String]) throws {
        let filter = try Filter(text)
        let all = ["src", "dst", "fwd", "dst,fwd", "dst, fwd", "src,fwd"]
        let found = try all.filter { reporter in
            try filter.matches(ReadRecord(Array(recordLine([.reporter: "\"\(reporter)\""]).utf8)))
        }
        #expect(found == expected)
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
