import ClusterModel
import FlowModel
import Policy
import Testing

/// The order of tiers and policies, default actions, and staged policies.
struct TierTests {
    private let pod = Make.pod("pod", "shop", ["app": "web"])

    private func trace(_ objects: [ClusterObject], _ format: PolicyFormat = .calico332) -> PolicyTrace? {
        Make.snapshot(objects, format).traces(of: Make.tuple(), source: Make.outside, destination: pod).ingress
    }

    private func passing(_ name: String, _ tier: String, order: Double? = nil) -> ClusterObject {
        Make.policy(.globalNetworkPolicy, name, tier: tier, order: order, ingress: [Make.rule(.pass)])
    }

    @Test
    func sortsTiersByOrderThenName() throws {
        let tiers = ["z", "b", "a", "none", "default", "kube-admin", "kube-baseline"]
        var objects = [Make.tier("z", -1), Make.tier("b", 5), Make.tier("a", 5), Make.tier("none", nil)]
        objects += tiers.map { passing("\($0).p", $0) }
        let hits = try #require(trace(objects)).enforced.map { $0.split(separator: "|")[1] }
        #expect(hits == ["z", "a", "b", "kube-admin", "default", "kube-baseline", "none", "__PROFILE__"])
    }

    @Test
    func ignoresPoliciesOfMissingTiers() throws {
        var store = PolicyStore(format: .calico332)
        let objects = [Make.policy(.globalNetworkPolicy, "x.p", tier: "x", ingress: [Make.rule(.deny)])]
        store.apply(objects.map { .upsert($0) }, from: SourceID(rawValue: 1))
        #expect(store.findings.map(\.path) == ["spec.tier"])
        let before = store.snapshot().traces(of: Make.tuple(), source: Make.outside, destination: pod)
        #expect(before.ingress?.enforced == ["0|__PROFILE__|pro:kns.shop|allow|0"])
        store.apply([.upsert(Make.tier("x", 1))], from: SourceID(rawValue: 1))
        #expect(store.findings.isEmpty)
        let after = store.snapshot().traces(of: Make.tuple(), source: Make.outside, destination: pod)
        #expect(after.ingress?.enforced == ["0|x|gnp:x.p|deny|0"])
    }

    /// Without policies, or the objects that they select by, there is no trace; an end that has no policies has one.
    @Test(arguments: [
        (ObjectKind.globalNetworkPolicy, true), (.networkPolicy, true), (.namespace, true), (.serviceAccount, true),
        (.tier, true), (.pod, true), (.networkSet, true), (.service, false), (.endpointSlice, false), (.node, false),
    ])
    func givesNoTraceWhileObjectsAreForgotten(_ kind: ObjectKind, _ decides: Bool) throws {
        let (source, policy) = (SourceID(rawValue: 1), passing("p", "default"))
        var store = PolicyStore(format: .calico332)
        func ingress() -> [String]? {
            store.snapshot().traces(of: Make.tuple(), source: Make.outside, destination: pod).ingress?.enforced
        }
        store.apply([.upsert(policy)], from: source)
        let before = try #require(ingress())
        store.apply([.forget(kind)], from: source)
        #expect((ingress() == nil) == decides)
        // Another source has its own objects.
        store.apply([.beginReplace(kind), .endReplace(kind)], from: SourceID(rawValue: 2))
        #expect((ingress() == nil) == decides)
        store.apply([.beginReplace(kind), .upsert(policy), .endReplace(kind)], from: source)
        #expect(ingress() == before)
    }

    @Test(arguments: [
        (PolicyFormat.calico332, ["b", "a-b", "a", "c"]), (.enterprise, ["b", "a", "a-b", "c"]),
    ])
    func sortsPoliciesByOrderThenName(_ format: PolicyFormat, _ expected: [String]) throws {
        // `a-b/` comes before `a/`, but `a` before `a-b`.
        for (index, name) in expected.enumerated() {
            var objects = ["a", "a-b"].map { passing($0, "default", order: 2) } + [passing("b", "default", order: 1)]
            objects.append(passing("c", "default"))
            let names = Set(expected[..<index])
            objects.removeAll { object in
                if case .calicoPolicy(let policy) = object { names.contains(policy.metadata.name) } else { false }
            }
            let first = try #require(trace(objects, format)?.enforced.first)
            #expect(try PolicyHit(first).name.hasSuffix(name) && first.contains(name))
            #expect(first.contains(format == .calico332 ? "gnp:\(name)|" : "default.\(name)|"))
        }
    }

