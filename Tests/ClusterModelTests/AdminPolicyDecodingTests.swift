import ClusterModel
import FlowModel
import Testing

/// The cluster's own policies: AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy.
struct AdminPolicyDecodingTests {
    private static func policy(_ spec: String, as kind: ObjectKind = .adminNetworkPolicy) throws -> AdminPolicy {
        let text = #"{"metadata":{"name":"a"},"spec":{\#(spec)}}"#
        guard case .adminPolicy(let policy)? = try ObjectDecoder.object(text, as: kind) else {
            throw ObjectIssue(reason: "another kind")
        }
        return policy
    }

    @Test(arguments: [
        (ObjectKind.adminNetworkPolicy, #""priority":7"#, AdminPolicy.Tier.admin, 7),
        (.baselineAdminNetworkPolicy, "", .baseline, 0),
        (.clusterNetworkPolicy, #""tier":"Baseline","priority":9"#, .baseline, 9),
        (.clusterNetworkPolicy, #""priority":1,"tier":"Admin""#, .admin, 1),
    ]) func readsTierAndPriority(_ kind: ObjectKind, _ spec: String, _ tier: AdminPolicy.Tier, _ priority: Int) throws {
        let policy = try Self.policy(spec, as: kind)
        #expect(policy.kind == kind)
        #expect(policy.tier == tier)
        #expect(policy.priority == priority)
    }

    private static let shop = LabelSelector(labels: [Label(key: "a", value: "b")])

    @Test(arguments: [
        ("null", AdminPolicy.Subject.unknown), ("{}", .unknown), (#"{"namespaces":{}}"#, .namespaces(LabelSelector())),
        (#"{"namespaces":{"matchLabels":{"a":"b"}}}"#, .namespaces(shop)),
        (#"{"pods":{"podSelector":{"matchLabels":{"a":"b"}}}}"#, .pods(namespaces: LabelSelector(), pods: shop)),
        (
            #"{"pods":{"namespaceSelector":{"matchLabels":{"a":"b"}},"podSelector":{}}}"#,
            .pods(namespaces: shop, pods: LabelSelector())
        ),
        // Of an older version of the API; taken for an empty selector it would select everything.
        (#"{"namespaces":{"namespaceSelector":{"matchLabels":{"a":"b"}}}}"#, .unknown),
        (#"{"pods":{"podSelector":{"podSelector":{}}}}"#, .unknown), (#"{"services":{}}"#, .unknown),
    ]) func decodesSubject(_ text: String, _ expected: AdminPolicy.Subject) throws {
        #expect(try Self.policy(#""subject":\#(text)"#).subject == expected)
    }

    @Test(arguments: [
        ("{}", AdminPolicyPeer.unknown), (#"{"services":{}}"#, .unknown),
        (#"{"namespaces":{}}"#, .namespaces(LabelSelector())),
        (
            #"{"pods":{"namespaceSelector":{},"podSelector":{}}}"#,
            .pods(namespaces: LabelSelector(), pods: LabelSelector())
        ),
        (#"{"nodes":{"matchLabels":{"a":"b"}}}"#, .nodes(shop)),
        (
            #"{"domainNames":["*.example","a.example"]}"#,
            .domainNames(["*.example", "a.example"])
        ),
        (#"{"namespaces":{"sameLabels":["a"]}}"#, .unknown), (#"{"networks":[]}"#, .unknown),
        (#"{"networks":["x"]}"#, .networks([])),
    ]) func decodesPeer(_ text: String, _ expected: AdminPolicyPeer) throws {
        let policy = try Self.policy(#""egress":[{"action":"Deny","to":[\#(text)]}]"#)
        #expect(policy.egress == [AdminPolicyRule(action: .deny, peers: [expected])])
        #expect(policy.ingress == [])
    }

    /// In a custom resource a label that is null is dropped, and in a NetworkPolicy it has an empty value.
    @Test func decodesNullLabelsByKind() throws {
        let selector = #"{"matchLabels":{"a":null,"b":"c"}}"#
        let policy = try Self.policy(#""subject":{"namespaces":\#(selector)}"#)
        #expect(policy.subject == .namespaces(LabelSelector(labels: [Label(key: "b", value: "c")])))
        let text = #"{"metadata":{"name":"a"},"spec":{"podSelector":\#(selector)}}"#
        guard case .networkPolicy(let policy)? = try ObjectDecoder.object(text, as: .networkPolicy) else {
            throw ObjectIssue(reason: "another kind")
        }
        let labels = [Label(key: "a", value: ""), Label(key: "b", value: "c")]
        #expect(policy.spec.podSelector == LabelSelector(labels: labels))
    }

    /// A peer that the API of the kind and direction does not have is unknown.
    @Test func marksPeersOfOtherKindsUnknown() throws {
        let peers = #"[{"networks":["::/0"]},{"domainNames":["a.b"]}]"#
        let rules = #""ingress":[{"action":"Deny","from":\#(peers)}],"egress":[{"action":"Deny","to":\#(peers)}]"#
        let range = try #require(IPPrefix("::/0"))
        for (kind, domains) in [
            (ObjectKind.adminNetworkPolicy, AdminPolicyPeer.domainNames(["a.b"])),
            (.baselineAdminNetworkPolicy, .unknown),
        ] {
            let policy = try Self.policy(rules, as: kind)
            #expect(policy.ingress == [AdminPolicyRule(action: .deny, peers: [.unknown, .unknown])])
            #expect(policy.egress == [AdminPolicyRule(action: .deny, peers: [.networks([range]), domains])])
        }
    }

    @Test func decodesNetworks() throws {
        let policy = try Self.policy(#""egress":[{"action":"Deny","to":[{"networks":["10.0.0.0/8","::/0"]}]}]"#)
        let ranges = ["10.0.0.0/8", "::/0"].compactMap { IPPrefix($0) }
        #expect(policy.egress.first?.peers == [.networks(ranges)])
    }

    @Test(arguments: [
        ("Allow", AdminPolicyRule.Action.accept), ("Accept", .accept), ("Deny", .deny), ("Pass", .pass),
    ]) func decodesAction(_ text: String, _ expected: AdminPolicyRule.Action) throws {
        let policy = try Self.policy(#""ingress":[{"name":"r","action":"\#(text)","from":[]}]"#)
        #expect(policy.ingress == [AdminPolicyRule(name: "r", action: expected, peers: [])])
    }

    @Test(
        arguments: [
            (#""ports":null"#, nil), (#""ports":[]"#, []),
            (
                #""ports":[{"portNumber":{"protocol":"UDP","port":53}}]"#,
                [PolicyPort(proto: .udp, port: .range(53...53))]
            ),
            (#""ports":[{"portNumber":{"port":53}}]"#, [PolicyPort(proto: .tcp, port: .range(53...53))]),
            (
                #""ports":[{"portRange":{"protocol":"SCTP","start":1,"end":9}}]"#,
                [PolicyPort(proto: .sctp, port: .range(1...9))]
            ),
            (
                #""ports":[{"portRange":{"start":9,"end":1}},{}]"#,
                [
                    PolicyPort(proto: .tcp, port: .unreadable),
                    PolicyPort(proto: nil, port: .unreadable),
                ]
            ),
            (#""ports":[{"namedPort":"http"}]"#, [PolicyPort(proto: nil, port: .name("http"))]),
            (
                #""protocols":[{"tcp":{"destinationPort":{"number":80}}},{"udp":{"destinationPort":{"range":{"start":1,"end":9}}}}]"#,
                [PolicyPort(proto: .tcp, port: .range(80...80)), PolicyPort(proto: .udp, port: .range(1...9))]
            ),
            (
                #""protocols":[{"sctp":{}},{"destinationNamedPort":"http"},{"icmp":{}},{"tcp":{"destinationPort":{}}}]"#,
                [
                    PolicyPort(proto: .sctp, port: nil), PolicyPort(proto: nil, port: .name("http")),
                    PolicyPort(proto: nil, port: .unreadable), PolicyPort(proto: .tcp, port: .unreadable),
                ]
            ),
        ] as [(String, [PolicyPort]?)]
    ) func decodesPorts(_ text: String, _ expected: [PolicyPort]?) throws {
        let isCluster = text.hasPrefix(#""protocols""#)
        let policy = try Self.policy(
            (isCluster ? #""tier":"Admin","# : "") + #""ingress":[{"action":"Deny",\#(text)}]"#,
            as: isCluster ? .clusterNetworkPolicy : .adminNetworkPolicy
        )
        #expect(policy.ingress == [AdminPolicyRule(action: .deny, peers: [], ports: expected)])
    }
}
