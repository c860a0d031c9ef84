import FlowModel
import Foundation
import Records
import Store
import Testing

/// Changes of the cluster in the store.
@Suite struct StoreChangeTests {
    private let folder = Folder()
    private var path: String { folder.path + "/flows.db" }

    private static let now = Double(time(nil))

    private func change(_ id: String, at time: Double = now, differences: Int = 1, role: ChangeRecord.Role = .policy)
        -> ChangeRecord
    {
        var change = ChangeRecord(
            time: time,
            auditID: id,
            user: "alice",
            verb: "patch",
            kind: "NetworkPolicy",
            outcome: "done",
            dryRun: false,
            basis: "compared",
            summary: "alice patched NetworkPolicy shop/db-allow"
        )
        change.receivedAt = time - 0.000_123
        change.role = role
        (change.namespace, change.name) = ("shop", "db-allow")
        change.changes = (0..<differences).map {
            .init(path: "ingress[\($0)].ports", before: "5432\u{202e}'; DROP TABLE change;--", after: "\"\\ 😀 \u{0}")
        }
        return change
    }

    private func stored(_ query: ChangeQuery = ChangeQuery()) throws -> [ChangeRecord] {
        try StoreReader(path: path).read { try $0.changes(query) }
    }

    private func verdict(_ connections: UInt64) -> VerdictChange {
        VerdictChange(
            source: "shop/web-*",
            dest: "shop/db-*",
            port: "5432/tcp",
            reporter: "dst",
            before: "allow",
            after: "deny",
            ruleBefore: "",
            rule: "0|default|shop/knp.default.db-allow|deny|-1",
            connections: connections,
            time: Int64(Self.now),
            isLikely: false
        )
    }

    @Test func readsEachChangeOnceNewestFirst() throws {
        let writer = try StoreWriter(path: path)
        let first = change("1", at: Self.now - 10)
        let second = change("2", role: .object)
        #expect(writer.add([first, second]) == nil)
        // A killed run adds its last batch again after the restart; the same ID of another request is another change.
        let third = change("1", at: Self.now - 5)
        #expect(writer.add([first, third]) == nil)
        #expect(try stored() == [second, third, first])
        #expect(try stored(ChangeQuery(role: .object)) == [second])
        #expect(try stored(ChangeQuery(limit: 1)) == [second])
        let since = ChangeRecord.microseconds(Self.now - 5)
        #expect(try stored(ChangeQuery(since: since)) == [second, third])
        #expect(try stored(ChangeQuery(until: since)) == [first])
    }

    @Test func setReplacesVerdictsOfChange() throws {
        let writer = try StoreWriter(path: path)
        var kept = change("1")
        #expect(writer.add([kept]) == nil)
        for number in [1, 7] {
            let verdicts = [verdict(UInt64(number))]
            #expect(writer.set(verdicts, auditID: "1", receivedAt: kept.receivedAt) == nil)
        }
        #expect(writer.set([verdict(9)], auditID: "unknown", receivedAt: nil) == nil)
        kept.verdictsChanged = [verdict(7)]
        #expect(try stored() == [kept])
    }

    /// A change that was first seen in objects, and whose request is in the log of a later run.
    @Test func requestReplacesChangeSeenInObjects() throws {
        func seen(_ id: String, _ verb: String, name: String) -> ChangeRecord {
            var seen = change(id, at: Self.now - 3)
            (seen.receivedAt, seen.basis, seen.verb, seen.changes) = (nil, "seen", verb, [])
            (seen.resource, seen.name) = ("networkpolicies", name)
            return seen
        }
        func logged(_ id: String, _ verb: String, version: String?) -> ChangeRecord {
            var logged = change(id)
            (logged.resource, logged.verb, logged.resourceVersion) = ("networkpolicies", verb, version)
            return logged
        }
        let writer = try StoreWriter(path: path)
        let updated = seen("resourceVersion=7", "update", name: "db-allow")
        let deleted = seen("deleted after resourceVersion=7", "delete", name: "db-allow")
        let others = [
            seen("resourceVersion=8", "update", name: "other"),
            seen("deleted after resourceVersion=9", "delete", name: "other"),
        ]
        #expect(writer.add([updated, deleted] + others) == nil)
        #expect(writer.set([verdict(5)], auditID: updated.auditID, receivedAt: nil) == nil)
        // A request for another version and a failed request are other changes.
        var failed = logged("failed", "patch", version: "7")
        failed.outcome = "denied"
        #expect(writer.add([failed, logged("later", "patch", version: "8")]) == nil)
        #expect(try stored().filter { $0.basis == "seen" }.count == 4)
        // A killed run adds its last batch again after the restart.
        for _ in 0..<2 {
            #expect(writer.add([logged("1", "patch", version: "7"), logged("2", "delete", version: nil)]) == nil)
        }
        let kept = try stored()
        #expect(Set(kept.filter { $0.basis == "seen" }.map(\.auditID)) == Set(others.map(\.auditID)))
        #expect(kept.first { $0.auditID == "1" }?.verdictsChanged == [verdict(5)])
        #expect(kept.first { $0.auditID == "2" }?.verdictsChanged == nil)
    }

