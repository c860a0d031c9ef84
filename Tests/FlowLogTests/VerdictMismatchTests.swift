import FlowModel
import Testing

@testable import FlowLog

@Suite struct VerdictMismatchTests {
    private static let allow = PolicyTrace(enforced: ["0|d|d.a|allow|0"])
    private static let deny = PolicyTrace(enforced: ["0|d|d.b|deny|-1"])
    private static let reason = DropReason(name: "NETFILTER_DROP", isDecision: true)

    private static func flow(
        _ action: FlowAction,
        _ policies: PolicyTrace?,
        port: UInt16 = 80,
        pod: String = "web-1"
    ) -> ResolvedFlow {
        let source = Endpoint(kind: .workload, name: pod, aggregatedName: "web-*", namespace: "shop")
        let flow = ResolvedFlow(
            local: FlowEndpoint(address: IPAddress(10, 1, 0, 1), owner: source, mayBecomeKnown: false),
            remote: FlowEndpoint(
                address: IPAddress(192, 0, 2, 1),
                owner: FakeResolver.publicNetwork,
                mayBecomeKnown: false
            ),
            localPort: 41001,
            remotePort: port,
            proto: .tcp,
            reporter: .source,
            service: nil,
            natPort: 0
        )
        return flow.withVerdict(action, by: policies)
    }

    @Test func groupsMismatchesOfSimilarPods() {
        var mismatches = VerdictMismatches()
        mismatches.note(Self.flow(.deny, Self.allow), reason: Self.reason)
        mismatches.note(Self.flow(.deny, Self.allow, pod: "web-2"), reason: nil)
        mismatches.note(Self.flow(.deny, Self.allow, port: 443), reason: Self.reason)
        mismatches.note(Self.flow(.allow, Self.deny), reason: nil)
        #expect((mismatches.denied, mismatches.allowed) == (0, 0), "not confirmed yet")
        mismatches.confirm { _ in true }
        let found = mismatches.take().sorted {
            ($0.destinationPort, $0.connections) < ($1.destinationPort, $1.connections)
        }
        #expect(found.map(\.destinationPort) == [80, 80, 443])
        #expect(found.map(\.connections) == [1, 2, 1])
        #expect(found.map(\.observed) == [.allow, .deny, .deny])
        #expect(found[1].reason === Self.reason)
        #expect(found[1].expected === Self.allow)
        #expect(mismatches.take().isEmpty)
        #expect((mismatches.denied, mismatches.allowed) == (3, 1))
    }

    @Test func keepsLimitedPairsButCountsAll() {
        var mismatches = VerdictMismatches()
        for port in 0..<5000 as Range<UInt16> {
            mismatches.note(Self.flow(.deny, Self.allow, port: port), reason: nil)
        }
        mismatches.confirm { _ in true }
        #expect(mismatches.denied == 5000)
        #expect(mismatches.take().count == 1024)
        mismatches.note(Self.flow(.deny, Self.allow, port: 4999), reason: nil)
        mismatches.confirm { _ in true }
        #expect(mismatches.take().map(\.destinationPort) == [4999])
    }

    @Test func discardsUnconfirmedMismatches() {
        var mismatches = VerdictMismatches()
        mismatches.note(Self.flow(.deny, Self.allow), reason: Self.reason)
        mismatches.note(Self.flow(.deny, Self.allow, port: 443), reason: Self.reason)
        mismatches.confirm { $0.packets.destinationPort == 443 }
        #expect(mismatches.take().map(\.destinationPort) == [443])
        #expect(mismatches.denied == 1)
    }
}
