import API
import FlowModel
import Foundation
import Records
import Store
import Testing

/// `GET /api/v1/timeline`.
@Suite struct TimelineTests {
    private let api: API
    private let writer: StoreWriter
    private let now = Int64(time(nil))

    init() throws {
        let (reader, writer) = try store([])
        api = API(reader, version: "1.2.3", node: "node-1")
        self.writer = writer
    }

    private func ask(_ query: String) throws -> (status: Int, body: [String: Any]) {
        let answer = api.answer(
            APIRequest(name: "timeline", parameters: try QueryString.parse(query), now: now)
        )
        let body = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        return (answer.status, try #require(body))
    }

    private func events(_ query: String) throws -> [[String: Any]] {
        try #require(try ask(query).body["events"] as? [[String: Any]])
    }

    private func add(
        _ id: String,
        _ role: ChangeRecord.Role,
        ago: Int64,
        _ edit: (inout ChangeRecord) -> Void = { _ in }
    ) {
        var change = ChangeRecord(
            time: Double(now - ago),
            auditID: id,
            user: "alice",
            verb: "patch",
            kind: "NetworkPolicy",
            outcome: "done",
            dryRun: false,
            basis: "compared",
            summary: "alice patched it"
        )
        change.role = role
        (change.namespace, change.name) = ("shop", "db-allow")
        edit(&change)
        #expect(writer.add([change]) == nil)
    }

    @Test func eventHasUserObjectAndChangedVerdicts() throws {
        add("1", .policy, ago: 60) {
            $0.impersonatedUser = "bob"
            $0.changes = [.init(path: "ingress[0].ports", before: "5432", after: "5433")]
        }
        let verdict = VerdictChange(
            source: "shop/web-*",
            dest: "shop/db-*",
            port: "5432/tcp",
            reporter: "dst",
            before: "allow",
            after: "deny",
            ruleBefore: "",
            rule: "r",
            connections: 4,
            time: now,
            isLikely: true
        )
        #expect(writer.set([verdict], auditID: "1", receivedAt: nil) == nil)
        let event = try #require(try events("since=5m").first)
        #expect(event["time"] as? Int64 == now - 60)
        #expect(event["kind"] as? String == "policy")
        #expect(event["change"] as? String == "changed")
        #expect(event["title"] as? String == "NetworkPolicy shop/db-allow")
        #expect(event["user"] as? String == "alice as bob")
        #expect(event["diff"] as? String == "ingress[0].ports 5432 → 5433")
        #expect(event["connections"] as? Int == 4)
        let changed = try #require((event["verdicts_changed"] as? [[String: Any]])?.first)
        #expect(changed["after"] as? String == "deny")
        #expect(changed["is_likely"] as? Bool == true)
    }

    @Test func deniedRequestHasOutcomeAndDetail() throws {
        add("1", .policy, ago: 60) {
            $0.outcome = "denied"
            $0.summary = "alice was denied to patch NetworkPolicy shop/db-allow: nothing changed (403)"
        }
        let event = try #require(try events("since=5m").first)
        #expect(event["change"] as? String == "patch: denied")
        #expect((event["detail"] as? String)?.contains("nothing changed") == true)
    }

    @Test func selectsByRangeAndRoleWithLimitPerRole() throws {
        add("old", .policy, ago: 4000)
        add("policy", .policy, ago: 500)
        for index in 0..<50 { add("pod-\(index)", .object, ago: Int64(index)) }
        add("service", .service, ago: 300)
        let ids = try events("since=1h&limit=10").compactMap { $0["audit_id"] as? String }
        #expect(ids.count == 12)
        #expect(ids.first == "pod-0" && ids.suffix(2) == ["service", "policy"])
        #expect(try ask("since=1h&limit=10").body["is_complete"] as? Bool == false)
        #expect(try ask("since=1h").body["is_complete"] as? Bool == true)
        #expect(try events("since=1h&role=service").count == 1)
        #expect(try events("since=\(now - 501)&until=\(now - 500)").count == 1)
        #expect(try events("since=\(now - 500)&until=\(now - 499)&role=policy").isEmpty)
        #expect(try ask("role=secret").status == 400)
        #expect(try ask("limit=2001").status == 400)
        #expect(try ask("user=alice").status == 400)
    }
}
