import ClusterModel
import Foundation
import Testing

@testable import ClusterSource

/// A source and a scripted server: lists, watches, and how they end.
@Suite struct FollowingTests {
    /// Answers watch-lists like a server that has none.
    private static func withoutWatchLists(
        _ script: @escaping @Sendable (ScriptedServer.Request) -> [Piece]
    ) -> @Sendable (ScriptedServer.Request) -> [Piece] {
        { request in request.isWatchList ? Reply.status(422, "Invalid") : script(request) }
    }

    @Test(arguments: [1, 7, 100, 100_000]) func beginsWithAWatchList(chunk: Int) async throws {
        let lines = [
            Text.event("ADDED", Text.pod("a", 5)), Text.event("ADDED", Text.pod("b", 3)),
            Text.bookmark(9, isInitialEventsEnd: true), Text.event("MODIFIED", Text.pod("a", 10)),
            Text.event("DELETED", Text.pod("b", 11)), Text.bookmark(20),
        ]
        let harness = try SourceHarness { request in
            guard request.isWatchList else { return Reply.watch([]) }
            return [Reply.head] + Reply.chunks(lines.joined(separator: "\n") + "\n", of: chunk) + [Reply.end]
        }
        try await harness.run { harness in
            #expect(await eventually { harness.asked.count == 2 })
            #expect(harness.asked == ["watch-list", "watch 20"])
            #expect(await harness.source.waitUntilSynced(timeout: .seconds(1)))
        }
        #expect(harness.observer.log == ["begin Pod", "+shop/a@5", "+shop/b@3", "end Pod", "+shop/a@10", "-shop/b"])
        #expect(harness.observer.objects == ["shop/a@10"])
        #expect(harness.pods.listedObjects == 2)
        #expect(harness.pods.events == 4)
        #expect(harness.pods.restarts == [.ended: 1])
    }

