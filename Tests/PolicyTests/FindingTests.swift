import ClusterModel
import FlowModel
import Policy
import Testing

/// What is wrong with policies is said with object and place, and nothing of it stops the rest.
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
    func selectorsThatCannotBeReadHaveAPosition() {
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
        #expect(findings[1].path == "spec.ingress[0]" && findings[1].severity == .ineffective)
        #expect(findings[2].path == "spec.ingress[0].source.selector" && findings[2].position == 4)
        let pod = Make.pod("pod", "shop")
        let traces = Make.snapshot([bad, good]).traces(of: Make.tuple(), source: Make.outside, destination: pod)
        #expect(traces.ingress?.enforced == ["0|default|np:shop/default.good|deny|-1"])
    }

    @Test(arguments: [
        (CalicoRule(action: .allow, ipVersion: 5), "there is no IP version 5"),
        (CalicoRule(action: .allow, proto: .unreadable), "the protocol cannot be read"),
        (CalicoRule(action: .allow, proto: .number(.tcp), notProto: .number(.tcp)), "tcp and for not tcp"),
        (CalicoRule(action: .allow, proto: .number(.tcp), icmp: ICMPMatch(type: 8)), "ICMP and for protocol tcp"),
        (
            CalicoRule(action: .allow, proto: .number(.icmp), destination: EntityRule(ports: [.range(1...2)])),
            "ports, which protocol icmp does not have"
        ),
        (CalicoRule(action: .allow, destination: EntityRule(ports: [.unreadable])), "no port can be read"),
        (CalicoRule(action: .allow, source: EntityRule(nets: [])), "no range"),
        (
            CalicoRule(action: .allow, ipVersion: 6, source: EntityRule(nets: [Make.net("10.0.0.0/8")])),
            "ranges of the other"
        ),
        (CalicoRule(action: .allow, source: EntityRule(selector: "a == 'b' && a == 'c'")), "both b and c"),
        (CalicoRule(action: .allow, source: EntityRule(domains: ["a.example"])), "domain names"),
    ])
    func rulesThatCanNeverMatchAreFound(_ rule: CalicoRule, _ words: String) {
        let found = findings(rule)
        #expect(found.count == 1)
        #expect(found.first?.path == "spec.ingress[0]" && found.first?.message.contains(words) == true, "\(found)")
    }

    @Test
    func rulesThatAreNotReachedAreFound() {
        let http = CalicoRule(action: .allow, http: HTTPMatch(methods: ["GET"]))
        let found = findings(http, CalicoRule(action: .log), Make.rule(.deny), Make.rule(.allow))
        #expect(found.map(\.path) == ["spec.ingress[3]"])
        #expect(findings(Make.rule(.allow, from: "a == 'b'"), Make.rule(.deny)).isEmpty)
    }

    @Test
    func keysOf500CharactersAreFine() throws {
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
    func hostilePoliciesEndQuickly() {
        let time = processorTime(of: hostilePoliciesAreFoundAndWork)
        #expect(time < .seconds(60))
    }

    private func hostilePoliciesAreFoundAndWork() {
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
}
