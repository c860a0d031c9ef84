import ClusterModel
import FlowModel
import Policy
import Testing

/// An error in policies is reported with its object and path, and does not affect other policies.
struct FindingTests {
    private func findings(_ objects: [ClusterObject]) -> [PolicyFinding] {
        var store = PolicyStore(format: .enterprise)
        store.apply(objects.map { .upsert($0) }, from: SourceID(rawValue: 1))
        return store.findings
    }

    private func findings(_ rules: CalicoRule...) -> [PolicyFinding] {
        findings([Make.policy(.globalNetworkPolicy, "default.p", directions: .ingress, ingress: rules)])
    }

    @Test
    func reportsPositionInInvalidSelector() {
        let bad = Make.policy(.calicoNetworkPolicy, "default.bad", "shop", selector: "app == 'web' &&")
        let good = Make.policy(
            .calicoNetworkPolicy,
            "default.good",
            "shop",
            ingress: [Make.rule(.deny, from: "app = 'x'")]
        )
        let findings = findings([bad, good])
        #expect(findings.map(\.object.name) == ["default.bad", "default.good", "default.good"])
        #expect(findings.first?.path == "spec.selector" && findings.first?.position == 15)
        #expect(findings[1].path == "spec.ingress[0].source.selector" && findings[1].position == 4)
        #expect(findings[2].path == "spec.ingress[0]" && findings[2].severity == .ineffective)
        let pod = Make.pod("pod", "shop")
        let traces = Make.snapshot([bad, good]).traces(of: Make.tuple(), source: Make.outside, destination: pod)
        #expect(traces.ingress?.enforced == ["0|default|np:shop/default.good|deny|-1"])
    }

    @Test(arguments: [
        (CalicoRule(action: .allow, ipVersion: 5), "there is no IP version 5"),
        (CalicoRule(action: .allow, proto: .unreadable), "the protocol cannot be read"),
        (CalicoRule(action: .allow, proto: .number(.tcp), notProto: .number(.tcp)), "tcp and excludes tcp"),
        (CalicoRule(action: .allow, proto: .number(.tcp), icmp: ICMPMatch(type: 8)), "ICMP and protocol tcp"),
        (
            CalicoRule(action: .allow, proto: .number(.icmp), destination: EntityRule(ports: [.range(1...2)])),
            "ports, which protocol icmp does not have"
        ),
        (CalicoRule(action: .allow, destination: EntityRule(ports: [.unreadable])), "no port can be read"),
        (CalicoRule(action: .allow, source: EntityRule(nets: [])), "no range"),
        (
            CalicoRule(action: .allow, ipVersion: 6, source: EntityRule(nets: [Make.net("10.0.0.0/8")])),
            "IP version 6 and source ranges of IPv4"
        ),
        (
            CalicoRule(
                action: .allow,
                source: EntityRule(nets: [Make.net("10.0.0.0/8"), Make.net("10.0.0.0/9")]),
                destination: EntityRule(nets: [Make.net("2001:db8::/32")])
            ),
            "source ranges of IPv4 and destination ranges of IPv6"
        ),
        (CalicoRule(action: .allow, ipVersion: 4, proto: .number(.icmp6)), "IP version 4 and protocol icmp6"),
        (
            CalicoRule(action: .allow, proto: .number(.icmp), source: EntityRule(nets: [Make.net("::/0")])),
            "protocol icmp and source ranges of IPv6"
        ),
        (
            CalicoRule(
                action: .allow,
                source: EntityRule(
                    nets: [Make.net("10.1.0.0/16"), Make.net("2001:db8::1")],
                    notNets: [Make.net("::/0"), Make.net("10.0.0.0/8")]
                )
            ),
            "every source address that it requires is excluded"
        ),
        (
            CalicoRule(action: .allow, source: EntityRule(notNets: [Make.net("0.0.0.0/0"), Make.net("::/0")])),
            "every source address"
        ),
        (
            CalicoRule(action: .allow, ipVersion: 4, destination: EntityRule(notNets: [Make.net("0.0.0.0/0")])),
            "every destination address"
        ),
        (
            CalicoRule(
                action: .allow,
                proto: .number(.tcp),
                destination: EntityRule(
                    ports: [.range(80...90), .name("web")],
                    notPorts: [.range(70...85), .name("web"), .range(86...100)]
                )
            ),
            "every destination port that it requires is excluded"
        ),
        (
            CalicoRule(action: .allow, proto: .number(.udp), source: EntityRule(notPorts: [.range(0 ... .max)])),
            "every source port"
        ),
        (
            CalicoRule(action: .allow, icmp: ICMPMatch(type: 8, code: 0), notICMP: ICMPMatch(type: 8)),
            "messages that notICMP excludes"
        ),
        (
            CalicoRule(action: .allow, source: EntityRule(selector: "has(a) && !has(a)")),
            "a to be present and to be absent"
        ),
        (CalicoRule(action: .allow, source: EntityRule(selector: "a == 'x' && !has(a)")), "to be absent"),
        (
            CalicoRule(action: .allow, source: EntityRule(selector: "a in {'x', 'y'} && a not in {'x'} && a != 'y'")),
            "no value for label a"
        ),
        (CalicoRule(action: .allow, source: EntityRule(selector: "a in {'x'} && b == 'x' && a == 'y'")), "label a"),
        (CalicoRule(action: .allow, destination: EntityRule(selector: "a in {}")), "no value for label a"),
        (CalicoRule(action: .allow, destination: EntityRule(selector: "!all()")), "the opposite of all()"),
        (
            CalicoRule(
                action: .allow,
                source: EntityRule(
                    namespaceSelector: "projectcalico.org/name == 'a' && projectcalico.org/name == 'b'"
                )
            ),
            "label projectcalico.org/name of the namespace to be both a and b"
        ),
        (
            CalicoRule(action: .allow, source: EntityRule(selector: "a == 'b' && has(c)", notSelector: "a == 'b'")),
            "the notSelector of the source excludes"
        ),
        (CalicoRule(action: .allow, source: EntityRule(selector: "has(c)", notSelector: "all()")), "the notSelector"),
        (CalicoRule(action: .allow, source: EntityRule(selector: "a == 'b' && a == 'c'")), "both b and c"),
        (CalicoRule(action: .allow, source: EntityRule(domains: ["a.example"])), "domain names are accepted"),
    ])
    func reportsRulesThatCanNeverMatch(_ rule: CalicoRule, _ words: String) {
        let found = findings(rule)
        #expect(found.count == 1)
        #expect(found.first?.path == "spec.ingress[0]" && found.first?.message.contains(words) == true, "\(found)")
    }

