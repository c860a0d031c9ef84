import ClusterModel
import FlowModel
import Testing

@testable import Policy

/// The decisions of host endpoints' policies on forwarded traffic.
struct TransitTests {
    /// A global policy for host endpoints.
    private static func policy(
        _ name: String,
        _ hook: PolicyHook,
        tier: String = "default",
        order: Double = 1,
        ingress: [CalicoRule] = [],
        egress: [CalicoRule] = []
    ) -> ClusterObject {
        .calicoPolicy(
            CalicoPolicy(
                kind: .globalNetworkPolicy,
                metadata: Make.metadata(name),
                tier: tier,
                order: order,
                selector: "role == 'gateway'",
                directions: egress.isEmpty ? .ingress : ingress.isEmpty ? .egress : [.ingress, .egress],
                ingress: ingress,
                egress: egress,
                doNotTrack: hook == .untracked,
                preDNAT: hook == .preDNAT,
                applyOnForward: hook != .end
            )
        )
    }

    private static func endpoint(
        _ name: String,
        _ interface: String?,
        _ addresses: [String] = [],
        node: String = "gw",
        role: String = "gateway"
    ) -> ClusterObject {
        .hostEndpoint(
            HostEndpoint(
                metadata: Make.metadata(name, nil, ["role": role]),
                node: node,
                interfaceName: interface,
                addresses: addresses.map(Make.address)
            )
        )
    }

    private static func rule(_ action: CalicoRule.Action, port: UInt16? = nil, to net: String? = nil) -> CalicoRule {
        CalicoRule(
            action: action,
            proto: port == nil ? nil : .number(.tcp),
            destination: EntityRule(nets: net.map { [Make.net($0)] }, ports: port.map { [.range($0...$0)] } ?? [])
        )
    }

    private static func connection(
        _ direction: ForwardedConnection.Direction = .entering,
        port: UInt16 = 443,
        called: (String, UInt16)? = nil,
        from source: String = "192.0.2.1",
        interface: HostInterface = HostInterface(node: "gw", name: "eth0", addresses: [])
    ) -> ForwardedConnection {
        ForwardedConnection(
            packets: Make.tuple(source, "10.0.0.9", to: port),
            called: called.map { (Make.address($0.0), $0.1) } ?? (Make.address("10.0.0.9"), port),
            source: Make.outside,
            destination: Make.outside,
            interface: interface,
            direction: direction
        )
    }

