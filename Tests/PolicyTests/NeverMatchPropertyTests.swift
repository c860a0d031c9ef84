import ClusterModel
import FlowModel
import Policy
import Testing

/// Rules that the check reports as never matching never match, with any policies and connections.
struct NeverMatchPropertyTests {
    @Test(arguments: 0..<40)
    func reportedRulesNeverMatch(_ seed: Int) {
        var world = RandomWorld(seed: UInt64(seed) &+ 0x5eed)
        // Many policies of one rule each, so that no rule hides another one.
        var objects = world.objects.filter { !$0.isPolicy }
        for index in 0..<40 {
            let policy = CalicoPolicy(
                kind: .globalNetworkPolicy,
                metadata: Make.metadata("p\(index)"),
                directions: [.ingress, .egress],
                ingress: [world.contradictoryRule()],
                egress: [world.contradictoryRule()]
            )
            objects.append(.calicoPolicy(policy))
        }
        var never: Set<String> = []
        for case .calicoPolicy(let policy) in objects {
            for (direction, rules) in [("ingress", policy.ingress), ("egress", policy.egress)] {
                let isNever = Self.findings(policy).contains {
                    $0.path == "spec.\(direction)[0]" && $0.message.hasPrefix("can never match")
                }
                if isNever, !rules.isEmpty { never.insert("\(policy.metadata.name) \(direction)") }
            }
        }
        #expect(never.count > 5, "the worlds have too few of what is looked for")
        let connections = (0..<60).map { _ in world.connection() }
        for case .calicoPolicy(let policy) in objects {
            let snapshot = Make.snapshot(objects.filter { !$0.isPolicy } + [.calicoPolicy(policy)])
            for (tuple, source, destination) in connections where Self.isReal(tuple) {
                let traces = snapshot.traces(of: tuple, source: source, destination: destination)
                for (direction, trace) in [("ingress", traces.ingress), ("egress", traces.egress)] {
                    guard let hit = trace?.enforced.first, hit.hasSuffix("|0"), !hit.contains("__PROFILE__") else {
                        continue
                    }
                    let rule = direction == "ingress" ? policy.ingress : policy.egress
                    #expect(!never.contains("\(policy.metadata.name) \(direction)"), "\(rule) matches \(tuple)")
                }
            }
        }
    }

    private static func findings(_ policy: CalicoPolicy) -> [PolicyFinding] {
        var store = PolicyStore(format: .calico332)
        store.apply([.upsert(.calicoPolicy(policy))], from: SourceID(rawValue: 1))
        return store.findings
    }

    /// Whether ICMP has the version of the tuple's addresses, as in real networks.
    private static func isReal(_ tuple: TrackedConnection.Tuple) -> Bool {
        tuple.proto == .icmp ? tuple.source.isIPv4 : tuple.proto != .icmp6 || !tuple.source.isIPv4
    }
}

extension ClusterObject {
    fileprivate var isPolicy: Bool {
        switch self {
        case .calicoPolicy, .networkPolicy, .stagedKubernetesPolicy, .adminPolicy: true
        default: false
        }
    }
}

extension RandomWorld {
    /// A rule that has many conditions on one end, so that some contradict each other.
    fileprivate mutating func contradictoryRule() -> CalicoRule {
        var rule = rule()
        let other = self.rule()
        if random.once(in: 2) { rule.source.notNets = other.source.nets ?? nets() }
        if random.once(in: 2) { rule.source.nets = nets() }
        if random.once(in: 2) { rule.destination.notPorts = other.destination.ports }
        if random.once(in: 3) { rule.destination.selector = "\(selector(0)) && \(selector(0))" }
        if random.once(in: 3) { rule.destination.notSelector = selector(0) }
        if random.once(in: 3) { rule.ipVersion = random.pick([4, 6]) }
        rule.action = random.pick([.allow, .deny])
        return rule
    }
}
