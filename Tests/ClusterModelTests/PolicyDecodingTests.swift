import ClusterModel
import FlowModel
import Testing

/// Policies of Kubernetes and Calico, with members that are present, empty and absent.
struct PolicyDecodingTests {
    private static func object(_ spec: String, as kind: ObjectKind) throws -> ClusterObject {
        try #require(
            try ObjectDecoder.object(#"{"metadata":{"name":"a","namespace":"n"},"spec":{\#(spec)}}"#, as: kind)
        )
    }

    private static func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }

    // MARK: - Kubernetes

    private static func networkPolicy(_ spec: String) throws -> NetworkPolicySpec {
        guard case .networkPolicy(let policy) = try object(spec, as: .networkPolicy) else {
            throw ObjectIssue(reason: "another kind")
        }
        return policy.spec
    }

    @Test(
        arguments: [
            ("", PolicyDirections.ingress), (#""policyTypes":[]"#, .ingress),
            (#""policyTypes":null,"egress":[]"#, .ingress),
            (#""egress":[{}]"#, [.ingress, .egress]), (#""policyTypes":["Egress"]"#, .egress),
            (#""policyTypes":["Ingress","Egress"]"#, [.ingress, .egress]),
            (#""policyTypes":["Ingress"],"egress":[{}]"#, .ingress),
        ] as [(String, PolicyDirections)]
    ) func decodesDirections(_ spec: String, _ expected: PolicyDirections) throws {
        #expect(try Self.networkPolicy(spec).directions == expected)
    }

    /// An absent list, an empty list, and a list of one empty member are different.
    @Test(arguments: [
        ("{}", NetworkPolicyRule()), (#"{"from":null,"ports":null}"#, NetworkPolicyRule()),
        ("null", NetworkPolicyRule()),
        (#"{"from":[],"ports":[]}"#, NetworkPolicyRule(peers: [], ports: [])),
        (#"{"from":[{}]}"#, NetworkPolicyRule(peers: [.unknown])),
        (#"{"from":[{"podSelector":{}}]}"#, NetworkPolicyRule(peers: [.pods(namespaces: nil, pods: LabelSelector())])),
        (
            #"{"from":[{"namespaceSelector":{}}]}"#,
            NetworkPolicyRule(peers: [.pods(namespaces: LabelSelector(), pods: nil)])
        ),
        (
            #"{"from":[{"namespaceSelector":{},"podSelector":null}]}"#,
            NetworkPolicyRule(peers: [.pods(namespaces: LabelSelector(), pods: nil)])
        ),
        (#"{"from":[{"ipBlock":{"cidr":"x"}}]}"#, NetworkPolicyRule(peers: [.block(IPBlock(range: nil))])),
        (#"{"to":[{}]}"#, NetworkPolicyRule()),
        (#"{"ports":[{}]}"#, NetworkPolicyRule(ports: [PolicyPort(proto: .tcp, port: nil)])),
        (#"{"ports":[{"protocol":"UDP"}]}"#, NetworkPolicyRule(ports: [PolicyPort(proto: .udp, port: nil)])),
        (#"{"ports":[{"port":80}]}"#, NetworkPolicyRule(ports: [PolicyPort(proto: .tcp, port: .range(80...80))])),
        (
            #"{"ports":[{"port":"http","protocol":"TCP"}]}"#,
            NetworkPolicyRule(ports: [PolicyPort(proto: .tcp, port: .name("http"))])
        ),
        (
            #"{"ports":[{"endPort":90,"port":80,"protocol":"SCTP"}]}"#,
            NetworkPolicyRule(ports: [PolicyPort(proto: .sctp, port: .range(80...90))])
        ),
        (
            #"{"ports":[{"port":80,"endPort":79}]}"#,
            NetworkPolicyRule(ports: [PolicyPort(proto: nil, port: .unreadable)])
        ),
        (#"{"ports":[{"port":65536}]}"#, NetworkPolicyRule(ports: [PolicyPort(proto: nil, port: .unreadable)])),
        (#"{"ports":[{"protocol":"QUIC"}]}"#, NetworkPolicyRule(ports: [PolicyPort(proto: nil, port: .unreadable)])),
    ]) func decodesRule(_ rule: String, _ expected: NetworkPolicyRule) throws {
        #expect(try Self.networkPolicy(#""ingress":[\#(rule)]"#).ingress == [expected])
        #expect(try Self.networkPolicy(#""ingress":[\#(rule)]"#).egress == [])
    }

    @Test func decodesRecordedPolicy() throws {
        let bytes = try Fixture.bytes("list/networkpolicies.json")
        let policies = try ObjectDecoder.objects(in: bytes.span).map { try $0.get() }
        guard case .networkPolicy(let vault)? = policies.first(where: { $0.metadata.name == "vault-from-cart" }),
            case .networkPolicy(let dns)? = policies.first(where: { $0.metadata.name == "dns-and-partner" })
        else { return #expect(Bool(false)) }
        let apps = LabelSelector.Requirement(key: "app", comparison: .in, values: ["cart", "migrate"])
        let shop = LabelSelector(labels: [Label(key: "kubernetes.io/metadata.name", value: "shop")])
        let expected = NetworkPolicySpec(
            podSelector: LabelSelector(labels: [Label(key: "app", value: "card-vault")]),
            directions: .ingress,
            ingress: [
                NetworkPolicyRule(
                    peers: [.pods(namespaces: shop, pods: LabelSelector(requirements: [apps]))],
                    ports: [PolicyPort(proto: .tcp, port: .name("pg"))]
                )
            ]
        )
        #expect(vault.spec == expected)
        #expect(dns.spec.directions == .egress)
        let block = IPBlock(
            range: try Self.prefix("198.51.100.0/24"),
            except: [try Self.prefix("198.51.100.128/25")]
        )
        #expect(
            dns.spec.egress.dropFirst() == [
                NetworkPolicyRule(peers: [.block(block)], ports: [PolicyPort(proto: .tcp, port: .range(8000...8099))]),
                NetworkPolicyRule(peers: [.block(IPBlock(range: try Self.prefix("2001:db8::/32")))]),
            ]
        )
    }

    @Test func decodesStagedKubernetesPolicy() throws {
        for (text, action) in [("", StagedAction.set), (#","stagedAction":"Delete""#, .delete)] {
            let object = try Self.object(
                #""podSelector":{}\#(text),"policyTypes":["Egress"]"#,
                as: .stagedKubernetesNetworkPolicy
            )
            guard case .stagedKubernetesPolicy(let policy) = object else { return #expect(Bool(false)) }
            #expect(policy.stagedAction == action)
            #expect(policy.spec == NetworkPolicySpec(directions: .egress))
        }
    }

    // MARK: - Calico

    private static func calico(_ spec: String, as kind: ObjectKind = .calicoNetworkPolicy) throws -> CalicoPolicy {
        guard case .calicoPolicy(let policy) = try object(spec, as: kind) else {
            throw ObjectIssue(reason: "another kind")
        }
        return policy
    }

    @Test(
        arguments: [
            ("", PolicyDirections.ingress), (#""ingress":[],"egress":[]"#, .ingress),
            (#""egress":[{"action":"Deny"}]"#, .egress),
            (#""ingress":[{"action":"Deny"}]"#, .ingress),
            (#""ingress":[{"action":"Deny"}],"egress":[{"action":"Deny"}]"#, [.ingress, .egress]),
            (#""types":["Egress"],"ingress":[{"action":"Deny"}]"#, .egress),
            (#""types":["Ingress","Egress"]"#, [.ingress, .egress]),
        ] as [(String, PolicyDirections)]
    ) func decodesCalicoDirections(_ spec: String, _ expected: PolicyDirections) throws {
        #expect(try Self.calico(spec).directions == expected)
    }

    @Test func decodesCalicoPolicyWithAllFields() throws {
        let policy = try Self.calico(
            #"""
            "tier":"security","order":50.5,"selector":"all()","namespaceSelector":"has(a)","serviceAccountSelector":"b",
            "types":["Ingress","Egress"],"doNotTrack":true,"preDNAT":true,"applyOnForward":true,"stagedAction":"Learn",
            "performanceHints":["AssumeNeededOnEveryNode"],
            "ingress":[{"action":"Log","metadata":{"annotations":{"a":"b"}}}],
            "egress":[{"action":"Allow","ipVersion":4,"protocol":"TCP","notProtocol":17,"icmp":{"type":8,"code":0},
            "notICMP":{"type":3},"http":{"methods":["GET"],"paths":[{"exact":"/a"},{"prefix":"/b"},{}]},
            "source":{"nets":["10.0.0.0/8"],"notNets":["10.1.0.0/16","x"],"selector":"c","notSelector":"d",
            "namespaceSelector":"global()","ports":[80,"8080:8090","http","99"],"notPorts":["9:1",70000,null,"a:b","::"],
            "serviceAccounts":{"names":["e"],"selector":"f"}},
            "destination":{"services":{"name":"g","namespace":"h"},"domains":["*.example"]}}]
            """#,
            as: .stagedGlobalNetworkPolicy
        )
        let source = EntityRule(
            nets: [try Self.prefix("10.0.0.0/8")],
            notNets: [try Self.prefix("10.1.0.0/16")],
            selector: "c",
            notSelector: "d",
            namespaceSelector: "global()",
            ports: [.range(80...80), .range(8080...8090), .name("http"), .range(99...99)],
            notPorts: Array(repeating: .unreadable, count: 5),
            serviceAccounts: ServiceAccountMatch(names: ["e"], selector: "f")
        )
        let rule = CalicoRule(
            action: .allow,
            ipVersion: 4,
            proto: .number(.tcp),
            notProto: .number(.udp),
            icmp: ICMPMatch(type: 8, code: 0),
            notICMP: ICMPMatch(type: 3),
            http: HTTPMatch(methods: ["GET"], paths: [.exact("/a"), .prefix("/b"), .unknown]),
            source: source,
            destination: EntityRule(service: ServiceMatch(name: "g", namespace: "h"), domains: ["*.example"])
        )
        let expected = CalicoPolicy(
            kind: .stagedGlobalNetworkPolicy,
            metadata: ObjectMetadata(name: "a"),
            tier: "security",
            order: 50.5,
            selector: "all()",
            namespaceSelector: "has(a)",
            serviceAccountSelector: "b",
            directions: [.ingress, .egress],
            ingress: [CalicoRule(action: .log)],
            egress: [rule],
            doNotTrack: true,
            preDNAT: true,
            applyOnForward: true,
            stagedAction: .learn
        )
        #expect(policy == expected)
    }

    @Test func appliesCalicoDefaults() throws {
        #expect(try Self.calico(#""tier":"","order":null"#).tier == "default")
        #expect(try Self.calico(#""tier":"","order":null"#).order == nil)
        #expect(try Self.calico(#""stagedAction":"Set""#).stagedAction == nil)
        #expect(try Self.calico("", as: .stagedNetworkPolicy).stagedAction == .set)
    }

    /// A list of ranges restricts, also when nothing in it can be read.
    @Test(
        arguments: [
            ("{}", nil), (#"{"nets":null}"#, nil), (#"{"nets":[]}"#, nil), (#"{"nets":["x"]}"#, []),
            (#"{"nets":["10.0.0.0/8","x"]}"#, ["10.0.0.0/8"]),
        ] as [(String, [String]?)]
    ) func decodesNets(_ source: String, _ expected: [String]?) throws {
        let policy = try Self.calico(#""ingress":[{"action":"Deny","source":\#(source)}]"#)
        #expect(policy.ingress[0].source.nets?.map(\.description) == expected)
    }

    @Test(
        arguments: [
            (#""TCP""#, .number(.tcp)), (#""tcp""#, .number(.tcp)), (#""ICMPv6""#, .number(.icmp6)),
            (#""UDPLite""#, .number(IPProtocol(rawValue: 136))), ("132", .number(.sctp)),
            (#""47""#, .number(IPProtocol(rawValue: 47))),
            ("0", .unreadable), ("256", .unreadable), (#""any""#, .unreadable), ("null", nil),
        ] as [(String, ProtocolMatch?)]
    ) func decodesProtocol(_ text: String, _ expected: ProtocolMatch?) throws {
        #expect(try Self.calico(#""ingress":[{"action":"Deny","protocol":\#(text)}]"#).ingress[0].proto == expected)
    }

    /// Where a missing condition would widen a rule, a wrong type is an error.
    @Test(arguments: [
        (ObjectKind.calicoNetworkPolicy, #""ingress":[{}]"#, "spec.ingress[0]"),
        (.calicoNetworkPolicy, #""ingress":[{"action":"Deny","source":"x"}]"#, "spec.ingress[0].source"),
        (
            .calicoNetworkPolicy, #""egress":[{"action":"Deny","destination":{"nets":"10.0.0.0/8"}}]"#,
            "spec.egress[0].destination.nets"
        ),
        (.calicoNetworkPolicy, #""ingress":[{"action":"Deny","icmp":{"type":256}}]"#, "spec.ingress[0].icmp.type"),
        (
            .calicoNetworkPolicy, #""ingress":[{"action":"Deny","source":{"services":{}}}]"#,
            "spec.ingress[0].source.services"
        ),
        (.calicoNetworkPolicy, #""types":["Both"]"#, "spec.types[0]"),
        (.calicoNetworkPolicy, #""order":"1""#, "spec.order"),
        (.stagedNetworkPolicy, #""stagedAction":"Do""#, "spec.stagedAction"),
        (.tier, #""defaultAction":"Allow""#, "spec.defaultAction"),
        (.networkPolicy, #""podSelector":"x""#, "spec.podSelector"),
        (.networkPolicy, #""ingress":[7]"#, "spec.ingress[0]"),
        (
            .networkPolicy, #""podSelector":{"matchExpressions":[{"key":"a","operator":"Is"}]}"#,
            "spec.podSelector.matchExpressions[0].operator"
        ),
        (.networkPolicy, #""podSelector":{"matchExpressions":[{"key":"a"}]}"#, "spec.podSelector.matchExpressions[0]"),
        (.clusterNetworkPolicy, #""priority":1"#, "spec"),
        (.adminNetworkPolicy, #""ingress":[{"action":"Log"}]"#, "spec.ingress[0].action"),
        (.adminNetworkPolicy, #""ingress":[{"from":[]}]"#, "spec.ingress[0]"),
    ]) func rejectsWrongTypesThatWouldWidenRule(_ kind: ObjectKind, _ spec: String, _ path: String) throws {
        let error = try #require(throws: ObjectIssue.self) { try Self.object(spec, as: kind) }
        #expect(PathComponent.text(error.path) == path)
        #expect(error.reference == ObjectReference(kind: kind, namespace: kind.isNamespaced ? "n" : nil, name: "a"))
    }

    @Test(
        arguments: [
            ("", nil, Tier.DefaultAction.deny), (#""order":100,"defaultAction":"Pass""#, 100, .pass),
            (#""order":null,"defaultAction":"Deny""#, nil, .deny),
            (#""order":1e6,"defaultAction":"""#, 1_000_000, .deny),
        ] as [(String, Double?, Tier.DefaultAction)]
    ) func decodesTier(_ spec: String, _ order: Double?, _ action: Tier.DefaultAction) throws {
        guard case .tier(let tier) = try Self.object(spec, as: .tier) else { return #expect(Bool(false)) }
        #expect(tier == Tier(metadata: ObjectMetadata(name: "a"), order: order, defaultAction: action))
    }

    @Test func decodesRecordedCalicoPolicy() throws {
        let bytes = try Fixture.bytes("list/calico-globalnetworkpolicies.json")
        guard
            case .calicoPolicy(let policy)? = try ObjectDecoder.objects(in: bytes.span).map({ try $0.get() })
                .first(where: { $0.metadata.name == "security.block-bad" })
        else { return #expect(Bool(false)) }
        #expect(policy.tier == "security")
        #expect(policy.order == 10)
        #expect(policy.selector == "all()")
        #expect(policy.directions == [.ingress, .egress])
        #expect(
            policy.egress == [
                CalicoRule(action: .deny, destination: EntityRule(selector: #"role == "bad-actors""#)),
                CalicoRule(action: .pass),
            ]
        )
        #expect(
            policy.ingress == [
                CalicoRule(
                    action: .deny,
                    proto: .number(.tcp),
                    source: EntityRule(nets: [try Self.prefix("203.0.113.0/24")]),
                    destination: EntityRule(ports: [.range(22...22), .range(8000...8100)])
                ),
                CalicoRule(action: .pass),
            ]
        )
    }
}