    /// The order of two policies of equal order: before 3.32 the one whose full name is less is first.
    @Test(arguments: [
        // Namespaced ones have the namespace in front, global ones the tier.
        (TiePair(.calicoNetworkPolicy, "z", in: "a-team"), TiePair(.globalNetworkPolicy, "a")),
        (TiePair(.globalNetworkPolicy, "z"), TiePair(.calicoNetworkPolicy, "a", in: "shop")),
        // The tier in front of a stored name counts once.
        (TiePair(.globalNetworkPolicy, "default.a"), TiePair(.globalNetworkPolicy, "b")),
        (TiePair(.globalNetworkPolicy, "a"), TiePair(.globalNetworkPolicy, "default.b")),
        // Staged ones begin with `staged:`, behind their namespace.
        (TiePair(.globalNetworkPolicy, "z"), TiePair(.stagedGlobalNetworkPolicy, "a")),
        (TiePair(.stagedNetworkPolicy, "z", in: "a-team"), TiePair(.globalNetworkPolicy, "a")),
        (TiePair(.calicoNetworkPolicy, "z", in: "shop"), TiePair(.stagedNetworkPolicy, "a", in: "shop")),
        (TiePair(.stagedNetworkPolicy, "z", in: "shop"), TiePair(.stagedGlobalNetworkPolicy, "a")),
        (TiePair(.stagedNetworkPolicy, "a", in: "shop"), TiePair(.stagedNetworkPolicy, "b", in: "shop")),
        // Those of Kubernetes are called `knp.default.…`.
        (TiePair(.calicoNetworkPolicy, "z", in: "shop"), TiePair(.networkPolicy, "a", in: "shop")),
        (TiePair(.networkPolicy, "z", in: "shop"), TiePair(.stagedNetworkPolicy, "a", in: "shop")),
        (TiePair(.networkPolicy, "z", in: "shop"), TiePair(.stagedKubernetesNetworkPolicy, "a", in: "shop")),
        (TiePair(.stagedNetworkPolicy, "z", in: "shop"), TiePair(.stagedKubernetesNetworkPolicy, "a", in: "shop")),
        (TiePair(.globalNetworkPolicy, "z"), TiePair(.networkPolicy, "a", in: "shop")),
        (TiePair(.networkPolicy, "z", in: "a-team"), TiePair(.globalNetworkPolicy, "a")),
    ])
    fileprivate func breaksTiesByFullName(_ first: TiePair, _ second: TiePair) throws {
        for pair in [[first, second], [second, first]] {
            let namespace = first.namespace ?? second.namespace ?? "shop"
            let snapshot = Make.snapshot(pair.map(\.object), .enterprise)
            let pod = Make.pod("pod", namespace, ["app": "web"])
            let trace = try #require(
                snapshot.traces(of: Make.tuple(), source: Make.outside, destination: pod).ingress
            )
            // None of them matches, and the hit for the end of the tier has the first one, staged or not.
            let hit = try PolicyHit(try #require(trace.pending.first))
            #expect(hit.kind == first.hitKind && hit.name.hasSuffix(first.shortName))
        }
    }

