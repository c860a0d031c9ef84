import ClusterModel
import FlowModel
import Policy
import Testing

/// Every field of a rule, and the connections that match it.
struct RuleFieldTests {
    private static let web = Make.pod("web", "shop", ["app": "web"], account: "robot")
    private static let database = Make.pod(
        "db",
        "shop",
        ["app": "db"],
        account: "keeper",
        ports: [NamedPort(name: "sql", port: 5432)]
    )
    private static let other = Make.pod("other", "bank", ["app": "web"], account: "robot")
    private static let host = Make.host("node", ["app": "web"])

    private static let world: [ClusterObject] = [
        Make.namespace("shop", ["team": "one"]), Make.namespace("bank", ["team": "two"]),
        .serviceAccount(ServiceAccount(metadata: Make.metadata("robot", "shop", ["kind": "machine"]))),
        .networkSet(
            NetworkSet(
                metadata: Make.metadata("partners", nil, ["feed": "partner"]),
                nets: [Make.net("198.51.100.0/24")]
            )
        ),
        .networkSet(
            NetworkSet(
                metadata: Make.metadata("local", "shop", ["feed": "local"]),
                nets: [Make.net("198.51.100.128/25")]
            )
        ),
        .serviceEndpoints(
            ServiceEndpoints(
                kind: .endpointSlice,
                metadata: Make.metadata("db-abc", "shop"),
                service: "db",
                groups: [
                    ServiceEndpoints.Group(
                        addresses: [Make.address("10.0.0.2")],
                        ports: [NamedPort(port: 5432), NamedPort(port: 53, proto: .udp)]
                    )
                ]
            )
        ),
    ]

    /// A connection from an end to the database.
    struct Connection: Sendable, CustomTestStringConvertible {
        var source = RuleFieldTests.web
        var tuple = Make.tuple(to: 5432)

        var testDescription: String {
            "\(source.name) \(tuple.source):\(tuple.sourcePort) \(tuple.proto.name)/\(tuple.destinationPort)"
        }

        static let plain = Connection()
        static func to(_ port: UInt16, _ proto: IPProtocol = .tcp) -> Connection {
            Connection(tuple: Make.tuple("10.0.0.1", "10.0.0.2", proto, to: port))
        }
        static func from(_ port: UInt16) -> Connection { Connection(tuple: Make.tuple(from: port, to: 5432)) }
        static func from(_ address: String) -> Connection {
            Connection(
                source: Make.outside,
                tuple: Make.tuple(address, address.contains(":") ? "2001:db8::2" : "10.0.0.2", to: 5432)
            )
        }
        static func from(_ endpoint: Endpoint) -> Connection { Connection(source: endpoint) }
        static func icmp(_ type: UInt16, _ code: UInt16, _ proto: IPProtocol = .icmp) -> Connection {
            .to(type << 8 | code, proto)
        }
    }

    private static func source(_ change: (inout EntityRule) -> Void) -> CalicoRule {
        var rule = CalicoRule(action: .allow)
        change(&rule.source)
        return rule
    }

    private static func destination(_ change: (inout EntityRule) -> Void) -> CalicoRule {
        var rule = CalicoRule(action: .allow)
        change(&rule.destination)
        return rule
    }

    private static let sixteen: ClosedRange<UInt16> = 5000...6000