    /// Rules that seem to contradict themselves, but can match.
    @Test(arguments: [
        CalicoRule(action: .allow, proto: .number(.tcp), notProto: .number(.udp)),
        CalicoRule(action: .allow, ipVersion: 4, proto: .number(.icmp)),
        CalicoRule(action: .allow, notICMP: ICMPMatch(type: 8)),
        CalicoRule(action: .allow, icmp: ICMPMatch(type: 8), notICMP: ICMPMatch(type: 8, code: 1)),
        CalicoRule(
            action: .allow,
            ipVersion: 6,
            source: EntityRule(nets: [Make.net("10.0.0.0/8"), Make.net("2001:db8::/32")])
        ),
        CalicoRule(
            action: .allow,
            source: EntityRule(nets: [Make.net("10.0.0.0/8")], notNets: [Make.net("10.0.0.0/9"), Make.net("::/0")])
        ),
        CalicoRule(action: .allow, source: EntityRule(notNets: [Make.net("0.0.0.0/0")])),
        CalicoRule(
            action: .allow,
            destination: EntityRule(ports: [.range(80...90)], notPorts: [.range(80...84), .range(86...90)])
        ),
        // A name may stand for any number, and a protocol without ports has none that is excluded.
        CalicoRule(action: .allow, destination: EntityRule(ports: [.name("web")], notPorts: [.range(1 ... .max)])),
        CalicoRule(action: .allow, destination: EntityRule(notPorts: [.range(0 ... .max)])),
        CalicoRule(action: .allow, proto: .number(.icmp), destination: EntityRule(notPorts: [.range(0 ... .max)])),
        CalicoRule(action: .allow, source: EntityRule(selector: "a == 'b'", notSelector: "a == 'b' && has(c)")),
        CalicoRule(action: .allow, source: EntityRule(selector: "a in {'x', 'y'} && a != 'x' && !has(b)")),
        CalicoRule(action: .allow, source: EntityRule(selector: "a == 'x' || a == 'y'")),
        CalicoRule(action: .allow, source: EntityRule(notSelector: "all()")),
    ])
    func acceptsRulesThatCanMatch(_ rule: CalicoRule) {
        #expect(findings(rule).isEmpty)
    }

