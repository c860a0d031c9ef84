import Audit
import ClusterModel
import FlowModel
import Synchronization
import Testing

@testable import Agent

/// The change behind a new verdict.
@Suite struct VerdictJoinTests {
    private let board = ChangeBoard()
    private static let web = Endpoint(kind: .workload, name: "web-1", aggregatedName: "web-*", namespace: "shop")
    private static let database = Endpoint(kind: .workload, name: "db-0", aggregatedName: "db-*", namespace: "shop")
    private static let start: Int64 = 1_764_338_400

    private static func hit(_ policy: String, _ action: String, _ rule: Int) -> String {
        "0|default|shop/knp.default.\(policy)|\(action)|\(rule)"
    }

    /// A record of the web's connections to the database, as the database's node sees them.
    private func record(
        _ interval: Int64,
        _ hits: [String],
        _ action: FlowAction = .allow,
        started: UInt64 = 1,
        from source: Endpoint = web,
        port: UInt16 = 5432
    ) -> FlowRecord {
        let trace = PolicyTrace(action: action, enforced: hits, pending: hits)
        return FlowRecord(
            startTime: Self.start + interval * 10,
            endTime: Self.start + interval * 10 + 10,
            level: .podPrefix,
            source: .init(address: nil, port: nil, endpoint: source, labels: nil),
            destination: .init(address: nil, port: port, endpoint: Self.database, labels: nil),
            proto: .tcp,
            action: action,
            reporter: .destination,
            policies: .init(enforced: trace, pending: trace),
            inbound: .zero,
            outbound: .zero,
            flows: .init(total: 3, started: started, completed: 0)
        )
    }

    private func change(
        _ id: String,
        at second: Int64,
        _ resource: String = "networkpolicies",
        _ name: String = "db-allow",
        namespace: String = "shop",
        code: Int = 200
    ) -> AuditChange {
        var event = AuditEvent()
        event.auditID = id
        event.verb = "patch"
        event.user = AuditUser(name: "alice", groups: [])
        event.time = (Self.start + second) * 1_000_000
        event.receivedAt = event.time - 5
        var target = AuditTarget()
        (target.resource, target.namespace, target.name) = (resource, namespace, name)
        target.group = resource == "networkpolicies" ? "networking.k8s.io" : ""
        event.target = target
        var status = AuditStatus()
        status.code = code
        event.status = status
        var change = AuditChange(event)
        change.basis = .compared
        change.changes = [ObjectChange(path: "label app", before: "a", after: "b")]
        return change
    }

    /// Returns the causes in the records of intervals.
    @discardableResult
    private func run(_ join: inout VerdictJoin, _ records: [FlowRecord]) -> [[String]?] {
        join.beginFlush()
        defer { join.endFlush() }
        return records.map { join.note($0)?.texts }
    }

    private let allowed = [hit("db-allow", "allow", 0)]
    private let denied = [hit("db-allow", "deny", -1)]