    /// A rule of a policy of namespace shop, connections that match it, and connections that do not.
    static let namespaced: [(CalicoRule, yes: [Connection], no: [Connection])] = [
        (CalicoRule(action: .allow), [.plain, .from("2001:db8::1"), .icmp(8, 0)], []),
        (CalicoRule(action: .allow, ipVersion: 4), [.plain], [.from("2001:db8::1")]),
        (CalicoRule(action: .allow, ipVersion: 6), [.from("2001:db8::1")], [.plain]),
        (CalicoRule(action: .allow, ipVersion: 5), [], [.plain, .from("2001:db8::1")]),
        (CalicoRule(action: .allow, proto: .number(.tcp)), [.plain], [.to(53, .udp)]),
        (CalicoRule(action: .allow, proto: .unreadable), [], [.plain]),
        (CalicoRule(action: .allow, notProto: .number(.tcp)), [.to(53, .udp)], [.plain]),
        (
            CalicoRule(action: .allow, proto: .number(IPProtocol(rawValue: 47))), [.to(0, IPProtocol(rawValue: 47))],
            [.plain]
        ),
        (
            CalicoRule(action: .allow, proto: .number(.icmp), icmp: ICMPMatch(type: 8)), [.icmp(8, 0), .icmp(8, 3)],
            [.icmp(0, 0), .icmp(8, 0, .icmp6), .plain]
        ),
        (
            CalicoRule(action: .allow, icmp: ICMPMatch(type: 3, code: 1)), [.icmp(3, 1), .icmp(3, 1, .icmp6)],
            [.icmp(3, 0)]
        ),
        (
            CalicoRule(action: .allow, proto: .number(.icmp), notICMP: ICMPMatch(type: 3, code: 1)), [.icmp(3, 0)],
            [.icmp(3, 1)]
        ),
        // 2056 is 8 << 8 | 8: a port is no ICMP type.
        (CalicoRule(action: .allow, icmp: ICMPMatch(type: 8)), [], [.to(2056)]),
        (CalicoRule(action: .allow, http: HTTPMatch(methods: ["GET"], paths: [.exact("/")])), [.plain], []),
        (
            source { $0.nets = [Make.net("10.0.0.0/31"), Make.net("2001:db8::/32")] }, [.plain, .from("2001:db8::1")],
            [.from("10.0.0.3")]
        ),
        (source { $0.nets = [] }, [], [.plain]),
        (source { $0.notNets = [Make.net("10.0.0.1/32")] }, [.from("10.0.0.3")], [.plain]),
        (
            source {
                $0.nets = [Make.net("0.0.0.0/0")]; $0.notNets = [Make.net("10.0.0.0/8")]
            }, [.from("192.0.2.1")],
            [.plain, .from("2001:db8::1")]
        ),
        (
            source { $0.ports = [.range(40_000...40_000), .range(50_000...50_010)] }, [.plain, .from(50_010)],
            [.from(50_011)]
        ),
        (source { $0.notPorts = [.range(40_000...40_000)] }, [.from(50_010)], [.plain]),
        (
            destination { $0.ports = [.range(sixteen)] }, [.to(5000), .to(6000), .to(5432, .udp)],
            [.to(4999), .to(6001), .icmp(21, 56)]
        ),
        (destination { $0.notPorts = [.range(sixteen)] }, [.to(4999), .to(6001)], [.to(5000), .to(6000)]),
        (destination { $0.ports = [.name("sql")] }, [.to(5432)], [.to(5432, .udp), .to(80)]),
        (destination { $0.ports = [.name("sql"), .range(80...80)] }, [.to(5432), .to(80)], [.to(81)]),
        (destination { $0.notPorts = [.name("sql")] }, [.to(5432, .udp), .to(80)], [.to(5432)]),
        (destination { $0.ports = [.unreadable] }, [], [.plain]),
        // A selector applies to the policy's own namespace and its network sets, unless the rule selects namespaces.
        (source { $0.selector = "app == 'web'" }, [.plain], [.from(other), .from(host), .from("10.0.0.3")]),
        (source { $0.selector = "has(feed)" }, [.from("198.51.100.200")], [.from("198.51.100.1"), .plain]),
        (
            source { $0.notSelector = "app == 'db'" }, [.plain, .from("198.51.100.200")],
            [.from(other), .from(host), .from("10.0.0.3")]
        ),
        (source { $0.notSelector = "app == 'web'" }, [], [.plain]),
        (
            source {
                $0.selector = "app == 'web'"; $0.namespaceSelector = "all()"
            }, [.plain, .from(other)],
            [.from(host), .from("198.51.100.1")]
        ),
        (source { $0.namespaceSelector = "team == 'two'" }, [.from(other)], [.plain, .from(host)]),
        (source { $0.namespaceSelector = "projectcalico.org/name == 'bank'" }, [.from(other)], [.plain]),
        (
            source {
                $0.namespaceSelector = "global()"; $0.selector = "has(feed) || app == 'web'"
            },
            [.from(host), .from("198.51.100.1")], [.plain, .from(other), .from("10.0.0.3")]
        ),
        (
            source { $0.namespaceSelector = "!has(team)" }, [.from(host), .from("198.51.100.1")],
            [.plain, .from("10.0.0.3")]
        ),
        (source { $0.serviceAccounts = ServiceAccountMatch(names: ["robot", "x"]) }, [.plain], [.from(other)]),
        (source { $0.serviceAccounts = ServiceAccountMatch(selector: "kind == 'machine'") }, [.plain], [.from(other)]),
        (
            source { $0.serviceAccounts = ServiceAccountMatch(names: ["keeper"], selector: "kind == 'machine'") }, [],
            [.plain]
        ),
        (
            source {
                $0.serviceAccounts = ServiceAccountMatch(names: ["robot"]); $0.namespaceSelector = "all()"
            },
            [.plain, .from(other)], [.from(host)]
        ),
        (source { $0.serviceAccounts = ServiceAccountMatch() }, [.plain, .from(other), .from("10.0.0.3")], []),
        (destination { $0.service = ServiceMatch(name: "db") }, [.to(5432), .to(53, .udp)], [.to(53), .to(80)]),
        (destination { $0.service = ServiceMatch(name: "db", namespace: "bank") }, [], [.to(5432)]),
        (source { $0.service = ServiceMatch(name: "db") }, [.from("10.0.0.2")], [.plain]),
        (source { $0.domains = ["example.com"] }, [], [.plain]),
        (source { $0.selector = "app = 'web'" }, [], [.plain]),
    ]

