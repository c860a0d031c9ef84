import ClusterModel
import Synchronization
import Testing

@testable import ClusterSource

/// An API server that goes away for a while, for all kinds at once.
///
/// The pauses are those of production, on a clock that advances only when nothing else is left to do: the tests measure
/// the pauses of the kinds, and do not depend on the load of the machine.
@Suite struct OutageTests {
    private static let kinds: [ObjectKind] = [.pod, .node, .service, .namespace]
    private static let resources = WatchedResource.all.filter { kinds.contains($0.kind) }

    /// The first answers of the server when it is back, for each path.
    enum FirstAnswer: String, CaseIterable, Sendable {
        /// All versions are too old, as after every restart.
        case expired
        /// Allowed requests are refused for a moment.
        case forbidden
        /// A proxy answers before the server does.
        case unavailable
        /// The server accepts the watches.
        case watching
    }

    private static let times = KubernetesTimes.short.with {
        let field = KubernetesTimes()
        $0.backoff = field.backoff
        $0.longestBackoff = field.longestBackoff
        $0.comeback = field.comeback
        $0.forbiddenRetry = field.forbiddenRetry
        $0.forbiddenNamed = .seconds(600)
        $0.answer = .seconds(60)
        $0.connect = .seconds(60)
    }

    /// The server when it is back.
    private static func server(port: UInt16, _ first: FirstAnswer) throws -> ScriptedServer {
        try ScriptedServer(port: port) { request in
            switch first {
            case .forbidden where request.number == 1: return Reply.status(403, "Forbidden")
            case .unavailable where request.number == 1: return Reply.status(503, "ServiceUnavailable")
            case .expired where request.isWatch: return Reply.watch([Text.expired], then: [Reply.end])
            default: return Reply.watch([Text.bookmark(9, isInitialEventsEnd: request.isWatchList)])
            }
        }
    }

    @Test(arguments: FirstAnswer.allCases) func resyncsAllKindsSoonAfterOutage(_ first: FirstAnswer) async throws {
        let clock = StandingClock()
        let sleeper = clock.sleeper()
        let harness = try SourceHarness(resources: Self.resources, times: Self.times, sleeper: sleeper) { _ in
            Reply.watch([Text.bookmark(5, isInitialEventsEnd: true)])
        }
        try await harness.run { harness in
            #expect(await eventually { harness.kinds.allSatisfy(\.isSynced) })
            harness.server.stop()
            // Pauses are 15 to 30 s by then.
            #expect(
                await eventually {
                    guard clock.sleepers == Self.kinds.count else { return false }
                    if harness.kinds.allSatisfy({ $0.restarts[.unreachable] ?? 0 >= 8 }) { return true }
                    clock.advance()
                    return false
                }
            )
            let starts = harness.kinds.map(\.watchStarts)
            let wakes = sleeper.wakes
            let needed = first == .expired ? 2 : 1
            let answeredAt = Mutex<Duration?>(nil)
            let again = try Self.server(port: harness.server.port, first)
            defer { again.stop() }
            #expect(
                await eventually {
                    if sleeper.wakes > wakes { answeredAt.withLock { $0 = $0 ?? clock.now } }
                    let late = zip(harness.kinds, starts).filter { $0.watchStarts < $1 + needed }.count
                    // A kind that neither sleeps nor watches has a request in progress.
                    if late > 0, clock.sleepers >= late { clock.advance() }
                    return late == 0
                }
            )
            let took = clock.now - (answeredAt.withLock { $0 } ?? .zero)
            // This is the time in which all kinds retry, and the first pause after one more refusal.
            #expect(took <= Self.times.comeback + Self.times.backoff, "\(first): \(took)")
        }
    }

    /// All kinds get credentials or rights back at the same time; the first kind that gets an answer wakes the others.
    @Test(arguments: [(401, RestartReason.unauthorized), (403, .forbidden)])
    func allKindsRetryWhenAccessIsRegranted(code: Int, reason: RestartReason) async throws {
        let clock = StandingClock()
        let sleeper = clock.sleeper()
        let isGranted = Gate()
        let times = Self.times.with { $0.forbiddenNamed = .milliseconds(1) }
        let harness = try SourceHarness(resources: Self.resources, times: times, sleeper: sleeper) { request in
            guard isGranted.isOpen else { return Reply.status(code, "Refused") }
            // A kind without the right to watch tries to list.
            guard !request.isList else { return Reply.list([], version: "5") }
            return Reply.watch([Text.bookmark(5, isInitialEventsEnd: request.isWatchList)])
        }
        try await harness.run { harness in
            #expect(
                await eventually {
                    guard clock.sleepers == Self.kinds.count else { return false }
                    if harness.kinds.allSatisfy({ $0.restarts[reason] ?? 0 >= 8 }) { return true }
                    clock.advance()
                    return false
                }
            )
            let wakes = sleeper.wakes
            let answeredAt = Mutex<Duration?>(nil)
            isGranted.open()
            #expect(
                await eventually {
                    if sleeper.wakes > wakes { answeredAt.withLock { $0 = $0 ?? clock.now } }
                    let late = harness.kinds.filter { !$0.isSynced }.count
                    if late > 0, clock.sleepers >= late { clock.advance() }
                    return late == 0
                }
            )
            let took = clock.now - (answeredAt.withLock { $0 } ?? .zero)
            #expect(took <= times.comeback, "\(code): \(took)")
        }
    }

    /// A kind that was about to sleep when the server came back does not sleep.
    @Test(.timeLimit(.minutes(1))) func doesNotSleepAfterMissedWake() async {
        let sleeper = StandingClock().sleeper()
        let before = sleeper.wakes
        sleeper.wake()
        await sleeper.sleep(for: .seconds(60), isForServer: true, since: before)
        #expect(sleeper.wakes == before + 1)
    }
}

extension SourceHarness {
    /// The state of each kind, in the order of the kinds' names.
    fileprivate var kinds: [KindStatistics] {
        source.statistics.kinds.sorted { $0.key.rawValue < $1.key.rawValue }.map(\.value)
    }
}