    @Test(arguments: [(Tier.DefaultAction.deny, "deny|-1", 1), (.pass, "pass|-1", 2)])
    func defaultActionHitHasLastEnforcedAndFirstPendingPolicy(
        _ action: Tier.DefaultAction,
        _ suffix: String,
        _ count: Int
    ) throws {
        let result = try #require(
            trace([
                Make.tier("t", 1, action), Make.policy(.stagedGlobalNetworkPolicy, "t.s1", tier: "t", order: 1),
                Make.policy(.globalNetworkPolicy, "t.p2", tier: "t", order: 2),
                Make.policy(.calicoNetworkPolicy, "t.p3", "shop", tier: "t", order: 3),
                Make.policy(.stagedNetworkPolicy, "t.s4", "shop", tier: "t", order: 4),
                Make.policy(.globalNetworkPolicy, "t.egress", tier: "t", order: 5, directions: .egress),
            ])
        )
        #expect(result.enforced.first == "0|t|np:shop/t.p3|\(suffix)")
        #expect(result.pending.first == "0|t|sgnp:t.s1|\(suffix)")
        #expect(result.enforced.count == count && result.pending.count == count)
    }

    @Test
    func tiersWithOnlyStagedPoliciesCountInPendingOnly() throws {
        let result = try #require(
            trace([
                Make.tier("t", 1), Make.tier("u", 2), passing("u.p", "u"),
                Make.policy(.stagedGlobalNetworkPolicy, "t.s", tier: "t", ingress: [Make.rule(.pass)]),
            ])
        )
        #expect(result.enforced == ["0|u|gnp:u.p|pass|0", "1|__PROFILE__|pro:kns.shop|allow|0"])
        #expect(
            result.pending == ["0|t|sgnp:t.s|pass|0", "1|u|gnp:u.p|pass|0", "2|__PROFILE__|pro:kns.shop|allow|0"]
        )
        #expect(result.action == .allow)
    }

    @Test(arguments: [
        (StagedAction.set, true), (.learn, true), (.ignore, true), (.delete, false),
    ])
    func ignoresStagedDeletions(_ action: StagedAction, _ takesPart: Bool) throws {
        var policy = CalicoPolicy(kind: .stagedNetworkPolicy, metadata: Make.metadata("default.s", "shop"))
        policy.stagedAction = action
        let metadata = Make.metadata("k", "shop")
        let kubernetes = StagedKubernetesPolicy(metadata: metadata, spec: NetworkPolicySpec(), stagedAction: action)
        #expect(try #require(trace([.calicoPolicy(policy)])).pending.first?.contains("snp:") == takesPart)
        #expect(
            try #require(trace([.stagedKubernetesPolicy(kubernetes)])).pending.first?.contains("sknp:") == takesPart
        )
    }

    @Test(arguments: [
        (ObjectKind.adminNetworkPolicy, AdminPolicy.Tier.admin, "adminnetworkpolicy", "kanp"),
        (.baselineAdminNetworkPolicy, .baseline, "baselineadminnetworkpolicy", "kbanp"),
        (.clusterNetworkPolicy, .admin, "kube-admin", "kcnp"),
        (.clusterNetworkPolicy, .baseline, "kube-baseline", "kcnp"),
    ])
    func adminPoliciesBelongToTheirTiers(
        _ kind: ObjectKind,
        _ tier: AdminPolicy.Tier,
        _ name: String,
        _ abbreviation: String
    ) throws {
        var policy = AdminPolicy(
            kind: kind,
            metadata: Make.metadata("rules"),
            tier: tier,
            priority: 10,
            subject: .namespaces(LabelSelector())
        )
        let udp = [PolicyPort(proto: .udp, port: .range(53...53)), PolicyPort(proto: .tcp, port: .range(80...80))]
        let everybody = AdminPolicyPeer.namespaces(LabelSelector())
        policy.ingress = [
            // Cannot be converted: left out, and not counted.
            AdminPolicyRule(action: .accept, peers: [.nodes(LabelSelector())]),
            AdminPolicyRule(
                action: .deny,
                peers: [.pods(namespaces: LabelSelector(), pods: LabelSelector())],
                ports: udp
            ),
            AdminPolicyRule(action: .accept, peers: [everybody, .networks([Make.net("10.0.0.0/8")])]),
        ]
        let newer = try #require(trace([.adminPolicy(policy)]))
        // Two rules of the second for TCP and UDP; the ranges of the third are its second peer.
        #expect(newer.enforced == ["0|\(name)|\(abbreviation):rules|allow|3"])
        let older = try #require(trace([.adminPolicy(policy)], .enterprise))
        #expect(older.enforced == ["0|\(name)|\(abbreviation).\(name).rules|allow|3"])
        policy.ingress = [AdminPolicyRule(action: .accept, peers: [everybody])]
        let unmatched = try #require(trace([.adminPolicy(policy)]))
        #expect(unmatched.enforced.first == "0|\(name)|\(abbreviation):rules|pass|-1")
        policy.ingress = [AdminPolicyRule(action: .pass, peers: [.domainNames(["a"])])]
        #expect(try #require(trace([.adminPolicy(policy)])).enforced == ["0|\(name)|\(abbreviation):rules|deny|0"])
        policy.ingress = [AdminPolicyRule(action: .accept, peers: [.unknown])]
        #expect(try #require(trace([.adminPolicy(policy)])).enforced == ["0|__PROFILE__|pro:kns.shop|allow|0"])
    }

    /// Calico's API server lists the policies of Kubernetes among its own.
    @Test(arguments: [
        (ObjectKind.calicoNetworkPolicy, "knp.default.web", "default", "knp:shop/web", "shop/knp.default.web"),
        (.globalNetworkPolicy, "kcnp.kube-admin.web", "kube-admin", "kcnp:web", "kcnp.kube-admin.web"),
        (.globalNetworkPolicy, "kcnp.other.web", "default", "gnp:kcnp.other.web", "default.kcnp.other.web"),
    ])
    func kubernetesPoliciesListedByCalicoKeepTheirNames(
        _ kind: ObjectKind,
        _ name: String,
        _ tier: String,
        _ newer: String,
        _ older: String
    ) {
        let namespace = kind == .calicoNetworkPolicy ? "shop" : nil
        let policy = Make.policy(kind, name, namespace, tier: tier, ingress: [Make.rule(.allow)])
        #expect(trace([policy])?.enforced == ["0|\(tier)|\(newer)|allow|0"])
        #expect(trace([policy], .enterprise)?.enforced == ["0|\(tier)|\(older)|allow|0"])
    }

    @Test
    func equalTracesAreOneObject() {
        let snapshot = Make.snapshot([])
        let one = snapshot.traces(of: Make.tuple(to: 1), source: pod, destination: Make.pod("a", "shop"))
        let other = snapshot.traces(of: Make.tuple(to: 2), source: Make.pod("b", "shop"), destination: pod)
        #expect(one.ingress === other.ingress && one.egress === other.egress)
        #expect(one.ingress === one.egress)
    }

    @Test
    func snapshotStaysTheSameWithoutRelevantChange() {
        var store = PolicyStore(format: .enterprise)
        let source = SourceID(rawValue: 1)
        let policy = passing("default.p", "default")
        store.apply([.upsert(policy)], from: source)
        let first = store.snapshot()
        let unconcerned = ServiceEndpoints(kind: .endpointSlice, metadata: Make.metadata("x", "shop"), service: "x")
        store.apply([.upsert(policy), .upsert(.serviceEndpoints(unconcerned))], from: source)
        #expect(store.snapshot() === first)
        let reference = ObjectReference(kind: .globalNetworkPolicy, namespace: nil, name: "default.p")
        store.apply([.delete(reference, uid: nil)], from: SourceID(rawValue: 2))
        #expect(store.snapshot() === first)
        store.apply([.delete(reference, uid: nil)], from: source)
        #expect(store.snapshot().generation > first.generation)
    }
}

