import ClusterModel
import FlowModel
import Testing

@testable import Policy

/// Rules and network sets with domain names.
struct DomainTests {
    // MARK: - Names

    @Test(arguments: [
        ("example.com", yes: ["example.com"], no: ["www.example.com", "example.com.org", "xexample.com", ""]),
        ("Example.COM.", yes: ["example.com"], no: ["example.co"]),
        (
            "*.google.com", yes: ["www.google.com", "www.ipv6.google.com"],
            no: ["google.com", ".google.com", "wwwgoogle.com", "www.google.com.evil"]
        ),
        ("www.*.com", yes: ["www.sun.com", "www.a.b.com"], no: ["www.com", "www..com", "ww.sun.com", "www.sun.org"]),
        ("www.google.*", yes: ["www.google.net", "www.google.co.uk"], no: ["www.google", "www.google."]),
        (
            "update.*.mycompany.com", yes: ["update.tools.mycompany.com", "update.secure.suite.mycompany.com"],
            no: ["update.mycompany.com", "tools.mycompany.com"]
        ),
        ("*", yes: ["a", "a.b"], no: [""]),
        ("_a-1.b", yes: ["_a-1.b"], no: ["a-1.b"]),
    ])
    func patternsMatchNames(_ text: String, yes: [String], no: [String]) throws {
        let pattern = try #require(DomainPattern(text))
        for name in yes { #expect(pattern.matches(name) && DomainList([pattern]).matches(["x", name]), "\(name)") }
        for name in no { #expect(!pattern.matches(name) && !DomainList([pattern]).matches([name]), "\(name)") }
    }

    @Test(arguments: [
        ("", "empty label"), (".", "empty label"), ("a..b", "empty label"), (".a.b", "empty label"),
        ("*.*.example.com", "several asterisks"), ("www.g*.com", "whole labels"), ("**.a", "whole labels"),
        ("a b.c", "other characters"), ("bücher.example", "other characters"), ("^a$", "other characters"),
        (String(repeating: "a", count: 64) + ".b", "63"), (String(repeating: "a.", count: 127) + "bc", "253"),
    ])
    func rejectsInvalidPatterns(_ text: String, _ reason: String) {
        #expect(DomainPattern(text) == nil)
        #expect(DomainPattern.error(in: text)?.contains(reason) == true)
    }

    // MARK: - Verdicts

    private static let pod = Make.pod("web-1", "shop", ["app": "web"])
    private static let tuple = Make.tuple("10.0.0.1", "198.51.100.9", to: 443)

    private static func egress(_ rules: [CalicoRule], _ more: [ClusterObject] = []) -> PolicySnapshot {
        let policy = Make.policy(.networkPolicy, "default.p", "shop", directions: .egress, egress: rules)
        return Make.snapshot([policy, Make.namespace("shop")] + more)
    }

    private static func trace(_ snapshot: PolicySnapshot, _ domains: DestinationDomains) -> PolicyTrace? {
        snapshot.traces(of: tuple, source: pod, destination: Make.outside, domains: domains).egress
    }

    private static func rule(_ domains: [String], _ ports: [PortMatch] = []) -> CalicoRule {
        CalicoRule(
            action: .allow,
            proto: ports.isEmpty ? nil : .number(.tcp),
            destination: EntityRule(ports: ports, domains: domains)
        )
    }

    /// The last hit, and whether it depends on domains.
    struct Outcome: Equatable, CustomStringConvertible {
        var hit: String
        var depends: Bool

        init(_ action: String, _ rule: Int, depends: Bool) {
            hit = "0|default|np:shop/default.p|\(action)|\(rule)"
            self.depends = depends
        }

        init?(_ trace: PolicyTrace?) {
            guard let trace, let last = trace.enforced.last else { return nil }
            (hit, depends) = (last, trace.dependsOnDomains)
        }

        var description: String { "\(hit) \(depends)" }
    }

    @Test(
        arguments: [
            // A name that a rule has.
            (
                [rule(["api.example.com", "*.example.org"])], .known(["api.example.com"]),
                Outcome("allow", 0, depends: true)
            ),
            (
                [rule(["api.example.com", "*.example.org"])], .known(["x", "a.example.org"]),
                Outcome("allow", 0, depends: true)
            ),
            // Another name, no name, and names that are not collected.
            ([rule(["api.example.com"])], .known(["www.example.com"]), Outcome("deny", -1, depends: true)),
            ([rule(["api.example.com"])], .known([]), Outcome("deny", -1, depends: true)),
            ([rule(["api.example.com"])], .unknown, Outcome("deny", -1, depends: true)),
            // With a port that the rule does not have, no name matters.
            (
                [rule(["api.example.com"], [.range(80...80)])], .known(["api.example.com"]),
                Outcome("deny", -1, depends: false)
            ),
            ([rule(["api.example.com"], [.range(80...80)])], .unknown, Outcome("deny", -1, depends: false)),
            ([rule(["api.example.com"], [.range(443...443)])], .unknown, Outcome("deny", -1, depends: true)),
            // Another rule decides.
            ([CalicoRule(action: .deny), rule(["a.example"])], .unknown, Outcome("deny", 0, depends: false)),
            ([rule(["a.example"]), CalicoRule(action: .allow)], .unknown, Outcome("allow", 1, depends: true)),
            // A rule uses only its valid names.
            ([rule(["*.*.a", "b.example"])], .known(["b.example"]), Outcome("allow", 0, depends: true)),
            ([rule(["*.*.a"])], .known(["x.y.a"]), Outcome("deny", -1, depends: false)),
        ] as [([CalicoRule], DestinationDomains, Outcome)]
    )
    func rulesMatchNames(_ rules: [CalicoRule], _ domains: DestinationDomains, _ outcome: Outcome) {
        let snapshot = Self.egress(rules)
        #expect(Outcome(Self.trace(snapshot, domains)) == outcome)
        // From the cache, and with others' names between.
        _ = Self.trace(snapshot, .known(["other.example"]))
        #expect(Outcome(Self.trace(snapshot, domains)) == outcome)
    }

    /// Domain names match nothing in places where Calico refuses them.
    @Test func misplacedDomainsMatchNothing() {
        let names = DestinationDomains.known(["a.example"])
        for action in [CalicoRule.Action.deny, .pass, .log] {
            var rule = Self.rule(["a.example"])
            rule.action = action
            #expect(Outcome(Self.trace(Self.egress([rule]), names)) == Outcome("deny", -1, depends: false))
        }
        let source = CalicoRule(action: .allow, source: EntityRule(domains: ["a.example"]))
        #expect(Outcome(Self.trace(Self.egress([source]), names)) == Outcome("deny", -1, depends: false))
        let ingress = Make.policy(
            .networkPolicy,
            "default.p",
            "shop",
            directions: .ingress,
            ingress: [Self.rule(["a.example"])]
        )
        let trace = Make.snapshot([ingress]).traces(
            of: Self.tuple,
            source: Make.outside,
            destination: Self.pod,
            domains: names
        ).ingress
        #expect(Outcome(trace) == Outcome("deny", -1, depends: false))
    }

    // MARK: - Network sets

    private static func set(_ domains: [String], _ nets: [String] = []) -> ClusterObject {
        .networkSet(
            NetworkSet(
                metadata: Make.metadata("partners", nil, ["feed": "partner"]),
                nets: nets.map(Make.net),
                domains: domains
            )
        )
    }

    private static func selecting(_ action: CalicoRule.Action, not: Bool = false) -> CalicoRule {
        let entity = EntityRule(
            selector: not ? "" : "feed == 'partner'",
            notSelector: not ? "feed == 'partner'" : "",
            namespaceSelector: "global()"
        )
        return CalicoRule(action: action, destination: entity)
    }

    @Test(
        arguments: [
            (set(["*.partner.example"]), .allow, .known(["a.partner.example"]), Outcome("allow", 0, depends: true)),
            (set(["*.partner.example"]), .allow, .known(["partner.example"]), Outcome("deny", -1, depends: true)),
            (set(["*.partner.example"]), .allow, .unknown, Outcome("deny", -1, depends: true)),
            // The set matches by its ranges, with any names.
            (set(["a.example"], ["198.51.100.0/24"]), .allow, .unknown, Outcome("allow", 0, depends: false)),
            // Only Allow rules evaluate the names of a set.
            (set(["a.example"]), .deny, .known(["a.example"]), Outcome("deny", -1, depends: false)),
            (set(["a.example"]), .pass, .known(["a.example"]), Outcome("deny", -1, depends: false)),
        ] as [(ClusterObject, CalicoRule.Action, DestinationDomains, Outcome)]
    )
    func allowRulesMatchDomainsOfNetworkSets(
        _ set: ClusterObject,
        _ action: CalicoRule.Action,
        _ domains: DestinationDomains,
        _ outcome: Outcome
    ) {
        #expect(Outcome(Self.trace(Self.egress([Self.selecting(action)], [set]), domains)) == outcome)
    }

    @Test func ignoresDomainsOfUnselectedSets() {
        var other = Self.selecting(.allow)
        other.destination.selector = "feed == 'other'"
        let trace = Self.trace(Self.egress([other], [Self.set(["a.example"])]), .known(["a.example"]))
        #expect(Outcome(trace) == Outcome("deny", -1, depends: false))
    }

    // MARK: - Changes

    @Test func usesDomainsOfChangedObjects() {
        var store = PolicyStore(format: .calico332)
        let source = SourceID(rawValue: 1)
        #expect(!store.snapshot().usesDomains)
        store.apply(
            [
                .upsert(
                    Make.policy(
                        .networkPolicy,
                        "default.p",
                        "shop",
                        directions: .egress,
                        egress: [Self.selecting(.allow)]
                    )
                )
            ],
            from: source
        )
        #expect(!store.snapshot().usesDomains)
        store.apply([.upsert(Self.set(["a.example"]))], from: source)
        #expect(store.snapshot().usesDomains)
        #expect(Self.trace(store.snapshot(), .known(["a.example"]))?.action == .allow)
        store.apply([.upsert(Self.set(["b.example"]))], from: source)
        #expect(Self.trace(store.snapshot(), .known(["a.example"]))?.action == .deny)
        #expect(Self.trace(store.snapshot(), .known(["b.example"]))?.action == .allow)
        store.apply(
            [.delete(ObjectReference(kind: .globalNetworkSet, namespace: nil, name: "partners"), uid: nil)],
            from: source
        )
        #expect(!store.snapshot().usesDomains)
        store.apply(
            [
                .upsert(
                    Make.policy(
                        .networkPolicy,
                        "default.p",
                        "shop",
                        directions: .egress,
                        egress: [Self.rule(["c.example"])]
                    )
                )
            ],
            from: source
        )
        #expect(store.snapshot().usesDomains)
        #expect(Self.trace(store.snapshot(), .known(["c.example"]))?.action == .allow)
    }

    /// Clients choose the names that they resolve, so that the memory for names must be bounded.
    @Test func domainSetsAreBounded() {
        let snapshot = Self.egress([Self.rule(["*.example.com"])])
        for index in 0..<40_000 {
            let name = index.isMultiple(of: 2) ? "n\(index).example.com" : "n\(index).example.org"
            #expect(Self.trace(snapshot, .known([name]))?.action == (index.isMultiple(of: 2) ? .allow : .deny))
        }
        var sets = DomainSets()
        for index in 0..<40_000 { _ = sets.number(of: .known(["n\(index)"]), snapshot.world.tables) }
        #expect(sets.count == 3)
    }

    /// The length of names, their number in a list, and the number of lists, which need more memory than is kept.
    @Test(arguments: [(8, 1, 40_000), (60, 2, 20_000), (253, 7, 3_000), (1_000, 7, 1_000)])
    func memoryOfDomainListsIsBounded(_ length: Int, _ count: Int, _ lists: Int) {
        let tables = Self.egress([Self.rule(["*.example.com"])]).world.tables
        let long = String(repeating: "a", count: length)
        func names(_ list: Int) -> [String] {
            (0..<count).map { "n\(list).\(long).\($0)" } + ["n\(list).example.com"]
        }
        var sets = DomainSets()
        let number = sets.number(of: .known(names(0)), tables)
        let one = sets.memory
        let text = names(0).reduce(0) { $0 + $1.utf8.count }
        #expect(one > text)
        // A list that is cached is not counted again.
        _ = sets.number(of: .known(names(0)), tables)
        #expect(sets.memory == one && one * lists > DomainSets.memoryLimit)
        var (most, areSame) = (0, true)
        for list in 1..<lists {
            areSame = areSame && sets.number(of: .known(names(list)), tables) == number
            most = max(most, sets.memory)
        }
        #expect(areSame)
        #expect(most <= DomainSets.memoryLimit && most > DomainSets.memoryLimit / 2)
        // One set of lists beside the first three, whatever was forgotten.
        #expect(sets.count == 4 && sets.lists(number).count == 1)
    }

    // MARK: - Explanations

    @Test(
        arguments: [
            (.known(["api.example.com"]), "destination domain is one of api.example.com, *.example.org"),
            (
                .known(["www.example.com"]),
                "destination domain is one of api.example.com, *.example.org; it is www.example.com"
            ),
            (.known([]), "it is an address without a known name"),
            (.unknown, "it is not known which names 198.51.100.9 has"),
        ] as [(DestinationDomains, String)]
    )
    func explanationsNameTheDomain(_ domains: DestinationDomains, _ words: String) throws {
        let snapshot = Self.egress([Self.rule(["api.example.com", "*.example.org"])])
        let explanation = try #require(
            snapshot.explain(Self.tuple, source: Self.pod, destination: Make.outside, domains: domains).egress
        )
        #expect(explanation.enforced.last?.words.contains(words) == true, "\(explanation.enforced)")
        #expect(explanation.dependsOnDomains)
    }
}
