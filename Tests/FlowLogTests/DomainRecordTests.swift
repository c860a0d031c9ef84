import FlowModel
import Testing

@testable import FlowLog

/// Domain names of destinations, in records.
struct DomainRecordTests {
    /// Resolves names from a table, and keeps the queried addresses.
    private final class Names: DomainResolver {
        var names: [DomainClient: [IPAddress: [String]]] = [:]
        private(set) var asked: Set<IPAddress> = []

        var isEmpty: Bool { names.isEmpty }

        func domains(of address: IPAddress, for client: DomainClient) -> [String] {
            asked.insert(address)
            return names[client]?[address] ?? []
        }
    }

    private static let outside = IPAddress(192, 0, 2, 1)
    private static let elsewhere = IPAddress(192, 0, 2, 2)
    private static let pod = DomainClient.workload(interface: 7)

    private static func fixture(_ level: AggregationLevel, _ names: Names) -> AggregatorFixture {
        var fixture = AggregatorFixture(level: level)
        fixture.learn {
            $0.owners[AggregatorFixture.workload] = Endpoint(
                kind: .workload,
                name: "shop-1",
                aggregatedName: "shop-*",
                namespace: "shop"
            )
        }
        fixture.aggregator.domains = names
        return fixture
    }

    /// The pod calls an address.
    private static func call(_ number: UInt32, _ address: IPAddress, port: UInt16 = 443) -> FlowBirth {
        AggregatorFixture.birth(
            number,
            near: AggregatorFixture.workload,
            far: address,
            nearPort: 40_000 + UInt16(number),
            farPort: port,
            role: .workload,
            interface: 7
        )
    }

    @Test func sourceRecordHasDomainsOfDestination() throws {
        let names = Names()
        names.names = [Self.pod: [Self.outside: ["www.example.com", "a.example.com"]]]
        var fixture = Self.fixture(.none, names)
        fixture.births(Self.call(1, Self.outside), Self.call(2, Self.elsewhere))
        let records = fixture.flush()
        #expect(records.count == 2)
        for record in records {
            let isNamed = record.destination.address == Self.outside
            #expect(record.domains == (isNamed ? ["a.example.com", "www.example.com"] : []))
        }
    }

    /// The host and each workload have separate names.
    @Test func recordHasOnlyDomainsOfItsClient() throws {
        let names = Names()
        names.names = [
            .host: [Self.outside: ["host.example"]],
            .workload(interface: 8): [Self.outside: ["other.example"]],
            .workload(interface: 2): [Self.outside: ["uplink.example"]],
        ]
        var fixture = Self.fixture(.none, names)
        fixture.births(
            Self.call(1, Self.outside),
            AggregatorFixture.birth(2, near: Self.outside, farPort: 50_000, marks: .openedEgress)
        )
        let records = fixture.flush()
        #expect(records.count == 2 && records.allSatisfy { $0.reporter == .source })
        for record in records {
            #expect(record.domains == (record.source.address == AggregatorFixture.own ? ["host.example"] : []))
        }
    }

    /// Records of destinations and of connections inside the cluster have no domains, and cause no query.
    @Test func onlyOutsideDestinationsHaveDomains() throws {
        let names = Names()
        names.names = [
            Self.pod: [AggregatorFixture.own: ["node.example"]], .host: [AggregatorFixture.peer: ["peer.example"]],
        ]
        var fixture = Self.fixture(.none, names)
        fixture.births(Self.call(1, AggregatorFixture.own), AggregatorFixture.birth(2))
        let records = fixture.flush()
        #expect(records.count == 2 && records.allSatisfy { $0.domains.isEmpty })
        #expect(names.asked.isEmpty)
    }

    /// A record of several destinations has the first five of all names.
    @Test func recordHasAtMostFiveDomains() throws {
        let names = Names()
        names.names = [
            Self.pod: [Self.outside: ["g", "c", "a", "c"], Self.elsewhere: ["b", "f", "e", "a"]]
        ]
        var fixture = Self.fixture(.podPrefix, names)
        fixture.births(Self.call(1, Self.outside), Self.call(2, Self.elsewhere))
        let records = fixture.flush()
        #expect(records.map(\.domains) == [["a", "b", "c", "e", "f"]])
        // A flow that ended in the interval counts, too; the next record has only names of live flows.
        fixture.ends(2)
        #expect(fixture.flush(at: 300).map(\.domains) == [["a", "b", "c", "e", "f"]])
        #expect(fixture.flush(at: 400).map(\.domains) == [["a", "c", "g"]])
    }

    @Test func foldedRecordMergesDomains() {
        var one = FlowRecord(
            startTime: 1,
            endTime: 2,
            level: .none,
            source: .init(address: nil, port: nil, endpoint: .unknown, labels: nil),
            destination: .init(address: nil, port: nil, endpoint: .unknown, labels: nil),
            proto: .tcp,
            action: .allow,
            reporter: .source,
            inbound: .zero,
            outbound: .zero,
            flows: FlowCounts(total: 1, started: 1, completed: 0)
        )
        one.domains = ["b", "d", "f"]
        var other = copy one
        other.domains = ["a", "b", "e", "g"]
        var intersections = LabelIntersections()
        var folded = FoldedRecord(one, flush: 1)
        folded.add(other, flush: 1, isFirstFlush: true, &intersections)
        #expect(folded.finished.domains == ["a", "b", "d", "e", "f"])
    }
}
