import ClusterModel
import FlowModel
import Policy
import Testing

/// The catalogue of policies, and independent copies of stores.
struct CatalogueTests {
    private static let source = SourceID(rawValue: 1)

    private func store(_ objects: [ClusterObject], _ format: PolicyFormat = .enterprise) -> PolicyStore {
        var store = PolicyStore(format: format)
        store.apply(objects.map { .upsert($0) }, from: Self.source)
        return store
    }

    /// The catalogue has policies in order of evaluation, and rules with the numbers of hits; rules that log have one, too.
    @Test(arguments: [PolicyFormat.enterprise, .calico332])
    func catalogueRulesHaveNumbersOfHits(_ format: PolicyFormat) throws {
        let rules = [Make.rule(.log), Make.rule(.deny, from: "app == 'x'"), Make.rule(.allow)]
        var store = store(
            [
                Make.tier("b", 20, .pass), Make.tier("a", 10), Make.tier("empty", 5),
                Make.policy(.networkPolicy, "b.late", "shop", tier: "b", order: 2, ingress: rules),
                Make.policy(.stagedNetworkPolicy, "b.early", "shop", tier: "b", order: 1, directions: [.egress]),
                Make.policy(
                    .globalNetworkPolicy,
                    "a.one",
                    tier: "a",
                    selector: "app == 'web'",
                    ingress: [Make.rule(.pass)]
                ),
                Make.policy(.globalNetworkPolicy, "nowhere", tier: "none", ingress: [Make.rule(.pass)]),
            ],
            format
        )
        let catalogue = store.snapshot().catalogue
        #expect(catalogue.tiers.map(\.name) == ["a", "b"])
        #expect(catalogue.tiers.map(\.defaultAction) == [.deny, .pass])
        #expect(catalogue.tiers[0].policies[0].selector.contains("app"))
        let (early, late) = (catalogue.tiers[1].policies[0], catalogue.tiers[1].policies[1])
        #expect(early.kind == .stagedNetworkPolicy && early.rules.isEmpty)
        #expect(late.rules.map(\.index) == [1, 2])
        #expect(late.rules.map(\.action) == [.deny, .allow])
        #expect(late.rules.map(\.isIngress) == [true, true])
        #expect(late.rules[0].text.contains("source is selected by") && late.rules[1].text == "everything")
        let trace = store.snapshot().traces(
            of: Make.tuple(),
            source: Make.outside,
            destination: Make.pod("pod", "shop", ["app": "web"])
        )
        let hit = try #require(trace.ingress?.enforced.last)
        #expect(hit.contains("|\(late.id)|allow|2"), "\(hit)")
    }

    /// Policies that govern forwarded traffic, too or only, are listed with their rules and marked.
    @Test func catalogueMarksPoliciesForForwardedTraffic() {
        func policy(
            _ name: String,
            doNotTrack: Bool = false,
            preDNAT: Bool = false,
            applyOnForward: Bool
        ) -> ClusterObject {
            .calicoPolicy(
                CalicoPolicy(
                    kind: .globalNetworkPolicy,
                    metadata: Make.metadata(name),
                    directions: [.ingress],
                    ingress: [Make.rule(.allow)],
                    doNotTrack: doNotTrack,
                    preDNAT: preDNAT,
                    applyOnForward: applyOnForward
                )
            )
        }
        var store = store([
            policy("a", applyOnForward: true), policy("b", applyOnForward: false),
            policy("c", preDNAT: true, applyOnForward: true), policy("d", doNotTrack: true, applyOnForward: true),
        ])
        let policies = store.snapshot().catalogue.tiers.flatMap(\.policies)
        let isMarked = Dictionary(policies.map { ($0.name, $0.appliesOnForward) }) { $1 }
        #expect(isMarked == ["a": true, "b": false, "c": true, "d": true])
        #expect(policies.allSatisfy { $0.rules.map(\.text) == ["everything"] })
    }

    /// A copy does not use cached results of the other one, although both give selectors the same numbers.
    @Test func forkedStoreDecidesByItsOwnPolicies() throws {
        let pod = Make.pod("pod", "shop", ["app": "web"])
        func action(_ store: inout PolicyStore) -> FlowAction? {
            store.snapshot().traces(of: Make.tuple(), source: Make.outside, destination: pod).ingress?.action
        }
        var original = store([Make.policy(.networkPolicy, "default.old", "shop", ingress: [Make.rule(.allow)])])
        #expect(action(&original) == .allow)
        var copy = original.forked()
        #expect(action(&copy) == .allow)
        func policy(_ selector: String, _ name: String) -> ClusterObject {
            Make.policy(
                .networkPolicy,
                "default.\(name)",
                "shop",
                order: 1,
                selector: selector,
                ingress: [Make.rule(.deny)]
            )
        }
        // Both are the second selector of their stores.
        original.apply([.upsert(policy("app == 'other'", "one"))], from: Self.source)
        copy.apply([.upsert(policy("app == 'web'", "two"))], from: Self.source)
        #expect(action(&original) == .allow)
        #expect(action(&copy) == .deny)
        #expect(action(&original) == .allow)
    }
}