    /// The same for a global policy.
    static let global: [(CalicoRule, yes: [Connection], no: [Connection])] = [
        (
            source { $0.selector = "app == 'web'" }, [.plain, .from(other), .from(host)],
            [.from("10.0.0.3"), .from("198.51.100.1")]
        ),
        (source { $0.selector = "feed == 'partner'" }, [.from("198.51.100.1"), .from("198.51.100.200")], [.plain]),
        (source { $0.selector = "feed == 'local'" }, [.from("198.51.100.200")], [.from("198.51.100.1")]),
        (source { $0.selector = "all()" }, [.plain, .from(host), .from("198.51.100.1")], [.from("10.0.0.3")]),
        (
            source { $0.notSelector = "app == 'web'" }, [.from("10.0.0.3"), .from("198.51.100.1")],
            [.plain, .from(host)]
        ),
        (source { $0.notSelector = "!has(feed)" }, [.from("198.51.100.1"), .from("10.0.0.3")], [.plain]),
        (
            source { $0.namespaceSelector = "all()" }, [.plain, .from(other), .from("198.51.100.200")],
            [.from(host), .from("198.51.100.1")]
        ),
        (source { $0.serviceAccounts = ServiceAccountMatch(names: ["robot"]) }, [.plain, .from(other)], [.from(host)]),
        (
            source { $0.selector = "projectcalico.org/orchestrator == 'k8s'" }, [.plain],
            [.from(host), .from("198.51.100.200")]
        ),
        (source { $0.selector = "projectcalico.org/serviceaccount == 'robot'" }, [.plain], [.from(host)]),
        (source { $0.selector = "pcns.team == 'one'" }, [.plain, .from("198.51.100.200")], [.from(other)]),
        (source { $0.service = ServiceMatch(name: "db") }, [], [.from("10.0.0.2")]),
    ]

    @Test(arguments: namespaced.indices)
    func matchesRulesOfNamespacedPolicy(index: Int) {
        check(Self.namespaced[index], .calicoNetworkPolicy, "shop")
    }

    @Test(arguments: global.indices)
    func matchesRulesOfGlobalPolicy(index: Int) {
        check(Self.global[index], .globalNetworkPolicy, nil)
    }

    private func check(
        _ test: (CalicoRule, yes: [Connection], no: [Connection]),
        _ kind: ObjectKind,
        _ namespace: String?
    ) {
        // The rule follows a Log rule, which decides nothing and has a number of its own.
        let policy = Make.policy(
            kind,
            "default.p",
            namespace,
            selector: "app == 'db'",
            directions: .ingress,
            ingress: [CalicoRule(action: .log), test.0]
        )
        let snapshot = Make.snapshot(Self.world + [policy])
        for (connections, hit) in [(test.yes, "allow|1"), (test.no, "deny|-1")] {
            for connection in connections {
                let (_, ingress) = snapshot.traces(
                    of: connection.tuple,
                    source: connection.source,
                    destination: Self.database
                )
                #expect(ingress?.enforced.first?.hasSuffix(hit) == true, "\(connection.testDescription) \(test.0)")
            }
        }
    }

