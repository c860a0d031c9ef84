import FlowModel
import Testing

@testable import Agent
@testable import FlowLog

@Suite struct DisagreementLogTests {
    private static let minute: Int64 = 60_000_000_000
    private static let expected = PolicyTrace(
        action: .allow,
        enforced: ["0|t|t.a|pass|0", "1|d|d.b|allow|0"],
        pending: []
    )
    private static let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)

    private static func mismatch(
        from source: String = "web",
        port: UInt16 = 80,
        connections: UInt64 = 1,
        observed: FlowAction = .deny,
        proto: IPProtocol = .tcp
    ) -> VerdictMismatch {
        VerdictMismatch(
            source: Endpoint(kind: .workload, name: source + "-1", aggregatedName: source + "-*", namespace: "shop"),
            destination: Endpoint(kind: .network, name: "-", aggregatedName: "pub"),
            destinationPort: port,
            proto: proto,
            reporter: .source,
            expected: observed == .deny
                ? expected : PolicyTrace(action: .deny, enforced: ["0|d|d.c|deny|-1"], pending: []),
            observed: observed,
            reason: observed == .deny ? reason : nil,
            connections: connections
        )
    }

    @Test func logsEndpointsPolicyAndReason() {
        let recorder = LogRecorder()
        var log = DisagreementLog(recorder.logger, showsAll: false)
        log.note([Self.mismatch(connections: 3), Self.mismatch(port: 2048, observed: .allow, proto: .icmp)], now: 0)
        #expect(
            recorder.take() == [
                "warning the kernel dropped what policies allow connections=3 destination=pub:80/tcp"
                    + " drop_reason=NETFILTER_DROP policy=1|d|d.b|allow|0 reporter=src source=shop/web-*",
                "warning the kernel let through what policies deny connections=1 destination=pub/icmp"
                    + " drop_reason=- policy=0|d|d.c|deny|-1 reporter=src source=shop/web-*",
            ]
        )
    }

    /// A pair that disagrees every ten seconds is logged at once, and then after pauses that double up to a day; each line has
    /// the connections since the line before.
    @Test func pausesDoubleUpToOneDay() {
        let recorder = LogRecorder()
        var log = DisagreementLog(recorder.logger, showsAll: false)
        var named: [Int64] = []
        var connections = 0
        for step in 0..<Int64(5 * 24 * 360) {
            log.note([Self.mismatch(connections: 2)], now: step * Self.minute / 6)
            for line in recorder.take() {
                named.append(step / 6)
                connections += line.firstMatch(of: /connections=(\d+)/).flatMap { Int($0.1) } ?? 0
            }
        }
        let pauses = zip(named, named.dropFirst()).map { $1 - $0 }
        #expect(named.first == 0)
        #expect(pauses.prefix(11) == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
        #expect(pauses.dropFirst(11).allSatisfy { $0 == 24 * 60 } && pauses.count > 11)
        // All but those that are not logged yet.
        #expect(connections == ((named.last ?? 0) * 6 + 1) * 2)
    }

    @Test func eachPairHasItsOwnPause() {
        let recorder = LogRecorder()
        var log = DisagreementLog(recorder.logger, showsAll: false)
        log.note([Self.mismatch(), Self.mismatch(from: "api")], now: 0)
        #expect(recorder.take().count == 2)
        log.note([Self.mismatch(), Self.mismatch(from: "job")], now: Self.minute - 1)
        #expect(recorder.take().map { $0.contains("shop/job-*") } == [true])
        log.note([Self.mismatch()], now: Self.minute)
        #expect(recorder.take().map { $0.contains("connections=2") } == [true])
    }

    /// An endpoint that tries all ports is logged once.
    @Test func portsDoNotDistinguishPairs() {
        let recorder = LogRecorder()
        var log = DisagreementLog(recorder.logger, showsAll: false)
        log.note((1...1000).map { Self.mismatch(port: $0) }, now: 0)
        #expect(recorder.take().map { $0.contains("connections=1000") } == [true])
        log.note([Self.mismatch(port: 7)], now: 1)
        #expect(recorder.take() == [])
    }

    @Test func logsEachMismatchIfShowsAll() {
        let recorder = LogRecorder()
        var log = DisagreementLog(recorder.logger, showsAll: true)
        for _ in 0..<5 { log.note([Self.mismatch(), Self.mismatch(port: 81)], now: 7) }
        let lines = recorder.take()
        #expect(lines.count == 10)
        #expect(lines.allSatisfy { $0.contains("connections=1 ") })
    }

    /// The log keeps a limited number of pairs: after many others the first one is logged anew.
    @Test func forgetsPairsBeyondLimit() {
        let recorder = LogRecorder()
        var log = DisagreementLog(recorder.logger, showsAll: false)
        log.note([Self.mismatch()], now: 0)
        for batch in 0..<5 {
            log.note((1...1000).map { Self.mismatch(from: "web\(batch * 1000 + $0)") }, now: 0)
        }
        #expect(recorder.take().count == 5001)
        log.note([Self.mismatch()], now: 1)
        #expect(recorder.take().count == 1)
    }
}