    /// Objects of the same name are deleted and made again, and others have the same name in another API group.
    @Test func loggedDeletionReplacesSeenDeletion() throws {
        func deletion(_ id: String, _ group: String, seen version: Int? = nil, after time: Double = 0) -> ChangeRecord {
            var change = change(id, at: Self.now - 30 + time)
            (change.resource, change.name, change.verb, change.group) = ("networkpolicies", "allow", "delete", group)
            guard let version else { return change }
            (change.receivedAt, change.basis) = (nil, "seen")
            change.auditID = "deleted after resourceVersion=\(version)"
            return change
        }
        let writer = try StoreWriter(path: path)
        let seen = [
            deletion("", "networking.k8s.io", seen: 5, after: 1),
            deletion("", "networking.k8s.io", seen: 9, after: 20),
            deletion("", "crd.projectcalico.org", seen: 11, after: 1),
        ]
        #expect(writer.add(seen) == nil)
        func left() throws -> Set<String> { Set(try stored().filter { $0.basis == "seen" }.map(\.auditID)) }
        // A killed run adds the same request again after the restart.
        for _ in 0..<2 { #expect(writer.add([deletion("1", "networking.k8s.io")]) == nil) }
        #expect(try left() == [seen[1].auditID, seen[2].auditID])
        #expect(writer.add([deletion("2", "projectcalico.org")]) == nil)
        #expect(try left() == [seen[1].auditID])
        #expect(writer.add([deletion("3", "networking.k8s.io", after: 19)]) == nil)
        #expect(try left().isEmpty)
    }

    /// Data of an older version is present after the migration; a reader of this version may open it before the writer.
    @Test func migratesStoreOfVersionOne() throws {
        let lines = generatedLines(keys: 3, flushes: 5, from: Int64(Self.now) - 600)
        try {
            let writer = try StoreWriter(path: path)
            for line in lines { writer.take(Array((line + "\n").utf8)) }
            writer.commit()
            try writer.execute("DROP TABLE change; PRAGMA user_version = 1")
        }()
        #expect(try stored().isEmpty)
        let writer = try StoreWriter(path: path)
        #expect(writer.setAside == nil)
        #expect(writer.add([change("1")]) == nil)
        #expect(try stored() == [change("1")])
        #expect(try StoreReader(path: path).read { try $0.extent().records } == lines.count)
    }

    @Test func limitsAgeAndBytesOfChanges() throws {
        var limits = StoreLimits()
        limits.changeAge = 3600
        limits.bytes = 400_000
        let writer = try StoreWriter(path: path, limits: limits)
        #expect(writer.add([change("old", at: Self.now - 7200), change("new", at: Self.now)]) == nil)
        #expect(try stored().map(\.auditID) == ["new"])
        for batch in 0..<20 {
            let changes = (0..<100).map { change("\(batch)-\($0)", at: Self.now - 1000 + Double(batch)) }
            #expect(writer.add(changes) == nil)
        }
        let kept = try stored()
        // The store has removed only the oldest changes: they may take an eighth of its bytes.
        #expect(kept.count < 300)
        #expect(kept.first?.auditID == "new")
        #expect(kept.dropFirst().allSatisfy { $0.time >= Self.now - 1000 + 16 })
    }

    @Test func truncatesHugeChangeAndCountsOmissions() throws {
        let writer = try StoreWriter(path: path)
        var huge = change("1", differences: 10_000)
        huge.names = (0..<10_000).map { "name-\($0)" }
        #expect(writer.add([huge]) == nil)
        let kept = try #require(try stored().first)
        #expect(kept.names?.count == 100)
        #expect(!kept.changes.isEmpty)
        #expect(kept.changes.count + (kept.moreChanges ?? 0) == 10_000)
    }

    @Test(arguments: [
        "UPDATE change SET fields = 'x'", "UPDATE change SET fields = '{}'", "UPDATE change SET verdicts = '[1]'",
        "DROP TABLE change",
    ])
    func brokenChangesFailReadersButNotWriter(_ sql: String) throws {
        let writer = try StoreWriter(path: path)
        #expect(writer.add([change("1")]) == nil)
        try writer.execute(sql)
        #expect(throws: StoreError.self) { try stored() }
        for line in generatedLines(keys: 1, flushes: 1, from: Int64(Self.now) - 60) {
            writer.take(Array((line + "\n").utf8))
        }
        #expect(writer.commit() == nil)
        #expect(writer.statistics.stored == 1)
    }
}
