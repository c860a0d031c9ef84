import ClusterModel
import FlowModel
import Glibc
import Policy
import Testing

/// The engine, compared with the tests' own evaluator: random policies, endpoints and connections give identical traces.
///
/// `WEIR_POLICY_CASES` is the number of connections; it is a million by default.
struct PolicyPropertyTests {
    private static let parts = 8
    private static let connectionsPerWorld = 500
    private static let cases = ProcessInfo.cases ?? 1_000_000

    @Test(arguments: 0..<parts)
    func tracesMatchReferenceEvaluator(part: Int) throws {
        let worlds = Self.cases / Self.parts / Self.connectionsPerWorld
        for world in 0..<max(worlds, 1) {
            let seed = UInt64(part * 1_000_000 + world)
            try compare(seed: seed, format: world % 2 == 0 ? .calico332 : .enterprise)
        }
    }

    /// The data kept from one snapshot to the next has no effect: after every change the traces are those of the objects.
    @Test(arguments: 0..<parts)
    func tracesMatchReferenceAfterChanges(part: Int) throws {
        let worlds = max(Self.cases / Self.parts / 4_000, 1)
        for number in 0..<worlds {
            let seed = UInt64(900_000_000 + part * 1_000_000 + number)
            var world = RandomWorld(seed: seed)
            var store = PolicyStore(format: .calico332)
            store.apply(world.objects.map { .upsert($0) }, from: SourceID(rawValue: 7))
            var earlier = store.snapshot()
            for step in 0..<20 {
                if step == 10 {
                    _ = world.change()
                    store.apply(world.replacement(), from: SourceID(rawValue: 7))
                } else {
                    store.apply(world.change(), from: SourceID(rawValue: 7))
                }
                let snapshot = store.snapshot()
                let reference = ReferenceWorld(world.objects, format: .calico332)
                for _ in 0..<20 {
                    let connection = world.connection()
                    // An earlier snapshot that is still in use must not disturb the newer one.
                    _ = earlier.traces(of: connection.0, source: connection.1, destination: connection.2)
                    try compare(snapshot, reference, connection, "seed \(seed), step \(step)")
                }
                earlier = snapshot
            }
        }
    }

    private func compare(seed: UInt64, format: PolicyFormat) throws {
        var world = RandomWorld(seed: seed)
        let reference = ReferenceWorld(world.objects, format: format)
        let snapshot = Make.snapshot(world.objects, format)
        for number in 0..<Self.connectionsPerWorld {
            try compare(snapshot, reference, world.connection(), "seed \(seed), connection \(number)")
        }
        try compareExplanation(snapshot, world.connection(), seed)
    }

    private func compare(
        _ snapshot: PolicySnapshot,
        _ reference: ReferenceWorld,
        _ connection: (TrackedConnection.Tuple, Endpoint, Endpoint),
        _ place: @autoclosure () -> String
    ) throws {
        let (tuple, source, destination) = connection
        let (egress, ingress) = snapshot.traces(of: tuple, source: source, destination: destination)
        let expected = reference.traces(of: tuple, source: source, destination: destination)
        if isEqual(egress, expected.egress), isEqual(ingress, expected.ingress) { return }
        Issue.record(
            """
            \(place()): \(tuple) \(source.name) -> \(destination.name)
            egress \(describe(egress)), expected \(String(describing: expected.egress))
            ingress \(describe(ingress)), expected \(String(describing: expected.ingress))
            """
        )
        throw Different()
    }

    private struct Different: Error {}

    /// Checks that the deciding rules of an explanation are those of the hits.
    private func compareExplanation(
        _ snapshot: PolicySnapshot,
        _ connection: (TrackedConnection.Tuple, Endpoint, Endpoint),
        _ seed: UInt64
    ) throws {
        let (egress, ingress) = snapshot.explain(connection.0, source: connection.1, destination: connection.2)
        for explanation in [egress, ingress].compactMap(\.self) {
            for (hits, isPending) in [(explanation.enforced, false), (explanation.pending, true)] {
                let tiers = explanation.tiers.filter { tier in isPending || tier.policies.contains { !$0.isStaged } }
                for (hit, tier) in zip(hits, tiers) {
                    let read = try PolicyHit(hit.text)
                    let decision = tier.policies.filter { isPending || !$0.isStaged }.compactMap(\.decision).first
                    #expect(read.tier == tier.name, "seed \(seed)")
                    #expect(read.ruleIndex == decision?.index ?? -1, "seed \(seed) \(hit)")
                }
            }
        }
    }

    private func isEqual(_ trace: PolicyTrace?, _ expected: ReferenceWorld.Trace?) -> Bool {
        guard let trace, let expected else { return trace == nil && expected == nil }
        return trace.action == expected.action && trace.enforced == expected.enforced
            && trace.pending == expected.pending
    }

    private func describe(_ trace: PolicyTrace?) -> String {
        trace.map { "\($0.action) \($0.enforced) \($0.pending)" } ?? "nil"
    }
}

private enum ProcessInfo {
    static var cases: Int? {
        getenv("WEIR_POLICY_CASES").flatMap { Int(String(cString: $0)) }
    }
}