    @Test func fallsBackToPagedListAndWatch() async throws {
        let harness = try SourceHarness(
            script: Self.withoutWatchLists { request in
                guard request.isList else { return Reply.watch([Text.event("ADDED", Text.pod("d", 31))]) }
                switch request.query["continue"] {
                case nil: return Reply.list([Text.pod("a", 1), Text.pod("b", 2)], version: "30", token: "a/+=")
                case "a/+=": return Reply.list([Text.pod("c", 3)], version: "30")
                default: return Reply.status(400)
                }
            }
        )
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects.count == 4 })
        }
        #expect(harness.asked == ["watch-list", "list", "list a/+=", "watch 30"])
        #expect(
            harness.observer.log == ["begin Pod", "+shop/a@1", "+shop/b@2", "+shop/c@3", "end Pod", "+shop/d@31"]
        )
        let requests = harness.server.requests
        #expect(requests[1].query["limit"] == "500")
        #expect(requests[1].query["resourceVersion"] == nil)
        #expect(requests[3].query["allowWatchBookmarks"] == "true")
        #expect(300...600 ~= Int(requests[3].query["timeoutSeconds"] ?? "") ?? 0)
        for request in requests {
            #expect(request.headers["user-agent"] == "weir/test (linux/test)")
            #expect(request.headers["accept"] == "application/json")
            #expect(request.headers["accept-encoding"] == nil)
            #expect(request.headers["authorization"] == nil)
        }
    }

    @Test func requestsUnsupportedWatchListOnce() async throws {
        let harness = try SourceHarness(
            script: Self.withoutWatchLists { request in
                if request.isList { return Reply.list([Text.pod("a", 1)], version: "\(request.numberOfItsKind)") }
                return request.numberOfItsKind < 4 ? Reply.watch([Text.expired], then: [Reply.end]) : Reply.watch([])
            }
        )
        try await harness.run { harness in
            #expect(await eventually { harness.pods.watchStarts == 4 })
        }
        #expect(harness.asked.filter { $0 == "watch-list" }.count == 1)
        #expect(harness.pods.restarts == [.expired: 3])
        #expect(harness.pods.lists == 4)
    }

    @Test func removesDeletedObjectsAfterExpiredVersion() async throws {
        // The server leaves the connection open after the error, so that only the error can end the watch.
        let patient = KubernetesTimes.short.with {
            $0.watchSilence = .seconds(60)
            $0.listIdle = .seconds(60)
        }
        let harness = try SourceHarness(times: patient) { request in
            guard request.isWatchList else { return Reply.status(500) }
            let pods = request.numberOfItsKind == 1 ? ["a", "b"] : ["b", "c"]
            let lines = pods.map { Text.event("ADDED", Text.pod($0, request.numberOfItsKind)) }
            let last = request.numberOfItsKind == 1 ? [Text.expired] : []
            return Reply.watch(lines + [Text.bookmark(9, isInitialEventsEnd: true)] + last)
        }
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects == ["shop/b@2", "shop/c@2"] })
        }
        #expect(harness.asked == ["watch-list", "watch-list"])
    }

    @Test func keepsObjectsOfBrokenListUntilNextList() async throws {
        let gate = Gate()
        let harness = try SourceHarness(
            script: Self.withoutWatchLists { request in
                guard request.isList else { return Reply.watch([]) }
                let body = "{\"items\":[\(Text.pod("a", 1)),\(Text.pod("b", 2)),{\"metad"
                if request.numberOfItsKind == 1 { return [Reply.head] + Reply.chunks(body) + [.cut] }
                return [.wait(gate)] + Reply.list([Text.pod("b", 2)], version: "9")
            }
        )
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects.count == 2 })
            #expect(!harness.pods.isSynced)
            gate.open()
            #expect(await eventually { harness.observer.objects == ["shop/b@2"] })
        }
        #expect(
            harness.observer.log
                == ["begin Pod", "+shop/a@1", "+shop/b@2", "begin Pod", "+shop/b@2", "end Pod"]
        )
    }

    @Test func relistsWithoutPagesAfterExpiredToken() async throws {
        let status = try fixture("pods.list-continue.json")
        let harness = try SourceHarness(
            script: Self.withoutWatchLists { request in
                guard request.isList else { return Reply.watch([]) }
                if request.query["continue"] != nil { return Reply.whole(410, status) }
                if request.numberOfItsKind == 1 { return Reply.list([Text.pod("a", 1)], version: "5", token: "t") }
                return Reply.list([Text.pod("b", 2)], version: "9")
            }
        )
        try await harness.run { harness in
            #expect(await eventually { harness.pods.watchStarts == 1 })
        }
        #expect(harness.asked == ["watch-list", "list", "list t", "list", "watch 9"])
        #expect(harness.server.requests.first { $0.number == 4 }?.query["limit"] == nil)
        #expect(harness.observer.objects == ["shop/b@2"])
    }

    @Test func relistsAfterSilentWatch() async throws {
        let harness = try SourceHarness(
            times: .short.with { $0.watchSilence = .milliseconds(60) },
            script: Self.withoutWatchLists { request in
                if request.isList {
                    return Reply.list([Text.pod("a", 1)], version: request.numberOfItsKind == 1 ? "999999" : "7")
                }
                return request.query["resourceVersion"] == "999999"
                    ? Reply.watch([]) : Reply.watch([Text.event("ADDED", Text.pod("b", 8))])
            }
        )
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects == ["shop/a@1", "shop/b@8"] })
        }
        #expect(harness.asked.prefix(5) == ["watch-list", "list", "watch 999999", "list", "watch 7"])
        #expect(harness.pods.restarts[.silent] ?? 0 >= 1)
    }

    @Test func relistsAfterWatchWithoutEvents() async throws {
        let harness = try SourceHarness(
            script: Self.withoutWatchLists { request in
                if request.isList { return Reply.list([], version: "\(request.numberOfItsKind)") }
                return request.numberOfItsKind == 1 ? Reply.watch([], then: [Reply.end]) : Reply.watch([])
            }
        )
        try await harness.run { harness in
            #expect(await eventually { harness.pods.watchStarts == 2 })
        }
        #expect(harness.asked == ["watch-list", "list", "watch 1", "list", "watch 2"])
        #expect(harness.pods.restarts == [.empty: 1])
    }

    @Test(arguments: [40, 200, 230]) func resumesCutWatchFromLastCompleteEvent(length: Int) async throws {
        let lines = [Text.event("ADDED", Text.pod("a", 5)), Text.event("ADDED", Text.pod("b", 6))]
        let body = lines.map { $0 + "\n" }.joined()
        let whole = body.utf8.prefix(length).count { $0 == UInt8(ascii: "\n") }
        let harness = try SourceHarness(
            script: Self.withoutWatchLists { request in
                if request.isList { return Reply.list([], version: "4") }
                let part = String(decoding: Array(body.utf8).prefix(length), as: UTF8.self)
                return request.numberOfItsKind == 1 ? [Reply.head] + Reply.chunks(part) + [.cut] : Reply.watch([])
            }
        )
        try await harness.run { harness in
            #expect(await eventually { harness.pods.watchStarts == 2 })
        }
        #expect(harness.asked.last == "watch \(4 + whole)")
        #expect(harness.observer.objects.count == whole)
        #expect(harness.pods.restarts == [.cut: 1])
    }

    @Test func batchesEventsOfOneChunk() async throws {
        let lines = (1...50).map { Text.event("ADDED", Text.pod("p\($0)", 100 + $0)) }
        let harness = try SourceHarness { request in
            Reply.watch(
                [Text.bookmark(9, isInitialEventsEnd: true)],
                then: Reply.chunks(lines.joined(separator: "\n") + "\n") + [.hold]
            )
        }
        try await harness.run { harness in
            #expect(await eventually { harness.observer.objects.count == 50 })
        }
        #expect(harness.observer.snapshot.largestBatch >= 10)
        #expect(harness.observer.snapshot.batches <= 8)
    }

    @Test func splitsListIntoBatches() async throws {
        let pods = (1...2000).map { Text.pod("p\($0)", $0) }
        let harness = try SourceHarness(
            times: .short.with { $0.batch = .seconds(60) },
            script: Self.withoutWatchLists { $0.isList ? Reply.list(pods, version: "1") : Reply.watch([]) }
        )
        try await harness.run { harness in
            #expect(await eventually { harness.pods.isSynced })
        }
        #expect(harness.observer.objects.count == 2000)
        #expect(harness.observer.snapshot.batches >= 5)
        #expect(harness.observer.snapshot.batches <= 9)
    }

    @Test func advancesVersionPastUnusableObjects() async throws {
        let hollow = "{\"metadata\":{\"resourceVersion\":\"8\"}}"
        let harness = try SourceHarness { request in
            guard request.isWatchList else { return Reply.watch([]) }
            let lines = [
                Text.bookmark(5, isInitialEventsEnd: true), Text.event("ADDED", hollow), "not json",
                Text.event("ADDED", Text.pod("a", 7)), Text.event("MODIFIED", hollow),
            ]
            return Reply.watch(lines, then: [Reply.end])
        }
        try await harness.run { harness in
            #expect(await eventually { harness.pods.watchStarts == 2 })
        }
        #expect(harness.asked == ["watch-list", "watch 8"])
        #expect(harness.observer.objects == ["shop/a@7"])
        #expect(harness.pods.unusable == 3)
        #expect(harness.log.containing("cannot be used").count == 1)
    }

    @Test func slowObserverAppliesBackpressure() async throws {
        let gate = Gate()
        let observer = RecordingObserver { while !gate.isOpen { usleep(1000) } }
        let sent = Counter()
        let padding = String(repeating: "x", count: 100_000)
        let server = SlowReaderScript(sent: sent, padding: padding)
        let harness = try SourceHarness(observer: observer) { server.answer($0) }
        try await harness.run { harness in
            #expect(await eventually { harness.server.requests.count == 1 })
            // The objects exceed the buffers of the kernel.
            let isAllTaken = await eventually(within: .seconds(2), server.isAllSent)
            #expect(!isAllTaken)
            gate.open()
            #expect(await eventually { harness.observer.objects.count == SlowReaderScript.events })
        }
    }
}

/// Makes a watch of many large objects, and counts those that went out.
private struct SlowReaderScript: Sendable {
    static let events = 150
    let sent: Counter
    let padding: String

    @Sendable func isAllSent() -> Bool { sent.value == Self.events }

    func answer(_ request: ScriptedServer.Request) -> [Piece] {
        guard request.isWatchList else { return Reply.watch([]) }
        let begin = [Reply.head] + Reply.chunks(Text.bookmark(1, isInitialEventsEnd: true) + "\n")
        let rest = (1...Self.events).flatMap { number -> [Piece] in
            let object = Text.pod("p\(number)", number).dropLast() + ",\"padding\":\"\(padding)\"}"
            return Reply.chunks(Text.event("ADDED", String(object)) + "\n") + [.run { sent.add() }]
        }
        return begin + rest + [.hold]
    }
}
