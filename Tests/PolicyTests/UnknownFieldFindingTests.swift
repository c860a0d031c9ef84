import ClusterModel
import FlowModel
import Policy
import Testing

/// Findings for unknown fields of policies and of related objects; the fields have no other effect.
struct UnknownFieldFindingTests {
    private static let unknown = UnknownFields(
        [UnknownField(path: "spec.ingress[0].soruce", suggestion: "source")],
        omitted: 3
    )

    private static func policy(_ unknown: UnknownFields = unknown) -> ClusterObject {
        .calicoPolicy(
            CalicoPolicy(
                kind: .globalNetworkPolicy,
                metadata: Make.metadata("default.p"),
                ingress: [Make.rule(.allow)],
                unknownFields: unknown
            )
        )
    }

    private static func objects(_ unknown: UnknownFields) -> [(ObjectKind, ClusterObject)] {
        let namespaced = Make.metadata("o", "shop")
        let global = Make.metadata("o")
        let spec = NetworkPolicySpec(directions: .ingress)
        let admin = AdminPolicy(
            kind: .clusterNetworkPolicy,
            metadata: global,
            tier: .admin,
            priority: 1,
            subject: .namespaces(LabelSelector()),
            unknownFields: unknown
        )
        return [
            (.networkPolicy, .networkPolicy(NetworkPolicy(metadata: namespaced, spec: spec, unknownFields: unknown))),
            (
                .stagedKubernetesNetworkPolicy,
                .stagedKubernetesPolicy(
                    StagedKubernetesPolicy(metadata: namespaced, spec: spec, unknownFields: unknown)
                )
            ), (.clusterNetworkPolicy, .adminPolicy(admin)),
            (.tier, .tier(Tier(metadata: global, unknownFields: unknown))),
            (.networkSet, .networkSet(NetworkSet(metadata: namespaced, unknownFields: unknown))),
            (.globalNetworkSet, .networkSet(NetworkSet(metadata: global, unknownFields: unknown))),
            (.hostEndpoint, .hostEndpoint(HostEndpoint(metadata: global, node: "n", unknownFields: unknown))),
        ]
    }

    @Test
    func reportsUnknownFieldWithPathAndSuggestion() {
        var store = PolicyStore(format: .enterprise)
        store.apply([.upsert(Self.policy())], from: SourceID(rawValue: 1))
        #expect(
            store.findings.map(\.description) == [
                "GlobalNetworkPolicy default.p: spec.ingress[0].soruce: no such field here; did you mean 'source'? "
                    + "It counts for nothing; an API server refuses or drops it",
                "GlobalNetworkPolicy default.p: spec: 3 more fields that do not exist",
            ]
        )
        #expect(store.findings.allSatisfy { $0.severity == .unusable })
        let pod = Make.pod("pod", "shop")
        let traces = store.snapshot().traces(of: Make.tuple(), source: Make.outside, destination: pod)
        #expect(traces.ingress?.enforced == ["0|default|default.p|allow|0"])
    }

    @Test
    func reportsUnknownFieldsOfEveryKindUntilRemoved() {
        let source = SourceID(rawValue: 1)
        for ((kind, bad), (_, good)) in zip(Self.objects(Self.unknown), Self.objects(UnknownFields())) {
            var store = PolicyStore(format: .enterprise)
            store.apply([.upsert(bad)], from: source)
            #expect(store.findings.map(\.object) == [bad.reference, bad.reference], "\(kind)")
            store.apply([.upsert(good)], from: source)
            #expect(store.findings.isEmpty, "\(kind)")
            store.apply([.upsert(bad), .delete(bad.reference, uid: nil)], from: source)
            #expect(store.findings.isEmpty, "\(kind)")
            store.apply([.upsert(bad), .beginReplace(kind), .endReplace(kind)], from: source)
            #expect(store.findings.isEmpty, "\(kind)")
        }
    }

    /// The store also applies a correction that changes nothing else.
    @Test
    func dropsFindingOfRemovedField() {
        var store = PolicyStore(format: .enterprise)
        store.apply([.upsert(Self.policy())], from: SourceID(rawValue: 1))
        store.apply([.upsert(Self.policy(UnknownFields()))], from: SourceID(rawValue: 1))
        #expect(store.findings.isEmpty)
    }
}
