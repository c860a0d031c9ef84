import FlowModel
import Testing

@testable import FlowLog

/// The conditions under which a disagreement of policies and kernel is a finding.
@Suite struct CertaintyTests {
    private typealias Fixture = AggregatorFixture

    private static let client = Fixture.workload
    private static let server = IPAddress(10, 1, 0, 2)
    private static let allow = PolicyTrace(enforced: ["0|d|d.a|allow|0"])
    private static let deny = PolicyTrace(enforced: ["0|d|d.b|deny|-1"])

    private static func policies(_ generation: UInt64, _ egress: PolicyTrace) -> FakeEvaluator {
        FakeEvaluator(generation: generation) { _ in (egress, nil) }
    }

    private static func fixture(_ trace: PolicyTrace) -> Fixture {
        var fixture = Fixture(startTime: 1000)
        fixture.learn { resolver in
            for address in [client, server] {
                resolver.owners[address] = Endpoint(
                    kind: .workload,
                    name: "\(address)",
                    aggregatedName: "\(address)",
                    namespace: "shop"
                )
            }
            resolver.localWorkloads = [client, server]
        }
        fixture.aggregator.use(policies(1, trace))
        return fixture
    }

    private static func call(_ number: UInt32, _ marks: FlowMarks = .openedIngress) -> FlowBirth {
        Fixture.birth(
            number,
            near: client,
            far: server,
            nearPort: 40000 + UInt16(number),
            role: .workload,
            interface: 3,
            marks: marks
        )
    }

    private static let drop = FlowDrop(
        flowID: 0,
        deniedIngress: TrafficCounters(packets: 1, bytes: 60),
        decision: DropReason(name: "NETFILTER_DROP", isDecision: true)
    )

    /// Returns the findings for a flow on which policies decide differently.
    private static func findings(_ birth: FlowBirth, isDenied: Bool, _ change: (inout Fixture) -> Void = { _ in })
        -> Int
    {
        var fixture = fixture(isDenied ? allow : deny)
        change(&fixture)
        fixture.batch { batch in
            batch.births = [birth]
            batch.deltas = [
                FlowDelta(flowID: 0, ingress: TrafficCounters(packets: 1, bytes: 60), egress: .zero)
            ]
            if isDenied { batch.drops = [drop] }
        }
        _ = fixture.flush(at: 1010)
        return fixture.aggregator.takeMismatches().count
    }

    @Test(arguments: [false, true])
    func reportsMismatchOfWatchedConnection(isDenied: Bool) {
        #expect(Self.findings(Self.call(0), isDenied: isDenied) == 1)
    }

    /// A connection with a guessed originator never gives a finding.
    @Test(arguments: [false, true])
    func ignoresMismatchOfGuessedOriginator(isDenied: Bool) {
        var birth = Self.call(0, [])
        birth.joined = true
        #expect(Self.findings(birth, isDenied: isDenied) == 0)
    }

    /// The reason why an earlier connection was allowed to begin is unknown; the reason why it is dropped now is known.
    @Test(arguments: [false, true])
    func reportsOnlyDenialsOfEarlierConnections(isDenied: Bool) throws {
        let tracked = TrackedConnection("10.1.0.1 40000 > 10.1.0.2 80", "10.1.0.2 80 > 10.1.0.1 40000")
        let connection = try #require(tracked)
        var joined = Self.call(0, [])
        joined.joined = true
        #expect(Self.findings(joined, isDenied: isDenied) { $0.tracker.add(connection) } == (isDenied ? 1 : 0))
        var resumed = Self.call(0)
        resumed.resumed = true
        #expect(Self.findings(resumed, isDenied: isDenied) == (isDenied ? 1 : 0))
    }

    /// The address may belong to a workload that the inventory does not have yet.
    @Test(arguments: [false, true])
    func ignoresMismatchOfUnknownEndpoint(isDenied: Bool) {
        let found = Self.findings(Self.call(0), isDenied: isDenied) { fixture in
            fixture.learn { resolver in
                resolver.owners[Self.server] = nil
                resolver.workloadRanges = ["10.0.0.0/8"].compactMap { IPPrefix($0) }
            }
        }
        #expect(found == 0)
    }

    /// Kubernetes always allows traffic between a pod and its own node, so that only a denial is a finding.
    @Test(arguments: [false, true])
    func reportsOnlyDenialsBetweenPodAndOwnNode(isDenied: Bool) {
        let birth = Fixture.birth(0, near: Self.client, far: Fixture.own, role: .workload)
        #expect(Self.findings(birth, isDenied: isDenied) == (isDenied ? 1 : 0))
    }

    // MARK: - Changes

    /// Policies change just before a flow begins, and the kernel does not have them yet; or it has them first.
    @Test func ignoresMismatchesAroundPolicyChange() {
        var fixture = Self.fixture(Self.allow)
        _ = fixture.flush(at: 1010)
        _ = fixture.flush(at: 1020)
        fixture.aggregator.use(Self.policies(2, Self.deny))
        fixture.births(Self.call(0))
        _ = fixture.flush(at: 1030)
        #expect(fixture.aggregator.takeMismatches().isEmpty, "just changed")
        _ = fixture.flush(at: 1040)
        fixture.births(Self.call(1))
        _ = fixture.flush(at: 1050)
        #expect(fixture.aggregator.takeMismatches().count == 1, "long since")
        fixture.births(Self.call(2))
        fixture.aggregator.use(Self.policies(3, Self.allow))
        _ = fixture.flush(at: 1060)
        #expect(fixture.aggregator.takeMismatches().isEmpty, "changed meanwhile")
        #expect(fixture.aggregator.statistics.unexpectedAllowances == 1)
    }

    /// The grace time after a change depends neither on the length of intervals nor on steps of the clock.
    @Test func policyChangeGraceIsIndependentOfIntervals() {
        var fixture = Self.fixture(Self.allow)
        for time in 1001...1020 as ClosedRange<Int64> { _ = fixture.flush(at: time) }
        fixture.aggregator.use(Self.policies(2, Self.deny))
        for (number, time) in (1021...1029 as ClosedRange<Int64>).enumerated() {
            fixture.births(Self.call(UInt32(number)))
            _ = fixture.flush(at: time)
        }
        #expect(fixture.aggregator.takeMismatches().isEmpty)
        fixture.births(Self.call(10))
        fixture.aggregator.flush(9000...9000) { _ in }
        #expect(fixture.aggregator.takeMismatches().isEmpty, "the clock was set forward")
        for interval in [889...900, 900...911, 911...922] as [ClosedRange<Int64>] {
            fixture.aggregator.flush(interval) { _ in }
        }
        fixture.births(Self.call(20))
        fixture.aggregator.flush(922...933) { _ in }
        #expect(fixture.aggregator.takeMismatches().count == 1)
    }
}
