import ClusterModel
import Foundation
import Testing

@testable import ClusterSource

/// A source and a server that refuses requests, is unreachable, or comes back.
@Suite struct RefusalTests {
    @Test func doesNotLogShortForbiddenPeriod() async throws {
        let status = try fixture("403-watch-nodes.json")
        let harness = try SourceHarness(times: .short.with { $0.forbiddenNamed = .seconds(5) }) { request in
            request.number <= 2 ? Reply.whole(403, status) : Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
        }
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
        }
        #expect(harness.log.all.isEmpty)
        #expect(harness.pods.restarts == [.forbidden: 2])
    }

    @Test func reportsMissingRightAndItsGrantOnce() async throws {
        let isGranted = Gate()
        let harness = try SourceHarness { request in
            guard isGranted.isOpen else { return Reply.status(403, "Forbidden") }
            return request.isList
                ? Reply.list([], version: "5") : Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
        }
        try await harness.run { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)))
            #expect(!harness.pods.isSynced)
            #expect(harness.pods.isForbidden)
            let count = harness.server.requests.count
            #expect(await eventually { harness.server.requests.count > count + 4 })
            isGranted.open()
            #expect(await eventually { harness.pods.isSynced && !harness.pods.isForbidden })
        }
        let warnings = harness.log.containing("warning")
        #expect(warnings.count == 1)
        for text in [
            "verbs=list, watch", "resource=pods", "group=\"\" (core)", "costs=addresses of pods have no names",
        ] {
            #expect(warnings.first?.contains(text) == true, "\(text)")
        }
        #expect(harness.log.containing("granted").count == 1)
    }

    /// Policies that the server never showed may exist.
    ///
    /// The source reports them as unknown, not as absent, and is not complete before it has reported this.
    @Test(arguments: [(ObjectKind.networkPolicy, true), (.namespace, true), (.serviceAccount, false), (.node, false)])
    func reportsForbiddenPoliciesAsUnknown(kind: ObjectKind, isUnknown: Bool) async throws {
        let isGranted = Gate()
        let harness = try SourceHarness(resources: WatchedResource.all.filter { $0.kind == kind }) { request in
            guard isGranted.isOpen else { return Reply.status(403, "Forbidden") }
            return request.isList
                ? Reply.list([], version: "5") : Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
        }
        let forget = "forget \(kind.rawValue)"
        try await harness.run { harness in
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(60)))
            #expect(Set(harness.observer.log) == (isUnknown ? [forget] : []))
            isGranted.open()
            #expect(await eventually { harness.source.statistics.kinds[kind]?.isSynced == true })
            #expect(harness.observer.log.last == "end \(kind.rawValue)")
        }
        let warnings = harness.log.containing("missing right; going on without it")
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("policies of records are null") == isUnknown)
    }

    @Test func waitsForOverloadedServer() async throws {
        let head = try fixture("429.headers").replacingOccurrences(of: "\r\n", with: "\n").split(separator: "\n")
        let text = try fixture("429-too-many-requests.txt")
        let answer = Array((head.joined(separator: "\r\n") + "\r\n\r\n" + text).utf8)
        let harness = try SourceHarness { request in
            request.number == 1 ? [.bytes(answer)] : Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
        }
        let start = ContinuousClock.now
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
        }
        #expect(ContinuousClock.now - start >= .seconds(1))
        #expect(harness.asked == ["watch-list", "watch-list"])
        #expect(harness.pods.restarts == [.throttled: 1])
        #expect(harness.pods.lastError?.contains("Too many requests") == true)
    }

    @Test(arguments: [
        ("504-list-future-rv.json", 504, RestartReason.tooLarge), ("400-watch-bad-rv.json", 500, .serverError),
    ])
    func discardsVersionRejectedByServer(file: String, code: Int, reason: RestartReason) async throws {
        let status = try fixture(file)
        let harness = try SourceHarness { request in
            if request.isWatch { return Reply.whole(code, status) }
            let end: [Piece] = request.numberOfItsKind == 1 ? [Reply.end] : [.hold]
            return Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)], then: end)
        }
        try await harness.run { harness in
            #expect(await eventually { harness.asked.count == 3 })
        }
        #expect(harness.asked == ["watch-list", "watch 5", "watch-list"])
        #expect(harness.pods.restarts[reason] == 1)
    }

    @Test func rereadsTokenRejectedByServer() async throws {
        let folder = try TemporaryFolder()
        try folder.write("old\n", to: "token")
        let server = try ScriptedServer { request in
            request.headers["authorization"] == "Bearer new"
                ? Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)]) : Reply.status(401, "Unauthorized")
        }
        let kubeconfig = try folder.write(
            """
            clusters: [{name: c, cluster: {server: "http://127.0.0.1:\(server.port)"}}]
            users: [{name: u, user: {tokenFile: token}}]
            contexts: [{name: x, context: {cluster: c, user: u}}]
            current-context: x
            """,
            to: "kubeconfig"
        )
        let log = RecordingLog()
        let source = try KubernetesSource(
            configuration: KubernetesConfiguration(kubeconfig: kubeconfig),
            observer: RecordingObserver(),
            source: SourceID(rawValue: 1),
            userAgent: "weir",
            logger: log.logger,
            resources: SourceHarness.pods,
            times: .short
        )
        try await SourceHarness(server: server, observer: RecordingObserver(), log: log, source: source).run {
            harness in
            #expect(await eventually { log.containing("does not take the credentials").count == 1 })
            try folder.write("new", to: "token")
            #expect(await eventually { harness.pods.isSynced })
        }
        #expect(log.containing("takes the credentials again").count == 1)
        #expect(!log.all.contains { $0.contains("old") || $0.contains("new)") })
    }

    @Test func reportsUnreachableServerOnceAndReconnects() async throws {
        let script: @Sendable (ScriptedServer.Request) -> [Piece] = { request in
            if request.isWatch { return Reply.watch([Text.event("ADDED", Text.pod("b", 8))]) }
            return Reply.watch([Text.event("ADDED", Text.pod("a", 1)), Text.bookmark(5, isInitialEventsEnd: true)])
        }
        let harness = try SourceHarness(script: script)
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
            harness.server.stop()
            #expect(await eventually { harness.pods.restarts[.unreachable] ?? 0 > 5 })
            #expect(harness.observer.objects == ["shop/a@1"])
            #expect(harness.source.statistics.unreachableSince != nil)
            let again = try ScriptedServer(port: harness.server.port, script)
            defer { again.stop() }
            #expect(await eventually { harness.observer.objects == ["shop/a@1", "shop/b@8"] })
            #expect(again.requests.map(\.short) == ["watch 5"])
        }
        #expect(harness.source.statistics.unreachableSince == nil)
        #expect(harness.log.containing("cannot be reached").count == 1)
        #expect(harness.log.containing("connection refused").count == 1)
        #expect(harness.log.containing("is back").count == 1)
    }

    @Test func retriesUnansweredRequestOverNewConnection() async throws {
        let harness = try SourceHarness(times: .short.with { $0.listAnswer = .milliseconds(300) }) { request in
            request.number == 1 ? [.hold] : Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
        }
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
        }
        #expect(harness.server.connections >= 2)
        #expect(harness.pods.restarts == [.unreachable: harness.server.connections - 1])
    }

    /// The activity of a source when it was cancelled.
    enum Activity: String, CaseIterable, Sendable {
        case watching, readingAList, waitingForAnAnswer, connecting, pausing
    }

    @Test(arguments: Activity.allCases) func cancellationEndsSourceAtOnce(_ doing: Activity) async throws {
        let times = KubernetesTimes.short.with { $0.backoff = .seconds(60) }
        let harness = try SourceHarness(times: times) { request in
            switch doing {
            case .watching, .connecting: Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
            case .readingAList: [Reply.head] + Reply.chunks("{\"type\":") + [.hold]
            case .waitingForAnAnswer: [.hold]
            case .pausing: Reply.status(503)
            }
        }
        // Nothing listens at the address of a stopped server.
        if doing == .connecting { harness.server.stop() }
        let task = Task { await harness.source.run() }
        if doing == .watching {
            #expect(await eventually { harness.pods.isSynced })
        } else if doing == .connecting {
            #expect(await eventually { harness.pods.restarts[.unreachable] ?? 0 > 0 })
        } else {
            #expect(await eventually { !harness.server.requests.isEmpty })
        }
        let start = ContinuousClock.now
        task.cancel()
        await task.value
        #expect(ContinuousClock.now - start < .seconds(1))
        harness.server.stop()
    }
}
