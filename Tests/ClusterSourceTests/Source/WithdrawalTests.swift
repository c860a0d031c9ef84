import ClusterModel
import Foundation
import Testing

@testable import ClusterSource

/// A server that no longer shows its objects: rights or credentials are withdrawn, or something else answers.
@Suite struct WithdrawalTests {
    private static let synced = [
        Text.event("ADDED", Text.pod("a", 1)), Text.bookmark(5, isInitialEventsEnd: true),
    ]

    /// The way in which a server refuses objects that it showed before.
    enum Refusal: Int, CaseIterable, Sendable {
        case forbidden = 403
        case unauthorized = 401
    }

    @Test(arguments: Refusal.allCases) func forgetsStaleObjectsAfterRefusal(_ refusal: Refusal) async throws {
        let isWithdrawn = Gate()
        let isGranted = Gate()
        let times = KubernetesTimes.short.with { $0.stale = .milliseconds(400) }
        let harness = try SourceHarness(times: times) { request in
            if isWithdrawn.isOpen, !isGranted.isOpen { return Reply.status(refusal.rawValue) }
            if request.isList { return Reply.list([Text.pod("a", 1)], version: "1") }
            return Reply.watch(Self.synced, then: isWithdrawn.isOpen ? [.hold] : [.wait(isWithdrawn), Reply.end])
        }
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
            let start = ContinuousClock.now
            isWithdrawn.open()
            #expect(await eventually { harness.log.containing("not used any more").count == 1 })
            #expect(ContinuousClock.now - start >= .milliseconds(400))
            #expect(await eventually { harness.observer.objects.isEmpty })
            #expect(harness.observer.log.last == "forget Pod")
            isGranted.open()
            #expect(await eventually { harness.observer.objects == ["shop/a@1"] })
            #expect(await eventually { harness.log.containing("received again and used").count == 1 })
        }
        if refusal == .forbidden {
            #expect(harness.log.containing("right was withdrawn; what was known before is still used").count > 0)
            #expect(harness.log.containing("missing right; going on").isEmpty)
        }
        #expect(harness.log.containing("costs=addresses of pods have no names").count > 0)
    }

    /// The behaviour of a server behind the first refusal.
    enum Delay: CaseIterable, Sendable {
        /// The server continues to refuse, and is queried again a long time later.
        case pause
        /// The server does not answer.
        case answer
        /// The server does not answer requests that would continue from known objects.
        case watch
        /// The server answers with a list, and does not send it.
        case list
    }

    /// The limit also applies while the next attempt is far off, or while the current one does not end.
    @Test(arguments: Delay.allCases) func forgetsStaleObjectsOnTime(_ delay: Delay) async throws {
        let isWithdrawn = Gate()
        let long = Duration.seconds(600)
        let times = KubernetesTimes.short.with {
            $0.stale = .milliseconds(300)
            $0.forbiddenNamed = delay == .watch ? long : .zero
            $0.forbiddenRetry = delay == .pause ? long : .milliseconds(1)
            $0.answer = long
            $0.listAnswer = long
            $0.listIdle = long
            $0.wholeList = long
        }
        let isRefused = Gate()
        let harness = try SourceHarness(times: times) { request in
            guard isWithdrawn.isOpen else { return Reply.watch(Self.synced, then: [.wait(isWithdrawn), Reply.end]) }
            guard isRefused.isOpen, delay != .pause else {
                isRefused.open()
                return Reply.status(403)
            }
            return (delay == .list ? [Reply.head] : []) + [.hold]
        }
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
            let start = ContinuousClock.now
            isWithdrawn.open()
            #expect(await eventually { harness.observer.objects.isEmpty && harness.observer.log.last == "forget Pod" })
            #expect(ContinuousClock.now - start >= .milliseconds(300))
            #expect(await eventually { harness.log.containing("not used any more").count == 1 })
            // The source then requests all objects from the beginning.
            if delay == .watch { #expect(await eventually { harness.asked.suffix(2) == ["watch 5", "list"] }) }
        }
    }

    @Test func keepsObjectsUntilTheyAreStale() async throws {
        let isWithdrawn = Gate()
        let harness = try SourceHarness { _ in
            isWithdrawn.isOpen
                ? Reply.status(403) : Reply.watch(Self.synced, then: [.wait(isWithdrawn), Reply.end])
        }
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
            isWithdrawn.open()
            #expect(await eventually { harness.pods.restarts[.forbidden] ?? 0 > 5 })
            #expect(harness.observer.objects == ["shop/a@1"])
        }
    }

    // MARK: Answers of something else

    struct Answer: Sendable, CustomTestStringConvertible {
        var name: String
        var pieces: [Piece]

        var testDescription: String { name }
    }

    private static let answers: [Answer] = [
        Answer(name: "a page", pieces: Reply.whole(200, "<html>\n<body>Please log in</body>\n</html>\n")),
        Answer(name: "a page without a newline", pieces: Reply.whole(200, "<html>Please log in</html>")),
        Answer(name: "another object", pieces: Reply.whole(200, #"{"kind":"APIVersions","versions":["v1"]}"#)),
        Answer(
            name: "a list of another kind",
            pieces: Reply.whole(200, #"{"kind":"SecretList","metadata":{"resourceVersion":"9"},"items":null}"#)
        ),
        Answer(name: "nothing", pieces: Reply.whole(200, "")),
        Answer(name: "a number", pieces: Reply.whole(200, "42\n")),
        Answer(name: "half an event", pieces: [Reply.head] + Reply.chunks(#"{"type":"ADDED","#) + [.cut]),
    ]

    /// The source logs one warning for all kinds, and retries less often.
    @Test(arguments: answers) func warnsOnceAboutWrongAnswersAndBacksOff(_ answer: Answer) async throws {
        let resources = WatchedResource.all.filter { $0.candidates.contains(where: \.isAlwaysServed) }
        let times = KubernetesTimes.short.with {
            $0.failureNamed = .milliseconds(500)
            $0.longestBackoff = .milliseconds(200)
        }
        let harness = try SourceHarness(resources: resources, times: times) { request in
            request.path.hasPrefix("/apis/discovery") ? Reply.noGroup : answer.pieces
        }
        try await harness.run { harness in
            #expect(await eventually { !harness.log.containing("cannot follow resources").isEmpty })
            let asked = { @Sendable in harness.server.requests.filter { !$0.path.contains("discovery") }.count }
            let count = asked()
            try await Task.sleep(for: .seconds(1))
            // Seven kinds, pauses of 100 to 200 ms.
            #expect(asked() - count <= 7 * 12)
        }
        let warnings = harness.log.containing("warning")
        #expect(warnings.count == 1, "\(warnings)")
        #expect(warnings.first?.contains("pods") == true)
    }

    /// The first resource that gets a valid answer again ends the pauses of all.
    @Test func firstValidAnswerEndsAllPauses() async throws {
        let resources = WatchedResource.all.filter { [.pod, .service].contains($0.kind) }
        let (isSynced, isOver) = (Gate(), Gate())
        let times = KubernetesTimes.short.with {
            $0.backoff = .seconds(600)
            $0.longestBackoff = .seconds(600)
            $0.answer = .seconds(60)
            $0.listAnswer = .seconds(60)
        }
        let harness = try SourceHarness(resources: resources, times: times) { request in
            if request.path == SourceHarness.podsPath {
                let isFirst = request.numberOfItsKind == 1 && request.isWatchList
                return isFirst
                    ? Reply.watch(Self.synced, then: [.wait(isOver), Reply.end]) : Reply.watch(Self.synced)
            }
            if isOver.isOpen {
                return request.isList
                    ? Reply.list([], version: "5") : Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
            }
            return [.wait(isSynced)] + Self.answers[0].pieces
        }
        try await harness.run { harness in
            let services = { @Sendable in harness.source.statistics.kinds[.service] ?? KindStatistics() }
            #expect(await eventually { harness.pods.isSynced })
            isSynced.open()
            #expect(await eventually { services().restarts.values.reduce(0, +) >= 2 })
            isOver.open()
            #expect(await eventually { services().isSynced })
        }
    }

    @Test func reportsThrottlingServerOnceForAllKinds() async throws {
        let resources = WatchedResource.all.filter { $0.candidates[0].isAlwaysServed }
        let isOver = Gate()
        let times = KubernetesTimes.short.with { $0.failureNamed = .milliseconds(300) }
        let harness = try SourceHarness(resources: resources, times: times) { _ in
            isOver.isOpen
                ? Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)]) : Reply.status(429, "TooManyRequests")
        }
        try await harness.run { harness in
            #expect(await eventually { !harness.log.containing("cannot follow resources").isEmpty })
            isOver.open()
            #expect(await eventually { !harness.log.containing("are followed again").isEmpty })
        }
        #expect(harness.log.containing("warning").count == 1)
        #expect(harness.log.containing("followed again").count == 1)
    }

    /// Single bytes keep a connection open, but are no events.
    @Test func abandonsAnswerWithoutProgress() async throws {
        let dribble = (0..<400).flatMap { _ -> [Piece] in
            Reply.chunks(" ") + [.run { Thread.sleep(forTimeInterval: 0.02) }]
        }
        let times = KubernetesTimes.short.with {
            $0.watchSilence = .milliseconds(300)
            $0.listIdle = .milliseconds(300)
        }
        let harness = try SourceHarness(times: times) { request in
            if request.number == 1 { return [Reply.head] + dribble }
            return request.isList ? Reply.list([Text.pod("a", 1)], version: "5") : Reply.watch([])
        }
        let start = ContinuousClock.now
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
        }
        #expect(ContinuousClock.now - start < .seconds(6))
    }

    @Test func abandonsListThatTakesTooLong() async throws {
        let items = (0..<400).flatMap { number -> [Piece] in
            Reply.chunks(Text.pod("p\(number % 50)", 1) + ",") + [.run { Thread.sleep(forTimeInterval: 0.02) }]
        }
        let start: [Piece] = Reply.chunks(#"{"kind":"PodList","metadata":{"resourceVersion":"1"},"items":["#)
        let endless = [Reply.head] + start + items
        let times = KubernetesTimes.short.with { $0.wholeList = .milliseconds(300) }
        let harness = try SourceHarness(times: times) { request in
            if request.isWatchList { return Reply.status(422) }
            if request.isList, request.numberOfItsKind == 1 { return endless }
            return request.isList ? Reply.list([Text.pod("a", 1)], version: "5") : Reply.watch([])
        }
        let begin = ContinuousClock.now
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
            #expect(harness.observer.objects == ["shop/a@1"])
        }
        #expect(ContinuousClock.now - begin < .seconds(6))
    }
}

/// The pause that a server requests.
@Suite struct RetryAfterTests {
    /// 1994-11-06 08:49:37 UTC.
    private static let now = Date(timeIntervalSince1970: 784_111_777)

    @Test(
        arguments: [
            ("0", 0), ("1", 1), (" 120 ", 120), ("301", 300), ("99999999999999999999999", 300),
            ("Sun, 06 Nov 1994 08:50:07 GMT", 30), ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 300), ("-1", nil), ("soon", nil), ("", nil), ("1.5", nil), ("１", nil),
        ] as [(String, Int?)]
    ) func parsesAndBoundsPause(_ text: String, _ seconds: Int?) {
        #expect(RetryAfter.pause(text, now: Self.now) == seconds.map { .seconds($0) })
    }
}