/// A policy without rules, of order 1,000 in the default tier.
private struct TiePair: Sendable {
    var kind: ObjectKind
    var name: String
    var namespace: String?

    init(_ kind: ObjectKind, _ name: String, in namespace: String? = nil) {
        self.kind = kind
        self.name = name
        self.namespace = namespace
    }

    var object: ClusterObject {
        let metadata = Make.metadata(name, namespace)
        switch kind {
        case .networkPolicy: return .networkPolicy(NetworkPolicy(metadata: metadata, spec: NetworkPolicySpec()))
        case .stagedKubernetesNetworkPolicy:
            return .stagedKubernetesPolicy(StagedKubernetesPolicy(metadata: metadata, spec: NetworkPolicySpec()))
        default: return Make.policy(kind, name, namespace, order: 1_000)
        }
    }

    var shortName: String { name.hasPrefix("default.") ? String(name.dropFirst(8)) : name }

    var hitKind: PolicyHit.Kind {
        switch kind {
        case .networkPolicy: .kubernetesNetworkPolicy
        case .stagedKubernetesNetworkPolicy: .stagedKubernetesNetworkPolicy
        case .stagedNetworkPolicy: .stagedNetworkPolicy
        case .stagedGlobalNetworkPolicy: .stagedGlobalNetworkPolicy
        case .globalNetworkPolicy: .globalNetworkPolicy
        default: .networkPolicy
        }
    }
}
