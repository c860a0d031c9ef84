import ClusterModel
import Synchronization
import Testing

@testable import ClusterSource

/// An API server that goes away for a while, for all kinds at once.
@Suite struct OutageTests {
    private static let kinds: [ObjectKind] = [.pod, .node, .service, .namespace]
    private static let resources = WatchedResource.all.filter { kinds.contains($0.kind) }

    /// What the server does first when it is back, to each path.
    enum Return: String, CaseIterable, Sendable {
        /// All versions are too old, as after every restart.
        case expired
        /// What is allowed is refused for a moment.
        case forbidden
        /// A proxy answers before the server does.
        case unavailable
        /// It watches on.
        case watching
    }

    /// Pauses would be 1.3 s and more by then.
    @Test(arguments: Return.allCases) func allKindsAreCurrentSoonAfterIt(_ first: Return) async throws {
        let times = KubernetesTimes.short.with {
            $0.backoff = .milliseconds(20)
            $0.longestBackoff = .seconds(60)
            $0.forbiddenNamed = .seconds(60)
            $0.comeback = .milliseconds(100)
        }
        let harness = try SourceHarness(resources: Self.resources, times: times) { _ in
            Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
        }
        try await harness.run { harness in
            #expect(await eventually { harness.kinds.allSatisfy(\.isSynced) })
            harness.server.stop()
            #expect(await eventually { harness.kinds.allSatisfy { $0.restarts[.unreachable] ?? 0 >= 7 } })
            let firstAnswer = Mutex<ContinuousClock.Instant?>(nil)
            let refusals = Mutex<[String: Int]>([:])
            let again = try ScriptedServer(port: harness.server.port) { request in
                firstAnswer.withLock { $0 = $0 ?? .now }
                let refused = refusals.withLock { refusals in
                    refusals[request.path, default: 0] += 1
                    return refusals[request.path] ?? 0
                }
                switch first {
                case .forbidden where refused == 1: return Reply.status(403, "Forbidden")
                case .unavailable where refused == 1: return Reply.status(503, "ServiceUnavailable")
                case .expired where request.isWatch: return Reply.watch([Text.expired], then: [Reply.end])
                default:
                    return Reply.watch([Text.bookmark(9, isInitialEventsEnd: request.isWatchList)])
                }
            }
            defer { again.stop() }
            let isCurrent = { @Sendable in
                Self.resources.allSatisfy { resource in
                    let requests = again.requests.filter { $0.path.hasSuffix("/" + resource.candidates[0].plural) }
                    return first == .expired
                        ? requests.contains(where: \.isWatchList) : requests.count >= 2 - (first == .watching ? 1 : 0)
                }
            }
            #expect(await eventually(isCurrent))
            let took = firstAnswer.withLock { $0.map { ContinuousClock.now - $0 } } ?? .seconds(60)
            // Kinds that sleep on would be back after 15 s at the earliest; a busy machine takes some of the rest.
            #expect(took < .seconds(5), "\(first): \(took)")
        }
    }

    /// Whoever was about to sleep when the server came back does not.
    @Test func whoFailsInTheMomentOfTheReturnDoesNotSleep() async {
        let sleeper = Sleeper()
        let before = sleeper.wakes
        sleeper.wake()
        let start = ContinuousClock.now
        await sleeper.sleep(for: .seconds(60), isForServer: true, since: before)
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}

extension SourceHarness {
    /// How each kind is followed.
    fileprivate var kinds: [KindStatistics] { Array(source.statistics.kinds.values) }
}
