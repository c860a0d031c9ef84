import Audit
import Testing

/// The summaries and differences of changes.
@Suite struct AuditChangeTests {
    @Test func summarizesRecordedChanges() throws {
        var reader = ChangeReader()
        var join = AuditJoin()
        var summaries: [String] = []
        for line in try Fixture.lines("writes.log") {
            let event = try AuditEvent(in: line.span, 0..<line.count)
            let isNew = join.take(event)
            #expect(isNew)
            let change = reader.change(event, in: line.span)
            summaries.append(try #require(change).summary)
        }
        #expect(summaries.count == 120)
        for summary in [
            "kubernetes-admin patched Namespace shop: label env prod → staging",
            "kubernetes-admin patched Namespace monitoring: annotation owner added",
            "kubernetes-admin patched NetworkPolicy payments/vault-from-cart: ingress[0].ports pg → 5432",
            "kubernetes-admin deleted NetworkPolicy payments/default-deny: podSelector removed: all; policyTypes removed: "
                + "Ingress, Egress",
        ] {
            #expect(summaries.filter { $0 == summary }.count == 1, "\(summary)")
        }
        #expect(summaries.allSatisfy { !$0.contains("not of this level") })
    }

    /// A spec before and after, and the differences.
    private static let specs: [(String, String, [String])] = [
        (
            #"{"ingress":[{"ports":[{"port":5432}]}]}"#, #"{"ingress":[{"ports":[{"port":5433}]}]}"#,
            [
                "ingress[0].ports 5432 → 5433"
            ]
        ),
        (#"{"podSelector":{"matchLabels":{"app":"a"}}}"#, #"{"podSelector":{}}"#, ["podSelector app=a → all"]),
        (#"{"policyTypes":["Ingress"]}"#, #"{"policyTypes":["Ingress","Egress"]}"#, ["policyTypes added: Egress"]),
        (#"{"ingress":[]}"#, #"{"ingress":[{}]}"#, ["ingress[0] added: any peer, all ports"]),
        (
            #"{"ingress":[{"from":[{"podSelector":{"matchLabels":{"a":"1"}}}]},{"ports":[{"port":80}]}]}"#,
            #"{"ingress":[{"ports":[{"port":80},{"port":53,"protocol":"UDP"}]}]}"#,
            ["ingress[0] removed: from pods a=1, all ports", "ingress[0].ports 80 → 80, UDP 53"]
        ),
        (
            #"{"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8"}}],"ports":[{"port":1,"endPort":9}]}]}"#,
            #"{"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16"]}}],"ports":[{"port":1,"endPort":9}]}]}"#,
            ["ingress[0].from removed: 10.0.0.0/8", "ingress[0].from added: 10.0.0.0/8 except 10.1.0.0/16"]
        ),
        (
            #"{"order":100,"selector":"app == 'a'"}"#, #"{"order":50,"selector":"app == 'b'"}"#,
            [
                "order 100 → 50", "selector app == 'a' → app == 'b'",
            ]
        ),
        (
            #"{"egress":[{"action":"Allow","destination":{"ports":[53]}},{"action":"Deny"}]}"#,
            #"{"egress":[{"action":"Deny"},{"action":"Allow","destination":{"ports":[53]}}]}"#,
            ["egress: order of rules changed"]
        ),
        (
            #"{"egress":[{"action":"Deny"}]}"#,
            #"{"egress":[{"action":"Allow","protocol":"UDP","destination":{"ports":[53]}},{"action":"Deny"}]}"#,
            ["egress[0] added: Allow UDP to ports 53"]
        ),
        (
            #"{"nets":["10.0.0.0/8","192.0.2.1/32"]}"#, #"{"nets":["192.0.2.1/32","198.51.100.0/24"]}"#,
            [
                "nets removed: 10.0.0.0/8", "nets added: 198.51.100.0/24",
            ]
        ),
        (
            #"{"template":{"env":[{"name":"P","value":"a"}]}}"#, #"{"template":{"env":[{"name":"P","value":"b"}]}}"#,
            [
                "template.env (not shown) → (not shown)"
            ]
        ),
        (#"{"ingress":[{"ports":[{"port":1}]}]}"#, #"{"ingress":[{"ports":[{"port":1}]}]}"#, []),
    ]

    @Test(arguments: 0..<12) func reportsDifferencesOfSpecs(_ index: Int) throws {
        let (before, after, expected) = Self.specs[index]
        let first = Line(verb: "create", code: 201, answered: policy(before))
        let change = try Line(verb: "update", answered: policy(after, version: 2)).change(after: [first])
        #expect(change.basis == .compared)
        #expect(change.changes.map(\.description) == expected)
        if expected.isEmpty { #expect(change.summary == "alice updated NetworkPolicy shop/db: no difference") }
    }

    @Test func reportsLabelsFirst() throws {
        let first = Line(verb: "create", answered: policy("{}", labels: #"{"a":"1","b":"2"}"#))
        let change = try Line(answered: policy("{}", version: 2, labels: #"{"a":"3","c":"4"}"#)).change(after: [first])
        #expect(change.changes.map(\.description) == ["label a 1 → 3", "label b removed: 2", "label c added: 4"])
    }

    @Test func reportsPatchAsSentWithoutEarlierState() throws {
        let patch = try Line(
            sent:
                #"[{"op":"replace","path":"/spec/ingress/0/ports/0/port","value":5432},{"op":"remove","path":"/metadata/labels/a~1b"}]"#,
            answered: policy("{}")
        ).change()
        #expect(patch.basis == .sent)
        #expect(
            patch.changes.map(\.description) == ["ingress[0].ports[0].port added: 5432", "metadata.labels.a/b removed"]
        )
        #expect(try Line(verb: "update", answered: policy("{}")).change().basis == .nothing)
    }

    @Test func requestWithoutObjectsInvalidatesState() throws {
        let lines = [Line(verb: "create", answered: policy(#"{"order":1}"#)), Line(verb: "update")]
        let change = try Line(verb: "update", answered: policy(#"{"order":2}"#, version: 3)).change(after: lines)
        #expect(change.changes.isEmpty)
    }

    @Test(
        arguments: [
            (Line(code: 403), "alice was denied to patch NetworkPolicy shop/db: nothing changed (403)"),
            (Line(code: 409), "alice could not patch NetworkPolicy shop/db: conflict, nothing changed (409)"),
            (Line(code: 422), "alice failed to patch NetworkPolicy shop/db: nothing changed (422)"),
            (
                Line(uri: "/x?dryRun=All", answered: policy(#"{"order":9}"#, version: 2)),
                "alice tried out to patch NetworkPolicy shop/db: dry run, nothing changed: order 1 → 9"
            ),
        ] as [(Line, String)]
    )
    func summarizesRequestsThatChangedNothing(_ line: Line, _ summary: String) throws {
        let first = Line(verb: "create", answered: policy(#"{"order":1}"#))
        #expect(try line.change(after: [first]).summary == summary)
        let after = try Line(answered: policy(#"{"order":2}"#, version: 3)).change(after: [first, line])
        #expect(after.changes.map(\.description) == ["order 1 → 2"])
    }

    /// A policy that is to be deleted.
    private func dying(_ finalizers: String, version: Int, grace: String = "") -> String {
        policy(#"{"order":1}"#, version: version).replacing(
            #""labels":{}"#,
            with: #""labels":{},"deletionTimestamp":"2026-11-28T14:00:00Z","finalizers":\#(finalizers)\#(grace)"#
        )
    }

    @Test func keepsDeletedObjectUntilFinalizersAreRemoved() throws {
        let made = Line(verb: "create", answered: policy(#"{"order":1}"#))
        let asked = Line(verb: "delete", answered: dying(#"["a/b","c/d"]"#, version: 2))
        let marked = try asked.change(after: [made])
        #expect(
            marked.summary
                == "alice asked to delete NetworkPolicy shop/db: it stays until its finalizers are removed: a/b, c/d"
        )
        #expect(marked.remaining == ["db"] && !marked.isRemoval && marked.state?.contains("deletionTimestamp") == true)
        // One of two is removed: that deletes nothing, and the differences are those of an update.
        let one = Line(answered: dying(#"["c/d"]"#, version: 3))
        let half = try one.change(after: [made, asked])
        #expect(half.changes.map(\.description) == ["finalizers removed: a/b"])
        #expect(!half.isRemoval && half.state != nil)
        let last = try Line(answered: dying("[]", version: 4)).change(after: [made, asked, one])
        #expect(last.summary.hasPrefix("alice removed the last finalizer of NetworkPolicy shop/db, which deleted it: "))
        #expect(last.summary.hasSuffix("; order removed: 1"))
        #expect(last.isRemoval && last.remaining.isEmpty && last.state == nil)
        // The same holds without an earlier state in the log, but not in a dry run or while a grace period lasts.
        #expect(try Line(answered: dying("[]", version: 4)).change().isRemoval)
        #expect(try !Line(uri: "/x?dryRun=All", answered: dying("[]", version: 4)).change().isRemoval)
        #expect(
            try !Line(answered: dying("[]", version: 4, grace: #","deletionGracePeriodSeconds":30"#)).change().isRemoval
        )
        // Without finalizers the deletion takes effect at once.
        let gone = try Line(verb: "delete", answered: #"{"kind":"Status","metadata":{}}"#).change(after: [made])
        #expect(gone.remaining.isEmpty && gone.summary.hasPrefix("alice deleted NetworkPolicy shop/db"))
    }

    @Test func readsFinalizersInSpecOfNamespace() throws {
        func namespace(_ finalizers: String) -> String {
            #"{"kind":"Namespace","metadata":{"name":"shop","deletionTimestamp":"x"},"spec":{"finalizers":\#(finalizers)}}"#
        }
        func line(_ verb: String, _ part: String, _ finalizers: String) -> Line {
            Line(
                verb: verb,
                resource: "namespaces",
                group: "",
                namespace: "shop",
                name: "shop",
                subresource: part,
                answered: namespace(finalizers)
            )
        }
        let asked = try line("delete", "", #"["kubernetes"]"#).change()
        #expect(
            asked.summary
                == "alice asked to delete Namespace shop: it stays until its finalizers are removed: kubernetes"
        )
        #expect(try line("update", "finalize", "[]").change().isRemoval)
        #expect(try !line("update", "status", #"["kubernetes"]"#).change().isRemoval)
    }

    @Test func collectionKeepsObjectsWithFinalizers() throws {
        let list = """
            {"kind":"NetworkPolicyList","items":[{"metadata":{"name":"a","finalizers":["x/y"]}},{"metadata":{"name":"b"}},\
            {"metadata":{"finalizers":7,"name":"c"}}]}
            """
        let change = try Line(verb: "deletecollection", name: "", answered: list).change()
        #expect(change.names == ["a", "b", "c"] && change.remaining == ["a"])
        #expect(change.summary.hasSuffix(": a, b, c; until finalizers are removed there stay: a"))
        var report = PolicyAuditReport()
        let isCounted = report.add(change)
        #expect(isCounted && report.deleted == 2)
    }

    @Test func countsDeletedPolicyOnce() throws {
        var (report, reader) = (PolicyAuditReport(), ChangeReader())
        for line in [
            Line(verb: "create", code: 201, answered: policy("{}")),
            Line(verb: "delete", answered: dying(#"["a/b"]"#, version: 2)), Line(answered: dying("[]", version: 3)),
        ] {
            let bytes = line.bytes
            let change = reader.change(try line.event(), in: bytes.span)
            _ = report.add(try #require(change))
        }
        #expect((report.created, report.modified, report.deleted) == (1, 0, 1))
    }

    @Test func summarizesPanicsSubresourcesAndImpersonation() throws {
        let panic = Line(stage: "Panic", verb: "delete", code: 500)
        #expect(try panic.change().summary.hasSuffix("the API server crashed, the outcome is unknown"))
        let binding = Line(
            verb: "create",
            resource: "pods",
            group: "",
            name: "web",
            subresource: "binding",
            code: 201,
            sent: #"{"target":{"kind":"Node","name":"node-a"}}"#
        )
        #expect(try binding.change().summary == "alice created binding of Pod shop/web: node added: node-a")
        let impersonated = Line(verb: "delete", more: #""impersonatedUser":{"username":"bob"},"#)
        #expect(try impersonated.change().summary == "alice as bob deleted NetworkPolicy shop/db")
        let calico = Line(verb: "delete", group: "projectcalico.org")
        #expect(try calico.change().summary == "alice deleted Calico NetworkPolicy shop/db")
    }

    /// Server-side apply creates a missing object by a patch (201).
    @Test func patchCreatesMissingObject() throws {
        let sent = policy(#"{"order":1}"#)
        let applied = try Line(code: 201, sent: sent, answered: sent).change()
        #expect(applied.summary == "alice created NetworkPolicy shop/db: order added: 1")
        #expect(applied.basis == .compared)
        let again = try Line(sent: sent, answered: policy(#"{"order":2}"#, version: 2))
            .change(after: [Line(code: 201, sent: sent, answered: sent)])
        #expect(again.summary == "alice patched NetworkPolicy shop/db: order 1 → 2")
        var report = PolicyAuditReport()
        #expect(report.add(applied) && report.add(again))
        #expect((report.created, report.modified) == (1, 1))
    }

    private static func pod(_ labels: String, _ version: Int) -> String {
        #"{"kind":"Pod","metadata":{"name":"web","uid":"u","resourceVersion":"\#(version)","labels":\#(labels)}}"#
    }

    private static func part(_ name: String, _ verb: String = "patch", sent: String? = nil, answered: String? = nil)
        -> Line
    {
        Line(verb: verb, resource: "pods", group: "", name: "web", subresource: name, sent: sent, answered: answered)
    }

    /// An API server also accepts labels with a status and with a binding.
    @Test func podSubresourcesConcernPoliciesIfLabelsChange() throws {
        let first = Line(
            verb: "create",
            resource: "pods",
            group: "",
            name: "web",
            code: 201,
            answered: Self.pod(#"{"app":"a"}"#, 1)
        )
        let labels = try Self.part("status", answered: Self.pod(#"{"app":"b"}"#, 2)).change(after: [first])
        #expect(labels.summary == "alice patched status of Pod shop/web: label app a → b")
        #expect(labels.concernsPolicies)
        let heartbeat = try Self.part("status", answered: Self.pod(#"{"app":"a"}"#, 2)).change(after: [first])
        #expect(!heartbeat.concernsPolicies)
        let binding = #"{"metadata":{"labels":{"zone":"x"}},"target":{"name":"n1"}}"#
        let bound = try Self.part("binding", "create", sent: binding).change(after: [first])
        #expect(bound.changes.map(\.description) == ["node added: n1", "label zone added: x"])
        #expect(bound.concernsPolicies)
        #expect(try Self.part("eviction", "create", sent: "{}").change().concernsPolicies)
        #expect(try !Self.part("exec", "create").change().concernsPolicies)
    }

    @Test func readsGeneratedNameFromAnswer() throws {
        let line = Line(
            verb: "create",
            resource: "pods",
            group: "",
            name: "",
            answered: #"{"kind":"Pod","metadata":{"name":"web-x1"}}"#
        )
        #expect(try line.change().summary == "alice created Pod shop/web-x1")
    }

    @Test func reportsNamesOfDeletedCollection() throws {
        let items = ["db", "web"].map { policy("{}", name: $0) }.joined(separator: ",")
        let list = Line(verb: "deletecollection", name: "", answered: #"{"kind":"List","items":[\#(items)]}"#)
        let change = try list.change()
        #expect(change.summary == "alice deleted 2 objects of NetworkPolicy in shop: db, web")
        let later = try Line(answered: policy("{}", version: 9)).change(after: [
            Line(verb: "create", answered: policy("{}")), list,
        ])
        #expect(later.basis == .nothing)
    }

    @Test func doesNotCompareLateAnswerWithNewerState() throws {
        let lines = [
            Line(verb: "create", answered: policy(#"{"order":1}"#)),
            Line(answered: policy(#"{"order":3}"#, version: 30)),
        ]
        let late = Line(id: "late", sent: #"{"spec":{"order":2}}"#, answered: policy(#"{"order":2}"#, version: 20))
        #expect(try late.change(after: lines).basis == .sent)
        let next = try Line(answered: policy(#"{"order":4}"#, version: 40)).change(after: lines + [late])
        #expect(next.changes.map(\.description) == ["order 3 → 4"])
    }

    @Test func limitsHistory() throws {
        var reader = ChangeReader(history: ObjectHistory(limit: 10_000))
        for index in 0..<1000 {
            let line = Line(verb: "create", name: "p\(index)", answered: policy("{}", name: "p\(index)"))
            _ = reader.change(try line.event(), in: line.bytes.span)
        }
        let old = Line(name: "p1", answered: policy(#"{"order":1}"#, version: 2, name: "p1"))
        let new = Line(name: "p999", answered: policy(#"{"order":1}"#, version: 2, name: "p999"))
        let forgotten = reader.change(try old.event(), in: old.bytes.span)
        #expect(forgotten?.basis == .nothing)
        let known = reader.change(try new.event(), in: new.bytes.span)
        #expect(known?.basis == .compared)
    }
}

/// Stages of requests.
@Suite struct AuditJoinTests {
    private func take(_ line: Line, _ join: inout AuditJoin) throws -> Bool { join.take(try line.event()) }

    @Test func joinsStagesAndDropsRepetitions() throws {
        var join = AuditJoin()
        #expect(try take(Line(stage: "RequestReceived", code: 0), &join) == false)
        #expect(join.unfinished.count == 1)
        #expect(try take(Line(), &join) == true)
        #expect(join.unfinished.isEmpty)
        #expect(try take(Line(), &join) == false)
        #expect(join.repeated == 1)
    }

    /// Clients choose the ID (header Audit-ID).
    @Test func keepsEventWithReusedAuditID() throws {
        var join = AuditJoin()
        #expect(try take(Line(), &join))
        #expect(try take(Line(verb: "delete", received: "2026-11-28T14:00:00.000002Z"), &join))
    }

    @Test func forgetsRequestsThatNeverEnd() throws {
        var join = AuditJoin()
        for index in 0..<AuditJoin.limit + 5 {
            #expect(try !take(Line(id: "\(index)", stage: "RequestReceived", code: 0), &join))
        }
        #expect(join.forgotten == 5)
        #expect(join.unfinished.count == AuditJoin.limit)
    }

    @Test func keepsStateOnlyOfPolicyObjects() throws {
        let object = policy(#"{"podSelector":{}}"#)
        #expect(try Line(answered: object).change().state == object)
        #expect(try Line(verb: "create", code: 201, sent: object).change().state == object)
        #expect(try Line(verb: "delete", answered: object).change().state == nil)
        #expect(try Line(code: 409, sent: object, answered: object).change().state == nil)
        #expect(try Line(subresource: "status", answered: object).change().state == nil)
        #expect(try Line(resource: "pods", group: "", answered: object).change().state == nil)
        // A patch sends only a part of the object.
        #expect(try Line(sent: object).change().state == nil)
        let long = policy(#"{"podSelector":{"matchLabels":{"a":"\#(String(repeating: "x", count: 40_000))"}}}"#)
        #expect(try Line(answered: long).change().state == nil)
    }
}