    // MARK: - Policies

    @Test(arguments: [
        ("", "", "", ["web", "db", "other", "node"]), ("app == 'web'", "", "", ["web", "other", "node"]),
        ("", "team == 'one'", "", ["web", "db"]), ("", "all()", "", ["web", "db", "other"]),
        ("", "global()", "", ["node"]),
        ("", "", "kind == 'machine'", ["web"]),
        ("app == 'web'", "all()", "projectcalico.org/name == 'robot'", ["web", "other"]),
        ("app = 'x'", "", "", []), ("", "team =", "", []), ("", "", "kind", []),
    ])
    func globalPoliciesApplyByAllTheirSelectors(
        _ selector: String,
        _ namespaces: String,
        _ accounts: String,
        _ expected: [String]
    ) {
        var policy = CalicoPolicy(kind: .globalNetworkPolicy, metadata: Make.metadata("default.p"), selector: selector)
        policy.namespaceSelector = namespaces
        policy.serviceAccountSelector = accounts
        let snapshot = Make.snapshot(Self.world + [.calicoPolicy(policy)])
        for end in [Self.web, Self.database, Self.other, Self.host] {
            let (_, ingress) = snapshot.traces(of: Make.tuple(), source: Make.outside, destination: end)
            let applies = ingress?.enforced.first == "0|default|gnp:default.p|deny|-1"
            #expect(applies == expected.contains(end.name), "\(end.name)")
        }
    }

    @Test
    func ignoresUntrackedAndPreDNATPolicies() {
        var raw = CalicoPolicy(kind: .globalNetworkPolicy, metadata: Make.metadata("a"), doNotTrack: true)
        raw.ingress = [CalicoRule(action: .deny)]
        var early = CalicoPolicy(kind: .globalNetworkPolicy, metadata: Make.metadata("b"), preDNAT: true)
        early.ingress = [CalicoRule(action: .deny)]
        var forward = CalicoPolicy(kind: .globalNetworkPolicy, metadata: Make.metadata("c"), applyOnForward: true)
        forward.ingress = [CalicoRule(action: .allow)]
        let snapshot = Make.snapshot([.calicoPolicy(raw), .calicoPolicy(early), .calicoPolicy(forward)])
        let (_, ingress) = snapshot.traces(of: Make.tuple(), source: Make.outside, destination: Self.host)
        #expect(ingress?.enforced == ["0|default|gnp:c|allow|0"])
    }

    @Test(arguments: [
        ([], "0|__PROFILE__|pro:__NO_MATCH__|deny|0", "0|__PROFILE__|pro:__PROFILE__|deny|-1"),
        (["ksa.a.b"], "0|__PROFILE__|pro:__NO_MATCH__|deny|0", "0|__PROFILE__|pro:__NO_MATCH__|deny|0"),
        (
            ["ksa.a.b", "projectcalico-default-allow"], "0|__PROFILE__|pro:projectcalico-default-allow|allow|0",
            "0|__PROFILE__|pro:projectcalico-default-allow|allow|0"
        ),
    ])
    func profilesDecideIfNoTierDoes(_ profiles: [String], _ enforced: String, _ pending: String) {
        let host = Make.host("node", [:], profiles: profiles)
        let (egress, ingress) = Make.snapshot([]).traces(of: Make.tuple(), source: host, destination: Make.outside)
        #expect(egress?.enforced == [enforced])
        #expect(egress?.pending == [pending])
        #expect(ingress == nil)
    }

    @Test
    func endpointsWithoutIdentityHaveNoTrace() {
        let node = Endpoint(kind: .host, name: "node", aggregatedName: "node")
        let traces = Make.snapshot([]).traces(of: Make.tuple(), source: node, destination: Make.outside)
        #expect(traces.egress == nil && traces.ingress == nil)
    }
}
