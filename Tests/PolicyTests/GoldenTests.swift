import ClusterModel
import FlowModel
import Policy
import Testing

/// The cases of Calico's own tests for enforced and staged policies, in both formats of hits.
struct GoldenTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var source: String
        var destination: String
        var isIngress: Bool
        var action: FlowAction
        var enforced: [String]
        var pending: [String]

        var testDescription: String { "\(source) to \(destination) \(isIngress ? "dst" : "src")" }
    }

    private static func both(_ source: String, _ destination: String, _ isIngress: Bool, _ hits: [String]) -> Case {
        let action: FlowAction = hits.last?.contains("|deny|") ?? true ? .deny : .allow
        return Case(
            source: source,
            destination: destination,
            isIngress: isIngress,
            action: action,
            enforced: hits,
            pending: hits
        )
    }

    static let cases: [Case] = [
        both("ep1-1", "ep2-1", false, ["0|default|gnp:default.ep1-1-allow-all|allow|0"]),
        both("ep1-1", "ep2-2", false, ["0|default|gnp:default.ep1-1-allow-all|allow|0"]),
        both("ep1-1", "ep2-3", false, ["0|default|gnp:default.ep1-1-allow-all|allow|0"]),
        both("ep2-1", "ep1-1", true, ["0|default|gnp:default.ep1-1-allow-all|allow|0"]),
        both("ep1-1", "ep2-1", true, ["0|tier1|np:default/tier1.np1-1|allow|0"]),
        Case(
            source: "ep1-1",
            destination: "ep2-2",
            isIngress: true,
            action: .allow,
            enforced: ["0|tier1|np:default/tier1.np1-1|pass|1", "1|default|np:default/default.np3-3|allow|0"],
            pending: ["0|tier1|np:default/tier1.np1-1|pass|1", "1|tier2|snp:default/tier2.np2-3|allow|0"]
        ),
        Case(
            source: "ep1-1",
            destination: "ep2-3",
            isIngress: true,
            action: .deny,
            enforced: ["0|tier2|np:default/tier2.np2-4|deny|0"],
            pending: ["0|tier2|snp:default/tier2.np2-3|deny|1"]
        ),
        Case(
            source: "ep2-1",
            destination: "ep1-1",
            isIngress: false,
            action: .allow,
            enforced: ["0|tier1|np:default/tier1.np1-1|pass|0", "1|__PROFILE__|pro:kns.default|allow|0"],
            pending: ["0|tier1|np:default/tier1.np1-1|pass|0", "1|tier2|snp:default/tier2.np2-1|allow|0"]
        ),
        both("ep2-2", "ep1-1", false, ["0|tier1|np:default/tier1.np1-1|deny|1"]),
        both("ep2-3", "ep1-1", false, ["0|tier2|gnp:tier2.gnp2-2|deny|0"]),
    ]

    /// The hits of ``cases`` in the older format.
    private static let older = [
        "gnp:default.ep1-1-allow-all": "default.ep1-1-allow-all", "np:default/tier1.np1-1": "default/tier1.np1-1",
        "np:default/default.np3-3": "default/default.np3-3", "snp:default/tier2.np2-3": "default/tier2.staged:np2-3",
        "np:default/tier2.np2-4": "default/tier2.np2-4", "pro:kns.default": "__PROFILE__.kns.default",
        "snp:default/tier2.np2-1": "default/tier2.staged:np2-1", "gnp:tier2.gnp2-2": "tier2.gnp2-2",
    ]

    private static let endpoints = Dictionary(
        uniqueKeysWithValues: ["ep1-1", "ep2-1", "ep2-2", "ep2-3"].map { ($0, Make.pod($0, "default", ["name": $0])) }
    )

    private static let policies: [ClusterObject] = {
        let allow = [Make.rule(.allow)]
        let one = "name == 'ep2-1'"
        let two = "name == 'ep2-2'"
        let three = "name == 'ep2-3'"
        var objects = [
            Make.namespace("default"), Make.tier("tier1", 1), Make.tier("tier2", 2),
            Make.policy(
                .globalNetworkPolicy,
                "default.ep1-1-allow-all",
                order: 1,
                selector: "name == 'ep1-1'",
                ingress: allow,
                egress: allow
            ),
            Make.policy(
                .calicoNetworkPolicy,
                "tier1.np1-1",
                "default",
                tier: "tier1",
                order: 1,
                selector: "name in {'ep2-1', 'ep2-2'}",
                ingress: [Make.rule(.allow, to: one), Make.rule(.pass, to: two)],
                egress: [Make.rule(.pass, from: one), Make.rule(.deny, from: two)]
            ),
            Make.policy(
                .stagedNetworkPolicy,
                "tier2.np2-1",
                "default",
                tier: "tier2",
                order: 1,
                selector: one,
                directions: .egress,
                egress: allow
            ),
            Make.policy(
                .globalNetworkPolicy,
                "tier2.gnp2-2",
                tier: "tier2",
                order: 2,
                selector: three,
                directions: .egress,
                egress: [Make.rule(.deny)]
            ),
            Make.policy(
                .stagedGlobalNetworkPolicy,
                "tier2.gnp2-2",
                tier: "tier2",
                order: 2,
                selector: three,
                directions: .ingress
            ),
            Make.policy(
                .stagedNetworkPolicy,
                "tier2.np2-3",
                "default",
                tier: "tier2",
                order: 3,
                selector: "name in {'ep2-2', 'ep2-3'}",
                directions: .ingress,
                ingress: [Make.rule(.allow, to: two), Make.rule(.deny, to: three)]
            ),
            Make.policy(
                .calicoNetworkPolicy,
                "tier2.np2-4",
                "default",
                tier: "tier2",
                order: 3,
                selector: three,
                directions: .ingress,
                ingress: [Make.rule(.deny)]
            ),
        ]
        for number in 1...9 {
            let spec = NetworkPolicySpec(
                podSelector: LabelSelector(labels: [Label(key: "name", value: "ep2-1")]),
                directions: .egress
            )
            let metadata = Make.metadata("knp3-\(number)", "default")
            objects.append(.stagedKubernetesPolicy(StagedKubernetesPolicy(metadata: metadata, spec: spec)))
        }
        let kinds: [ObjectKind] = [.stagedNetworkPolicy, .calicoNetworkPolicy, .stagedNetworkPolicy]
        for (index, kind) in kinds.enumerated() {
            objects.append(
                Make.policy(
                    kind,
                    "default.np3-\(index + 2)",
                    "default",
                    order: Double(index + 1),
                    selector: two,
                    directions: .ingress,
                    ingress: allow
                )
            )
        }
        return objects
    }()

    @Test(arguments: cases, PolicyFormat.allCases)
    func tracesMatchCalico(_ test: Case, _ format: PolicyFormat) throws {
        let snapshot = Make.snapshot(Self.policies, format)
        let (egress, ingress) = snapshot.traces(
            of: Make.tuple(to: 8055),
            source: try #require(Self.endpoints[test.source]),
            destination: try #require(Self.endpoints[test.destination])
        )
        let trace = try #require(test.isIngress ? ingress : egress)
        #expect(trace.action == test.action)
        #expect(trace.enforced == expected(test.enforced, format))
        #expect(trace.pending == expected(test.pending, format))
    }

    private func expected(_ hits: [String], _ format: PolicyFormat) -> [String] {
        guard format == .enterprise else { return hits }
        return hits.map { hit in
            var parts = hit.split(separator: "|").map(String.init)
            parts[2] = Self.older[parts[2]] ?? "?"
            return parts.joined(separator: "|")
        }
    }

    /// The well-known example: the end of a tier denies traffic to a database, and a staged policy would allow it.
    @Test
    func endOfTierDeniesTrafficToDatabase() throws {
        var objects = [Make.namespace("yaobank"), Make.tier("tigera-security", 100), Make.tier("security", 200)]
        objects += [Make.tier("platform", 300), Make.tier("application", 400)]
        objects.append(.networkSet(NetworkSet(metadata: Make.metadata("threats", nil, ["feed": "threat"]))))
        objects += [
            Make.policy(
                .globalNetworkPolicy,
                "tigera-security.block-alienvault-ipthreatfeed",
                tier: "tigera-security",
                order: 0,
                directions: .ingress,
                ingress: [Make.rule(.deny, from: "feed == 'threat'"), Make.rule(.pass)]
            ),
            Make.policy(
                .globalNetworkPolicy,
                "security.security-default-pass",
                tier: "security",
                ingress: [Make.rule(.pass)],
                egress: [Make.rule(.pass)]
            ),
            Make.policy(
                .globalNetworkPolicy,
                "platform.platform-default-pass",
                tier: "platform",
                ingress: [Make.rule(.pass)],
                egress: [Make.rule(.pass)]
            ),
            Make.policy(
                .calicoNetworkPolicy,
                "application.allow-customer",
                "yaobank",
                tier: "application",
                order: 1,
                selector: "app == 'database'",
                directions: .ingress,
                ingress: [Make.rule(.allow, from: "app == 'summary'")]
            ),
            Make.policy(
                .stagedNetworkPolicy,
                "application.open-database",
                "yaobank",
                tier: "application",
                order: 0,
                selector: "app == 'database'",
                directions: .ingress,
                ingress: [Make.rule(.allow, from: "app == 'customer'")]
            ),
        ]
        let snapshot = Make.snapshot(objects, .enterprise)
        let (_, ingress) = snapshot.traces(
            of: Make.tuple(to: 2379),
            source: Make.pod("customer-856cd6d9f5-x", "yaobank", ["app": "customer"]),
            destination: Make.pod("database-69f6f4db5b-y", "yaobank", ["app": "database"])
        )
        let trace = try #require(ingress)
        let passes = [
            "0|tigera-security|tigera-security.block-alienvault-ipthreatfeed|pass|1",
            "1|security|security.security-default-pass|pass|0", "2|platform|platform.platform-default-pass|pass|0",
        ]
        #expect(trace.action == .deny)
        #expect(trace.enforced == passes + ["3|application|yaobank/application.allow-customer|deny|-1"])
        #expect(trace.pending == passes + ["3|application|yaobank/application.staged:open-database|allow|0"])
    }
}