    @Test
    func reportsRulesOfUndeclaredDirections() {
        let rule = Make.rule(.allow)
        let calico = Make.policy(.globalNetworkPolicy, "p", directions: .egress, ingress: [rule], egress: [rule])
        #expect(
            findings([calico]).map(\.description) == [
                "GlobalNetworkPolicy p: spec.ingress: never evaluated: spec.types does not name Ingress"
            ]
        )
        let spec = NetworkPolicySpec(directions: .ingress, egress: [NetworkPolicyRule()])
        let kubernetes = NetworkPolicy(metadata: Make.metadata("p", "shop"), spec: spec)
        #expect(
            findings([.networkPolicy(kubernetes)]).map(\.description) == [
                "NetworkPolicy shop/p: spec.egress: never evaluated: spec.policyTypes does not name Egress"
            ]
        )
    }

    /// An invalid part of a Kubernetes rule is reported once, although the rule is expanded to several.
    @Test
    func reportsInvalidPartsOfKubernetesRules() {
        let block = IPBlock(range: Make.net("10.1.0.0/16"), except: [Make.net("10.0.0.0/8")])
        let rule = NetworkPolicyRule(
            peers: [.pods(namespaces: nil, pods: LabelSelector()), .block(block), .unknown],
            ports: [PolicyPort(proto: .tcp, port: .range(80...80)), PolicyPort(proto: .udp, port: .unreadable)]
        )
        let spec = NetworkPolicySpec(directions: [.ingress, .egress], ingress: [rule], egress: [rule])
        let found = findings([.networkPolicy(NetworkPolicy(metadata: Make.metadata("p", "shop"), spec: spec))])
        #expect(
            found.map(\.path) == [
                "spec.ingress[0].from[1]", "spec.ingress[0].from[2]", "spec.ingress[0].ports", "spec.egress[0].to[1]",
                "spec.egress[0].to[2]", "spec.egress[0].ports",
            ]
        )
    }

    @Test
    func reportsSelectorsThatSelectNothing() {
        let policy = Make.policy(.globalNetworkPolicy, "p", selector: "a == 'b' && a == 'c'")
        #expect(
            findings([policy]).map(\.description) == [
                "GlobalNetworkPolicy p: spec.selector: can never select anything: it requires label a to be both b and c"
            ]
        )
    }

    @Test
    func reportsAdminRulesThatCanNeverMatch() {
        var policy = AdminPolicy(
            kind: .adminNetworkPolicy,
            metadata: Make.metadata("p"),
            tier: .admin,
            priority: 1,
            subject: .namespaces(LabelSelector())
        )
        let twice = LabelSelector(
            labels: [Label(key: "a", value: "b")],
            requirements: [LabelSelector.Requirement(key: "a", comparison: .doesNotExist)]
        )
        policy.egress = [
            AdminPolicyRule(action: .deny, peers: []), AdminPolicyRule(action: .deny, peers: [.namespaces(twice)]),
            AdminPolicyRule(action: .pass, peers: [.nodes(LabelSelector())]),
        ]
        #expect(
            findings([.adminPolicy(policy)]).map { "\($0.path): \($0.message)" } == [
                "spec.egress[0]: can never match: it names no peers",
                "spec.egress[1]: can never match: it requires label a of the namespace to be present and to be absent",
                "spec.egress[2]: nodes as peers are not supported; the rule denies everything instead",
            ]
        )
    }

    @Test
    func reportsUnreachableRules() {
        let http = CalicoRule(action: .allow, http: HTTPMatch(methods: ["GET"]))
        let found = findings(http, CalicoRule(action: .log), Make.rule(.deny), Make.rule(.allow))
        #expect(found.map(\.path) == ["spec.ingress[3]"])
        #expect(findings(Make.rule(.allow, from: "a == 'b'"), Make.rule(.deny)).isEmpty)
    }

    @Test
    func acceptsKeysOf500Characters() throws {
        let key = String(repeating: "k", count: 250) + "/" + String(repeating: "n", count: 249)
        let selector = "\(key) == 'v'"
        let policy = Make.policy(
            .globalNetworkPolicy,
            "default.p",
            selector: selector,
            ingress: [Make.rule(.allow, from: selector)]
        )
        #expect(findings([policy]).isEmpty)
        let pod = Make.pod("pod", "shop", [key: "v"])
        let traces = Make.snapshot([policy]).traces(of: Make.tuple(), source: pod, destination: pod)
        #expect(traces.ingress?.enforced == ["0|default|gnp:default.p|allow|0"])
    }

    @Test
    func checksHostilePoliciesInBoundedTime() {
        let time = processorTime(of: checkHostilePolicies)
        #expect(time < .seconds(60))
    }

    private func checkHostilePolicies() {
        let deep = String(repeating: "(", count: 100_000)
        let long = Array(repeating: "has(a)", count: 20_000).joined(separator: " && ")
        var rules = (0..<40_000).map { index in
            CalicoRule(
                action: .allow,
                source: EntityRule(nets: [Make.net("\(IPAddress(ipv4: UInt32(index) << 8))/\(24 - index % 9)")]),
                destination: EntityRule(ports: [.range(UInt16(index)...UInt16(index))])
            )
        }
        rules += (0..<500).map { _ in Make.rule(.deny, from: deep) }
        rules.append(Make.rule(.deny, from: long))
        let policy = Make.policy(.globalNetworkPolicy, "default.p", selector: "!has(x)", ingress: rules)
        let found = findings([policy])
        #expect(found.count == 101, "the rest is counted")
        let snapshot = Make.snapshot([policy])
        let pod = Make.pod("pod", "shop", ["a": ""])
        let tuple = Make.tuple("0.0.99.1", "10.0.0.1", to: 99)
        let traces = snapshot.traces(of: tuple, source: Make.outside, destination: pod)
        #expect(traces.ingress?.enforced == ["0|default|gnp:default.p|allow|99"])
        let fromPod = snapshot.traces(of: Make.tuple("192.0.2.1", to: 50_000), source: pod, destination: pod)
        #expect(fromPod.ingress?.enforced == ["0|default|gnp:default.p|deny|40500"])
    }

    @Test
    func explanationsNameRuleAndReason() throws {
        let port = CalicoRule(
            action: .allow,
            proto: .number(.tcp),
            source: EntityRule(selector: "app == 'web'"),
            destination: EntityRule(ports: [.range(5432...5432)])
        )
        let policy = Make.policy(
            .calicoNetworkPolicy,
            "default.db",
            "shop",
            selector: "app == 'db'",
            directions: .ingress,
            ingress: [port]
        )
        let snapshot = Make.snapshot([policy], .enterprise)
        let (web, database) = (Make.pod("web", "shop", ["app": "web"]), Make.pod("db", "shop", ["app": "db"]))
        let allowed = try #require(snapshot.explain(Make.tuple(to: 5432), source: web, destination: database).ingress)
        let words = try #require(allowed.enforced.first).words
        #expect(
            words.hasPrefix("tier default: Calico NetworkPolicy shop/default.db, rule 0 (spec.ingress[0]) allows: ")
        )
        #expect(words.contains("destination port is 5432") && words.contains(#"app == "web""#))
        let denied = try #require(snapshot.explain(Make.tuple(to: 80), source: web, destination: database).ingress)
        #expect(denied.enforced.map(\.text) == ["0|default|shop/default.db|deny|-1"])
        #expect(denied.enforced.first?.words.contains("destination port is 5432; it is 80") == true)
        let (egress, _) = snapshot.explain(Make.tuple(to: 80), source: web, destination: database)
        #expect(egress?.enforced.first?.words.contains("profile kns.shop allows") == true)
    }

    /// A port name of digits is not a number, and the explanation shows it as a name.
    @Test(arguments: [
        (
            PortMatch.name("8000"), [],
            "destination port is named '8000'; it is 8000/tcp, and the endpoint has no port named '8000'"
        ),
        (
            .name("web"), [NamedPort(name: "web", port: 80), NamedPort(name: "web", port: 8000, proto: .udp)],
            "destination port is named 'web'; it is 8000/tcp, and 'web' is 80/tcp, 8000/udp"
        ),
        (.range(8001...8001), [], "destination port is 8001; it is 8000"),
    ])
    func namedPortsAreExplainedAsNames(_ port: PortMatch, _ named: [NamedPort], _ expected: String) throws {
        let rule = NetworkPolicyRule(ports: [PolicyPort(proto: .tcp, port: port)])
        let policy = NetworkPolicy(metadata: Make.metadata("p", "shop"), spec: NetworkPolicySpec(ingress: [rule]))
        let snapshot = Make.snapshot([.networkPolicy(policy)], .enterprise)
        let pod = Make.pod("web", "shop", ports: named)
        let explanation = snapshot.explain(Make.tuple(to: 8000), source: Make.outside, destination: pod).ingress
        let words = try #require(explanation?.enforced.first).words
        #expect(words.contains("does not hold: \(expected)"), "\(words)")
        let outside = try #require(
            snapshot.explain(Make.tuple(to: 8000), source: pod, destination: pod).ingress?.enforced.first
        )
        #expect(!outside.words.contains("is 8000; it is 8000"))
    }
}