    /// Policies, a connection, and its action and hits; the action is nil if no policy governs it.
    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var objects: [ClusterObject]
        var connection: ForwardedConnection
        var action: FlowAction?
        var hits: [String] = []
    }

    static let cases = [
        Case(
            testDescription: "no policy for forwarded traffic",
            objects: [policy("own", .end, ingress: [rule(.deny)])],
            connection: connection()
        ),
        Case(
            testDescription: "applyOnForward allows",
            objects: [policy("fwd", .forward, ingress: [rule(.deny, port: 22), rule(.allow)])],
            connection: connection(),
            action: .allow,
            hits: ["0|default|gnp:fwd|allow|1"]
        ),
        Case(
            testDescription: "the end of a tier denies in the forward path",
            objects: [policy("fwd", .forward, ingress: [rule(.allow, port: 80)])],
            connection: connection(),
            action: .deny,
            hits: ["0|default|gnp:fwd|deny|-1"]
        ),
        Case(
            testDescription: "what all tiers pass goes on, and no profile is asked",
            objects: [policy("fwd", .forward, ingress: [rule(.pass)])],
            connection: connection(),
            action: .allow,
            hits: ["0|default|gnp:fwd|pass|0"]
        ),
        Case(
            testDescription: "policies of the other direction do not govern",
            objects: [policy("fwd", .forward, egress: [rule(.deny)])],
            connection: connection()
        ),
        Case(
            testDescription: "what leaves meets egress rules",
            objects: [
                policy("fwd", .forward, egress: [rule(.deny)]), policy("pre", .preDNAT, ingress: [rule(.deny)]),
                policy("raw", .untracked, ingress: [rule(.deny)], egress: [rule(.allow)]),
            ],
            connection: connection(.leaving),
            action: .deny,
            hits: ["0|default|gnp:fwd|deny|0"]
        ),
        Case(
            testDescription: "before destination NAT, then the forward path",
            objects: [
                policy("pre", .preDNAT, ingress: [rule(.allow)]),
                policy("fwd", .forward, ingress: [rule(.deny)]),
            ],
            connection: connection(),
            action: .deny,
            hits: ["0|default|gnp:pre|allow|0", "1|default|gnp:fwd|deny|0"]
        ),
        Case(
            testDescription: "without a match before destination NAT no tier denies",
            objects: [policy("pre", .preDNAT, ingress: [rule(.deny, port: 80)])],
            connection: connection(),
            action: .allow
        ),
        Case(
            testDescription: "preDNAT sees what was called",
            objects: [
                policy("pre", .preDNAT, ingress: [rule(.deny, port: 30_443, to: "172.16.0.1/32")]),
                policy("fwd", .forward, ingress: [rule(.deny)]),
            ],
            connection: connection(called: ("172.16.0.1", 30_443)),
            action: .deny,
            hits: ["0|default|gnp:pre|deny|0"]
        ),
        Case(
            testDescription: "the forward path sees where it leads",
            objects: [policy("fwd", .forward, ingress: [rule(.deny, port: 443, to: "10.0.0.9/32")])],
            connection: connection(called: ("172.16.0.1", 30_443)),
            action: .deny,
            hits: ["0|default|gnp:fwd|deny|0"]
        ),
        Case(
            testDescription: "what is allowed before connection tracking meets nothing else",
            objects: [
                policy("raw", .untracked, ingress: [rule(.allow)]), policy("pre", .preDNAT, ingress: [rule(.deny)]),
                policy("fwd", .forward, ingress: [rule(.deny)]),
            ],
            connection: connection(),
            action: .allow,
            hits: ["0|default|gnp:raw|allow|0"]
        ),
        Case(
            testDescription: "what is denied before connection tracking ends there",
            objects: [
                policy("raw", .untracked, ingress: [rule(.deny)]), policy("fwd", .forward, ingress: [rule(.allow)]),
            ],
            connection: connection(),
            action: .deny,
            hits: ["0|default|gnp:raw|deny|0"]
        ),
        Case(
            testDescription: "failsafe ports pass the hooks before the forward path",
            objects: [
                policy("raw", .untracked, ingress: [rule(.deny)]), policy("pre", .preDNAT, ingress: [rule(.deny)]),
                policy("fwd", .forward, ingress: [rule(.deny)]),
            ],
            connection: connection(port: 22),
            action: .deny,
            hits: ["0|default|gnp:fwd|deny|0"]
        ),
        Case(
            testDescription: "tiers in order",
            objects: [
                Make.tier("first", 1), policy("b", .forward, ingress: [rule(.allow)]),
                policy("a", .forward, tier: "first", ingress: [rule(.pass)]),
            ],
            connection: connection(),
            action: .allow,
            hits: ["0|first|gnp:a|pass|0", "1|default|gnp:b|allow|0"]
        ),
    ]

    @Test(arguments: cases)
    func policiesDecideTransit(_ test: Case) {
        let snapshot = Make.snapshot(test.objects + [Self.endpoint("gw-eth0", "eth0")])
        for _ in 0..<2 {
            let trace = snapshot.transit(of: test.connection)
            #expect(trace?.action == test.action)
            #expect(trace?.transit ?? [] == test.hits)
            #expect(trace?.enforced ?? [] == [])
            #expect(trace?.isForwarded ?? true)
        }
    }

    /// The host endpoint of an interface.
    @Test(
        arguments: [
            (HostInterface(node: "gw", name: "eth0", addresses: []), "named"),
            (HostInterface(node: "gw", name: "eth1", addresses: []), "all"),
            (HostInterface(node: "gw", name: "eth1", addresses: [Make.address("192.0.2.7")]), "addressed"),
            (HostInterface(node: "gw", name: "eth0", addresses: [Make.address("192.0.2.7")]), "named"),
            (HostInterface(node: "other", name: "eth0", addresses: []), nil),
        ] as [(HostInterface, String?)]
    )
    func findsHostEndpointOfInterface(_ interface: HostInterface, _ name: String?) {
        func policy(_ role: String) -> ClusterObject {
            .calicoPolicy(
                CalicoPolicy(
                    kind: .globalNetworkPolicy,
                    metadata: Make.metadata(role),
                    selector: "role == '\(role)'",
                    ingress: [CalicoRule(action: .allow)],
                    applyOnForward: true
                )
            )
        }
        let snapshot = Make.snapshot([
            Self.endpoint("a", "*", role: "all"), Self.endpoint("b", nil, ["192.0.2.7"], role: "addressed"),
            Self.endpoint("c", "eth0", role: "named"), policy("all"), policy("addressed"), policy("named"),
        ])
        let trace = snapshot.transit(of: Self.connection(interface: interface))
        #expect(trace?.transit == name.map { ["0|default|gnp:\($0)|allow|0"] })
    }

    @Test func usesChangedHostEndpoints() {
        var store = PolicyStore(format: .calico332)
        let source = SourceID(rawValue: 1)
        let allow = Self.policy("fwd", .forward, ingress: [Self.rule(.allow)])
        store.apply([.upsert(allow)], from: source)
        #expect(store.snapshot().transit(of: Self.connection()) == nil)
        store.apply([.upsert(Self.endpoint("e", "eth0"))], from: source)
        let before = store.snapshot()
        #expect(before.transit(of: Self.connection())?.action == .allow)
        store.apply([.upsert(Self.endpoint("e", "eth0"))], from: source)
        #expect(store.snapshot() === before)
        store.apply([.upsert(Self.endpoint("e", "eth0", role: "other"))], from: source)
        #expect(store.snapshot().transit(of: Self.connection()) == nil)
        store.apply([.upsert(Self.endpoint("e", "eth1"))], from: source)
        #expect(store.snapshot().transit(of: Self.connection()) == nil)
    }

    @Test func governsForwardedTrafficOfNodesWithHostEndpoints() {
        let policies = [Self.policy("fwd", .forward, ingress: [Self.rule(.allow)])]
        func governs(_ objects: [ClusterObject], _ node: String = "gw") -> Bool? {
            Make.snapshot(objects).governsForwardedTraffic(ofNode: node)
        }
        #expect(governs(policies) == false)
        #expect(governs(policies + [Self.endpoint("e", "eth0")]) == true)
        #expect(governs(policies + [Self.endpoint("e", "eth0")], "other") == false)
        let own = Self.policy("own", .end, ingress: [Self.rule(.allow)])
        #expect(governs([own, Self.endpoint("e", "eth0")]) == false)
    }

    /// The interface that the connection passes is not known, only the node.
    @Test(arguments: [("gw", 22, true), ("gw", 443, false), ("other", 22, false)] as [(String, UInt16, Bool)])
    func deniesForwardedAtAnyInterface(_ node: String, _ port: UInt16, _ denies: Bool) {
        let policy = Self.policy("fwd", .forward, ingress: [Self.rule(.deny, port: 22), Self.rule(.allow)])
        let snapshot = Make.snapshot([policy, Self.endpoint("e", "eth0")])
        let interface = HostInterface(node: node, name: "", addresses: [])
        let denial = snapshot.transitDenial(of: Self.connection(port: port, interface: interface))
        #expect(denial?.transit == (denies ? ["0|default|gnp:fwd|deny|0"] : nil))
    }

    // MARK: - A host's own traffic

    /// A protocol, a port, and whether Felix lets it through to a host endpoint, and from it.
    @Test(
        arguments: [
            (.tcp, 22, true, false), (.udp, 22, false, false), (.udp, 53, false, true), (.tcp, 53, false, false),
            (.udp, 68, true, false), (.udp, 67, false, true), (.tcp, 179, true, true), (.tcp, 6443, true, true),
            (.tcp, 10_250, false, false),
        ] as [(IPProtocol, UInt16, Bool, Bool)]
    )
    func failsafePortsPassBeforePolicies(_ proto: IPProtocol, _ port: UInt16, _ inbound: Bool, _ outbound: Bool) {
        let deny = Self.policy("own", .end, ingress: [Self.rule(.deny)], egress: [Self.rule(.deny)])
        let snapshot = Make.snapshot([deny])
        let host = Make.host("gw", ["role": "gateway"])
        let tuple = Make.tuple("10.0.0.1", "10.0.0.2", proto, to: port)
        let inward = snapshot.traces(of: tuple, source: Make.outside, destination: host).ingress
        #expect(inward?.action == (inbound ? nil : .deny))
        let outward = snapshot.traces(of: tuple, source: host, destination: Make.outside).egress
        #expect(outward?.action == (outbound ? nil : .deny))
        // Pods have no failsafe ports.
        let pod = Make.pod("web", "shop", ["role": "gateway"])
        #expect(snapshot.traces(of: tuple, source: Make.outside, destination: pod).ingress?.action == .deny)
    }

    /// FelixConfigurations, and the resulting failsafe ports of node gw.
    struct FailsafeCase: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var objects: [FelixConfiguration]
        /// Ports of TCP that are let through to the host, and from it.
        var inbound: Set<UInt16>
        var outbound: Set<UInt16>
    }

    private static func configuration(
        _ name: String,
        inbound: [FelixConfiguration.FailsafePort]? = nil,
        outbound: [FelixConfiguration.FailsafePort]? = nil
    ) -> FelixConfiguration {
        FelixConfiguration(metadata: Make.metadata(name), failsafeInbound: inbound, failsafeOutbound: outbound)
    }

    static let configured = [
        FailsafeCase(
            testDescription: "says nothing",
            objects: [configuration("default")],
            inbound: [22, 179],
            outbound: [179]
        ),
        FailsafeCase(
            testDescription: "replaces one list",
            objects: [configuration("default", inbound: [.init(proto: .tcp, port: 443)])],
            inbound: [443],
            outbound: [179]
        ),
        FailsafeCase(
            testDescription: "lets nothing through",
            objects: [configuration("default", inbound: [], outbound: [])],
            inbound: [],
            outbound: []
        ),
        FailsafeCase(
            testDescription: "of the node",
            objects: [
                configuration("default", inbound: [], outbound: [.init(proto: .tcp, port: 443)]),
                configuration("node.gw", inbound: [.init(proto: .tcp, port: 22)]),
            ],
            inbound: [22],
            outbound: [443]
        ),
        FailsafeCase(
            testDescription: "of another node",
            objects: [configuration("node.other", inbound: [], outbound: [])],
            inbound: [22, 179],
            outbound: [179]
        ),
        FailsafeCase(
            testDescription: "for the other end's addresses",
            objects: [
                configuration(
                    "default",
                    inbound: [
                        .init(proto: .tcp, port: 22, net: Make.net("10.0.0.0/30")),
                        .init(proto: .tcp, port: 443, net: Make.net("10.0.0.2/32")),
                        .init(proto: .tcp, port: 179, net: Make.net("2001:db8::/32")),
                    ],
                    outbound: [
                        .init(proto: .tcp, port: 443, net: Make.net("10.0.0.0/8")), .init(proto: .tcp, port: 443),
                    ]
                )
            ],
            inbound: [22],
            outbound: [443]
        ),
    ]

    @Test(arguments: configured)
    func configurationsReplaceFailsafePorts(_ test: FailsafeCase) throws {
        let deny = [
            Self.policy("own", .end, ingress: [Self.rule(.deny)], egress: [Self.rule(.deny)]),
            Self.policy("pre", .preDNAT, order: 2, ingress: [Self.rule(.deny)]),
        ]
        var store = PolicyStore(format: .calico332)
        let source = SourceID(rawValue: 1)
        store.apply((deny + [Self.endpoint("gw-eth0", "eth0")]).map { .upsert($0) }, from: source)
        let standard = store.snapshot()
        store.apply(test.objects.map { .upsert(.felixConfiguration($0)) }, from: source)
        let snapshot = store.snapshot()
        let host = Make.host("gw", ["role": "gateway"], node: "gw")
        for port in [22, 179, 443] as [UInt16] {
            let inward = Make.tuple("10.0.0.1", "10.0.0.2", .tcp, to: port)
            let ingress = snapshot.traces(of: inward, source: Make.outside, destination: host).ingress
            #expect((ingress == nil) == test.inbound.contains(port), "to \(port)")
            let egress = snapshot.traces(of: inward, source: host, destination: Make.outside).egress
            #expect((egress == nil) == test.outbound.contains(port), "from \(port)")
            let transit = snapshot.transit(of: Self.connection(port: port, from: "10.0.0.1"))
            #expect((transit == nil) == test.inbound.contains(port), "through \(port)")
        }
        // Without the object, the default ports apply again.
        let references = test.objects.map {
            ObjectReference(kind: .felixConfiguration, namespace: nil, name: $0.metadata.name)
        }
        store.apply(references.map { .delete($0, uid: nil) }, from: source)
        let ssh = Make.tuple("10.0.0.1", "10.0.0.2", .tcp, to: 22)
        for snapshot in [standard, store.snapshot()] {
            #expect(snapshot.traces(of: ssh, source: Make.outside, destination: host).ingress == nil)
        }
    }

    // MARK: - Explanations

    @Test func explanationsNameHostEndpointAndRule() throws {
        let objects = [
            Self.policy("pre", .preDNAT, ingress: [Self.rule(.deny, port: 80), Self.rule(.allow, port: 443)]),
            Self.policy("fwd", .forward, ingress: [Self.rule(.allow, port: 80)]),
            Self.endpoint("gw-eth0", "eth0", node: "node-2"),
        ]
        let snapshot = Make.snapshot(objects)
        func explain(_ source: String?, _ destination: String?) -> [TransitExplanation] {
            snapshot.explainTransit(
                Self.connection().packets,
                called: nil,
                source: Make.outside,
                destination: Make.outside,
                nodes: (source, destination)
            )
        }
        let found = try #require(explain(nil, "node-2").first)
        #expect((found.hostEndpoint, found.node, found.action) == ("gw-eth0", "node-2", .deny))
        #expect(found.hits.map(\.text) == ["0|default|gnp:pre|allow|1", "1|default|gnp:fwd|deny|-1"])
        #expect(found.hits.first?.words.contains("rule 1 (spec.ingress[1]) allows") == true, "\(found.hits)")
        #expect(found.hits.last?.words.contains("no rule matches, and the default action denies") == true)
        #expect(explain("node-2", nil).isEmpty, "no egress rules")
        #expect(explain("node-2", "node-2").isEmpty, "not forwarded through an interface")
    }

    /// The nodes of both ends, the node that translates the called port 30080, and the decisions on the way.
    struct TranslatedCase: Sendable {
        var source: String?
        var translator: String?
        var destination: String?
        var decisions: [String]
    }

    @Test(arguments: [
        TranslatedCase(destination: "a", decisions: ["a entering allow"]),
        TranslatedCase(translator: "a", destination: "a", decisions: ["a entering deny"]),
        TranslatedCase(
            translator: "a",
            destination: "b",
            decisions: ["a entering deny", "a leaving allow", "b entering allow"]
        ),
        TranslatedCase(translator: "a", decisions: ["a entering deny", "a leaving allow"]),
        TranslatedCase(
            source: "b",
            translator: "a",
            destination: "b",
            decisions: ["b leaving allow", "a entering deny", "a leaving allow", "b entering allow"]
        ),
        TranslatedCase(
            source: "a",
            translator: "a",
            destination: "b",
            decisions: ["a leaving allow", "b entering allow"]
        ),
        TranslatedCase(source: "a", translator: "a", destination: "a", decisions: []),
    ])
    func explanationsEvaluateCalledPortWhereItIsTranslated(_ test: TranslatedCase) {
        let snapshot = Make.snapshot([
            Self.policy("pre", .preDNAT, ingress: [Self.rule(.deny, port: 30080)]),
            Self.policy("out", .forward, egress: [Self.rule(.allow, port: 8080)]),
            Self.endpoint("a-eth0", "eth0", node: "a"),
            Self.endpoint("b-eth0", "eth0", node: "b"),
        ])
        let explanations = snapshot.explainTransit(
            Self.connection(port: 8080).packets,
            called: test.translator.map { (Make.address("192.168.0.1"), 30080, $0) },
            source: Make.outside,
            destination: Make.outside,
            nodes: (test.source, test.destination)
        )
        #expect(explanations.map { "\($0.node) \($0.direction) \($0.action.rawValue)" } == test.decisions)
    }
}
