import FlowModel
import Testing

@testable import FlowLog

/// Policies with domain names: the policies of records, given the resolved names.
@Suite struct DomainPolicyTests {
    private static let outside = IPAddress(192, 0, 2, 1)
    private static let allow = PolicyTrace(
        action: .allow,
        enforced: ["0|d|d.a|allow|0"],
        pending: ["0|d|d.a|allow|0"],
        dependsOnDomains: true
    )
    private static let deny = PolicyTrace(
        action: .deny,
        enforced: ["0|d|d.a|deny|-1"],
        pending: ["0|d|d.a|deny|-1"],
        dependsOnDomains: true
    )

    /// Allows destinations with the domain www.example.com, and denies others.
    private final class Evaluator: PolicyEvaluator {
        let generation: UInt64 = 1
        let usesDomains: Bool

        init(usesDomains: Bool = true) { self.usesDomains = usesDomains }

        func traces(
            of packets: TrackedConnection.Tuple,
            source: Endpoint,
            destination: Endpoint,
            domains: DestinationDomains
        ) -> (egress: PolicyTrace?, ingress: PolicyTrace?) {
            (domains == .known(["www.example.com"]) ? allow : deny, nil)
        }
    }

    /// Resolves one address to one name, and counts the queries.
    private final class Names: DomainResolver {
        let isEmpty = false
        var client: DomainClient
        private(set) var asked: [IPAddress: Int] = [:]

        init(client: DomainClient = .workload(interface: 7)) { self.client = client }

        func domains(of address: IPAddress, for client: DomainClient) -> [String] {
            asked[address, default: 0] += 1
            return client == self.client && address == outside ? ["www.example.com"] : []
        }
    }

    private static func fixture(_ names: Names?, _ evaluator: Evaluator = Evaluator()) -> AggregatorFixture {
        var fixture = AggregatorFixture(level: .none)
        let pod = Endpoint(kind: .workload, name: "shop-1", aggregatedName: "shop-*", namespace: "shop")
        fixture.learn { $0.owners[AggregatorFixture.workload] = pod }
        fixture.aggregator.domains = names
        fixture.aggregator.use(evaluator)
        return fixture
    }

    private static func call(_ address: IPAddress) -> FlowBirth {
        AggregatorFixture.birth(
            1,
            near: AggregatorFixture.workload,
            far: address,
            nearPort: 40_001,
            farPort: 443,
            role: .workload,
            interface: 7
        )
    }

    /// A known name allows the connection; without the name, policies would deny it, and the record has no policies.
    @Test(
        arguments: [
            (DomainClient.workload(interface: 7), outside, ["0|d|d.a|allow|0"]),
            (.workload(interface: 8), outside, nil),
            (.host, outside, nil),
            (.workload(interface: 7), IPAddress(192, 0, 2, 2), nil),
            (nil, outside, nil),
        ] as [(DomainClient?, IPAddress, [String]?)]
    )
    func hasPoliciesOnlyForKnownName(_ client: DomainClient?, _ address: IPAddress, _ enforced: [String]?) throws {
        var fixture = Self.fixture(client.map { Names(client: $0) })
        fixture.births(Self.call(address))
        let record = try #require(fixture.flush().first)
        #expect(record.action == .allow)
        #expect(record.policies?.enforced.enforced == enforced)
        #expect(record.policies?.pending.pending == enforced)
        #expect(fixture.aggregator.takeMismatches().isEmpty)
    }

    /// Endpoints of the cluster have no domain names: the evaluator gets none, and the resolver gets no query.
    @Test func resolvesDomainsOnlyForOutsideEndpoints() {
        let names = Names()
        let resolver = FakeResolver(own: [AggregatorFixture.own], owners: [:])
        let lookup = DestinationNames(names: names, resolver: resolver)
        let pod = Endpoint(kind: .workload, name: "db-0", aggregatedName: "db-*", namespace: "shop")
        let cases: [(Endpoint, Bool, DestinationDomains)] = [
            (pod, true, .none), (AggregatorFixture.host, true, .none),
            (FakeResolver.publicNetwork, true, .known(["www.example.com"])),
            (FakeResolver.publicNetwork, false, .unknown),
        ]
        for (owner, usesDomains, expected) in cases {
            let connection = ResolvedFlow(
                local: FlowEndpoint(address: AggregatorFixture.workload, owner: pod, mayBecomeKnown: false),
                remote: FlowEndpoint(address: Self.outside, owner: owner, mayBecomeKnown: false),
                localPort: 40_001,
                remotePort: 443,
                proto: .tcp,
                reporter: .source,
                service: nil,
                natPort: 0
            )
            let evaluator = Evaluator(usesDomains: usesDomains)
            #expect(lookup.domains(of: connection, at: 7, for: evaluator) == expected)
        }
        #expect(names.asked == [Self.outside: 1])
    }
}