    @Test func firstRecordsUnderNewRuleNamePolicyChange() throws {
        var join = VerdictJoin(board)
        for interval in 0..<3 { #expect(run(&join, [record(Int64(interval), allowed)]) == [nil]) }
        board.add([change("made", at: 34), change("failed", at: 35, code: 409)])
        let made = ["made", "NetworkPolicy shop/db-allow", "alice"]
        // Connections of before the change, and two records of those behind it.
        let records = [record(3, allowed), record(3, denied, .deny), record(3, denied, .deny)]
        #expect(run(&join, records) == [nil, made, made])
        for interval in 4..<20 { #expect(run(&join, [record(Int64(interval), denied, .deny, started: 2)]) == [nil]) }
        let (key, verdicts) = try #require(board.takeChanged().first)
        #expect(key == ChangeKey(auditID: "made", receivedAt: (Self.start + 34) * 1_000_000 - 5))
        let verdict = try #require(verdicts.first)
        #expect(verdicts.count == 1)
        #expect((verdict.source, verdict.dest, verdict.port) == ("shop/web-*", "shop/db-*", "5432/tcp"))
        #expect((verdict.before, verdict.after, verdict.isLikely) == ("allow", "deny", false))
        #expect((verdict.ruleBefore, verdict.rule) == (allowed[0], denied[0]))
        // Six of the first interval, and two of each of the next five.
        #expect(verdict.connections == 16)
        #expect(verdict.time == Self.start + 40)
        #expect(board.takeChanged().isEmpty)
    }

    private static func policy(_ version: String, _ manager: String = "kubectl-edit", at second: Int64) -> ClusterObject
    {
        let write = LastWrite(manager: manager, operation: "Update", time: start + second)
        return .networkPolicy(
            NetworkPolicy(
                metadata: ObjectMetadata(
                    name: "db-allow",
                    namespace: "shop",
                    uid: "u",
                    resourceVersion: version,
                    lastWrite: write
                ),
                spec: NetworkPolicySpec()
            )
        )
    }

    /// Without an audit log, a new version of an object is the evidence of its change.
    @Test func changedObjectIsLikelyCause() throws {
        let api = SourceID(rawValue: 0)
        let now = { (second: Int64) in (Self.start + second) * 1_000_000 }
        var seen = SeenChanges()
        let listing: [ClusterChange] = [
            .beginReplace(.networkPolicy), .upsert(Self.policy("7", at: -500)), .endReplace(.networkPolicy),
        ]
        #expect(seen.note(listing, from: api, at: now(0)).isEmpty)
        seen.isComplete = true
        // The same list again is no change.
        #expect(seen.note(listing, from: api, at: now(1)).isEmpty)
        let edited = seen.note([.upsert(Self.policy("8", at: 34))], from: api, at: now(35))
        board.add(seen: edited)
        var join = VerdictJoin(board)
        run(&join, [record(2, allowed)])
        let expected = [
            "resourceVersion=8", "NetworkPolicy shop/db-allow", "manager=kubectl-edit operation=Update", "likely",
        ]
        #expect(run(&join, [record(3, denied, .deny)]) == [expected])
        // The change gets a record of its own when no log had the request for some time.
        #expect(board.takeChanged().isEmpty)
        #expect(board.takeSeen(foundBefore: .now - ChangeBoard.patience).isEmpty)
        let (made, verdicts) = try #require(board.takeSeen(foundBefore: .now).first)
        #expect(board.takeSeen(foundBefore: .now).isEmpty)
        #expect(
            made.summary == "manager=kubectl-edit operation=Update updated NetworkPolicy shop/db-allow: seen in the "
                + "object (resourceVersion=8); no audit log here has the request"
        )
        #expect(verdicts.map(\.isLikely) == [true] && verdicts.first?.after == "deny")
        // A log that comes later has the request.
        run(&join, [record(4, denied, .deny)])
        board.add([change("made", at: 34)])
        #expect(board.takeSeen(foundBefore: .now).isEmpty)
        let changed = board.takeChanged()
        #expect(changed.map(\.change.auditID) == ["made"])
        #expect(changed.first?.verdicts.first?.isLikely == false)
    }

    private final class Sink: AuditChangeSink {
        let texts = Mutex<[String]>([])

        func take(_ changes: [AuditChange]) -> Bool {
            texts.withLock { $0 += changes.map(\.event.auditID) }
            return true
        }

        func take(_ verdicts: [VerdictChange], of change: ChangeKey) -> Bool {
            texts.withLock { $0 += verdicts.map { "\(change.auditID): \($0.before) → \($0.after)" } }
            return true
        }
    }

    @Test func storesChangesSeenInObjectsAtEndOfRun() throws {
        let api = SourceID(rawValue: 0)
        var seen = SeenChanges()
        _ = seen.note([.upsert(Self.policy("7", at: 0))], from: api, at: Self.start * 1_000_000)
        seen.isComplete = true
        board.add(seen: seen.note([.upsert(Self.policy("8", at: 14))], from: api, at: (Self.start + 15) * 1_000_000))
        var join = VerdictJoin(board)
        run(&join, [record(0, allowed)])
        run(&join, [record(1, denied, .deny)])
        let sink = Sink()
        let feed = try SeenChangeFeed(board, [sink])
        feed.finish()
        #expect(sink.texts.withLock { $0 } == ["resourceVersion=8", "resourceVersion=8: allow → deny"])
    }

    /// An API server sends its events to a webhook seconds later than its objects to a watch.
    @Test func prefersLaterObjectChangeToEarlierLogEntry() throws {
        let api = SourceID(rawValue: 0)
        var seen = SeenChanges()
        let listing: [ClusterChange] = [
            .beginReplace(.networkPolicy), .upsert(Self.policy("7", at: 5)), .endReplace(.networkPolicy),
        ]
        _ = seen.note(listing, from: api, at: Self.start * 1_000_000)
        seen.isComplete = true
        board.add([change("early", at: 5)])
        board.add(seen: seen.note([.upsert(Self.policy("8", at: 34))], from: api, at: (Self.start + 35) * 1_000_000))
        var join = VerdictJoin(board)
        run(&join, [record(2, allowed)])
        let expected = [
            "resourceVersion=8", "NetworkPolicy shop/db-allow", "manager=kubectl-edit operation=Update", "likely",
        ]
        #expect(run(&join, [record(3, denied, .deny)]) == [expected])
        #expect(board.takeChanged().isEmpty)
        board.add([change("late", at: 34)])
        #expect(board.takeChanged().map(\.change.auditID) == ["late"])
    }

    @Test func recognizesDeletedObjectsAndNamespaceLabels() throws {
        let api = SourceID(rawValue: 0)
        var seen = SeenChanges()
        let namespace = { (version: String, label: String) -> ClusterChange in
            let labels = [Label(key: "env", value: label)]
            let metadata = ObjectMetadata(name: "shop", uid: "n", labels: labels, resourceVersion: version)
            return .upsert(.namespace(Namespace(metadata: metadata)))
        }
        _ = seen.note([namespace("1", "a"), .upsert(Self.policy("2", at: 0))], from: api, at: 1)
        seen.isComplete = true
        #expect(seen.note([namespace("3", "a")], from: api, at: 2).isEmpty)
        let relabelled = try #require(seen.note([namespace("4", "b")], from: api, at: 3_000_000).first)
        #expect((relabelled.object, relabelled.user, relabelled.time) == ("Namespace shop", "", 3_000_000))
        // A new list without the policy.
        let gone = seen.note([.beginReplace(.networkPolicy), .endReplace(.networkPolicy)], from: api, at: 4)
        #expect(gone.map(\.key.auditID) == ["deleted after resourceVersion=2"])
        let again = ObjectReference(kind: .networkPolicy, namespace: "shop", name: "db-allow")
        #expect(seen.note([.delete(again, uid: "u")], from: api, at: 5).isEmpty)
    }

    @Test func linksLogEntryThatArrivesAfterRecords() throws {
        var join = VerdictJoin(board)
        run(&join, [record(0, allowed)])
        #expect(run(&join, [record(1, denied, .deny)]) == [nil])
        #expect(board.takeChanged().isEmpty)
        board.add([change("late", at: 12)])
        let (key, verdicts) = try #require(board.takeChanged().first)
        #expect(key.auditID == "late")
        #expect(verdicts.first?.connections == 3)
    }

    /// The change, and whether it is a certain cause, a likely one, or none.
    @Test(
        arguments: [
            ("networkpolicies", "db-allow", "shop", 12, "certain"), ("networkpolicies", "other", "shop", 12, "likely"),
            ("networkpolicies", "db-allow", "bank", 12, "none"), ("namespaces", "shop", "", 12, "likely"),
            ("namespaces", "bank", "", 12, "none"), ("pods", "web-7", "shop", 12, "likely"),
            ("pods", "api-7", "shop", 12, "none"), ("pods", "web-7", "bank", 12, "none"),
            ("services", "db", "shop", 12, "likely"), ("networksets", "db", "shop", 12, "none"),
            ("leases", "db-allow", "shop", 12, "none"), ("stagednetworkpolicies", "x", "shop", 12, "none"),
            // Before the last interval under the old rule, and behind the first under the new one.
            ("networkpolicies", "other", "shop", -10, "none"), ("networkpolicies", "db-allow", "shop", 30, "none"),
            // Enforced late: by a policy that is named, it is likely.
            ("networkpolicies", "db-allow", "shop", -30, "likely"),
            ("networkpolicies", "db-allow", "shop", -90, "none"),
        ] as [(String, String, String, Int64, String)]
    )
    func classifiesPossibleCauses(
        _ resource: String,
        _ name: String,
        _ namespace: String,
        _ second: Int64,
        _ expected: String
    ) {
        var join = VerdictJoin(board)
        run(&join, [record(0, allowed)])
        board.add([change("1", at: second, resource, name, namespace: namespace)])
        let texts = run(&join, [record(1, denied, .deny)])[0]
        let found = texts.map { $0.count == 3 ? "certain" : $0[3] } ?? "none"
        #expect(found == expected, "\(texts ?? [])")
    }

    @Test func prefersChangeOfPolicyInRule() {
        var join = VerdictJoin(board)
        run(&join, [record(0, allowed)])
        board.add([change("policy", at: 11), change("namespace", at: 12, "namespaces", "shop", namespace: "")])
        let expected = ["policy", "NetworkPolicy shop/db-allow", "alice", "likely"]
        #expect(run(&join, [record(1, denied, .deny)]) == [expected])
    }

    /// Without a change of the cluster no record is linked, whatever its trace; traces that alternate are nothing new.
    @Test func leavesRecordsWithoutChangeUnlinked() {
        var join = VerdictJoin(board)
        board.add([change("refused", at: 11, code: 403)])
        for interval in 0..<10 {
            let hits = interval % 2 == 0 ? allowed : [Self.hit("web-allow", "allow", interval)]
            #expect(run(&join, [record(Int64(interval), hits)]) == [nil])
        }
        #expect(board.takeChanged().isEmpty)
        // Connections that go on keep the rule of their beginning.
        board.add([change("made", at: 101)])
        #expect(run(&join, [record(10, denied, started: 0)]) == [nil])
    }

    /// A port scan, or a workload that makes pods without end, hides no other change.
    @Test func busyWorkloadDoesNotDisplaceOthers() {
        var join = VerdictJoin(board)
        let scanner = Endpoint(kind: .workload, name: "x", aggregatedName: "scanner-*", namespace: "shop")
        run(&join, (0..<40_000).map { record(0, allowed, from: scanner, port: UInt16($0)) })
        #expect(join.skipped == 40_000 - UInt64(VerdictJoin.mostOfOne))
        run(&join, [record(1, allowed)])
        board.add([change("made", at: 22)])
        board.add((0..<1000).map { change("pod-\($0)", at: 23, "pods", "x-\($0)", namespace: "other") })
        #expect(run(&join, [record(2, denied, .deny)])[0]?.first == "made")
    }

    @Test func skipsPairsBeyondLimit() {
        var join = VerdictJoin(board)
        for batch in 0..<40 {
            let records = (0..<1000).map { index in
                let source = Endpoint(
                    kind: .workload,
                    name: "x",
                    aggregatedName: "\(batch)-\(index)",
                    namespace: "shop"
                )
                return record(Int64(batch), allowed, from: source)
            }
            run(&join, records)
        }
        #expect(join.skipped == 40_000 - UInt64(VerdictJoin.limit))
        // After an hour, quiet pairs have made room.
        for interval in 40..<120 { run(&join, [record(Int64(interval), allowed)]) }
        let before = join.skipped
        run(&join, [record(120, allowed, from: Self.database)])
        #expect(join.skipped == before)
    }

    /// Verdicts that change beyond the limits of an interval are counted, and a workload with many of them takes no room of
    /// others.
    @Test func countsVerdictsBeyondLimitOfInterval() {
        var join = VerdictJoin(board)
        let ports = UInt16(1)...1000
        func records(_ interval: Int64, _ hits: [String], _ action: FlowAction) -> [FlowRecord] {
            ports.map { record(interval, hits, action, port: $0) } + [
                record(interval, hits, action, from: Self.database)
            ]
        }
        run(&join, records(0, allowed, .allow))
        #expect(join.skipped == 0)
        board.add([change("made", at: 12)])
        let causes = run(&join, records(1, denied, .deny))
        #expect(join.skipped == 1000 - UInt64(VerdictJoin.mostShiftsOfOne))
        #expect(causes.last??.first == "made")
        #expect(causes.compactMap(\.self).count == VerdictJoin.mostShiftsOfOne + 1)
    }

    @Test func skipsGroupsBeyondLimit() {
        var join = VerdictJoin(board)
        func records(_ interval: Int64, _ hits: [String]) -> [FlowRecord] {
            (0..<VerdictJoin.mostShifts + 88).map { group in
                let source = Endpoint(kind: .workload, name: "x", aggregatedName: "x-\(group)", namespace: "shop")
                return record(interval, hits, from: source)
            }
        }
        run(&join, records(0, allowed))
        run(&join, records(1, denied))
        #expect(join.skipped == 88)
    }
}
