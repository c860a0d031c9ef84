import FlowModel
import Testing

@testable import FlowLog

/// Flows to and from workloads that the inventory adds later.
@Suite struct LateNameTests {
    private typealias Fixture = AggregatorFixture

    private static let server = IPAddress(10, 1, 0, 9)

    private static func endpoint(_ name: String) -> Endpoint {
        Endpoint(kind: .workload, name: name, aggregatedName: name, namespace: "shop")
    }

    /// A workload 10.1.0.1 that calls 10.1.0.9, an address without a known owner.
    private static func fixture() throws -> Fixture {
        var fixture = Fixture()
        let range = try #require(IPPrefix("10.1.0.0/24"))
        fixture.learn { resolver in
            resolver.workloadRanges = [range]
            resolver.owners[Fixture.workload] = endpoint("client")
        }
        return fixture
    }

    private static func birth(_ number: UInt32, nearPort: UInt16 = 40000) -> FlowBirth {
        Fixture.birth(number, near: Fixture.workload, far: server, nearPort: nearPort, role: .workload)
    }

    private static func names(_ records: [FlowRecord]) -> [String] {
        records.map(\.destination.endpoint.aggregatedName)
    }

    @Test func holdsFlowUntilNameIsKnown() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0))
        fixture.delta(0, ingress: 10, egress: 20)
        #expect(fixture.aggregator.statistics.heldFlows == 1)
        #expect(fixture.aggregator.statistics.liveFlows == 0)
        fixture.learn { $0.owners[Self.server] = Self.endpoint("server") }
        fixture.delta(0, ingress: 1, egress: 2)
        #expect(fixture.aggregator.statistics.heldFlows == 0)
        let records = fixture.flush()
        #expect(Self.names(records) == ["server"])
        #expect(records.map(\.outbound) == [TrafficCounters(packets: 2, bytes: 11)])
        #expect(records.map(\.inbound) == [TrafficCounters(packets: 4, bytes: 22)])
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 0)])
    }

    /// Flows that began before the end of a workload get its name; later flows are held for the next owner.
    @Test(arguments: [(5, "old", 0), (10, "old", 0), (11, "new", 1), (0, "old", 0)] as [(Int64, String, Int)])
    func flowAfterEndOfWorkloadGetsNextOwner(began: Int64, name: String, held: Int) throws {
        var fixture = try Self.fixture()
        fixture.learn { resolver in
            resolver.owners[Self.server] = Self.endpoint("old")
            resolver.endings[Self.server] = 10
        }
        var birth = Self.birth(0)
        birth.began = began
        fixture.births(birth)
        fixture.delta(0, ingress: 10, egress: 20)
        #expect(fixture.aggregator.statistics.heldFlows == held)
        fixture.learn { resolver in
            resolver.owners[Self.server] = Self.endpoint("new")
            resolver.endings = [:]
        }
        let records = fixture.flush()
        #expect(Self.names(records) == [name])
        #expect(records.map(\.outbound.bytes) == [10])
    }

    /// The name comes late, and the resolver still returns the former owner at the end of the first interval.
    @Test func renamesFlowToNewOwnerNotDeletedWorkload() throws {
        var fixture = try Self.fixture()
        fixture.learn { resolver in
            resolver.owners[Self.server] = Self.endpoint("old")
            resolver.endings[Self.server] = 10
        }
        var birth = Self.birth(0)
        birth.began = 11
        fixture.births(birth)
        fixture.delta(0, ingress: 1, egress: 0)
        #expect(Self.names(fixture.flush()) == ["pvt"])
        fixture.learn { _ in }
        fixture.delta(0, ingress: 2, egress: 0)
        #expect(Self.names(fixture.flush()) == ["pvt"])
        fixture.learn { resolver in
            resolver.owners[Self.server] = Self.endpoint("new")
            resolver.endings = [:]
        }
        fixture.delta(0, ingress: 4, egress: 0)
        _ = fixture.flush()
        fixture.delta(0, ingress: 8, egress: 0)
        #expect(Self.names(fixture.flush()) == ["new"])
    }

    /// Nothing happens to the flow between its birth and the flush that names it.
    @Test func flushNamesHeldFlow() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0))
        fixture.delta(0, ingress: 10, egress: 20)
        fixture.learn { $0.owners[Self.server] = Self.endpoint("server") }
        let records = fixture.flush()
        #expect(Self.names(records) == ["server"])
        #expect(records.map(\.outbound.bytes) == [10])
    }

    @Test func flushReportsHeldFlowWithoutName() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0))
        fixture.delta(0, ingress: 10, egress: 20)
        let records = fixture.flush()
        #expect(Self.names(records) == ["pvt"])
        #expect(records.map(\.outbound.bytes) == [10])
        #expect(fixture.aggregator.statistics.heldFlows == 0)
    }

    @Test func endReportsHeldFlowWithoutName() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0))
        fixture.delta(0, ingress: 10, egress: 20)
        fixture.ends(0)
        #expect(fixture.aggregator.statistics.endedFlows == 1)
        // The name that comes now belongs to another flow.
        fixture.learn { $0.owners[Self.server] = Self.endpoint("server") }
        let records = fixture.flush()
        #expect(Self.names(records) == ["pvt"])
        #expect(records.map(\.outbound.bytes) == [10])
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 1)])
    }

    @Test func birthReportsHeldFlowOfSameID() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0, nearPort: 1))
        fixture.delta(0, ingress: 10, egress: 20)
        fixture.births(Self.birth(0, nearPort: 2))
        fixture.delta(0, ingress: 1, egress: 2)
        let records = fixture.flush()
        #expect(records.map(\.source.port) == [1, 2])
        #expect(records.map(\.outbound.bytes) == [10, 1])
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 1), FlowCounts(1, 1, 0)])
        #expect(fixture.aggregator.statistics.unknownFlowIDs == 0)
    }

    @Test func renamesRunningFlowOnce() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0))
        fixture.delta(0, ingress: 1, egress: 0)
        #expect(Self.names(fixture.flush()) == ["pvt"])

        fixture.learn { $0.owners[Self.server] = Self.endpoint("server") }
        fixture.delta(0, ingress: 2, egress: 0)
        let old = fixture.flush()
        #expect(Self.names(old) == ["pvt"])
        #expect(old.map(\.flows) == [FlowCounts(1, 0, 1)])
        #expect(old.map(\.outbound.bytes) == [2])

        fixture.delta(0, ingress: 4, egress: 0)
        let new = fixture.flush()
        #expect(Self.names(new) == ["server"])
        #expect(new.map(\.flows) == [FlowCounts(1, 1, 0)])
        #expect(new.map(\.outbound.bytes) == [4])

        // The address may get another owner: the connection does not.
        fixture.learn { $0.owners[Self.server] = nil }
        #expect(Self.names(fixture.flush()) == ["server"])
        fixture.learn { $0.owners[Self.server] = Self.endpoint("other") }
        #expect(Self.names(fixture.flush()) == ["server"])
        fixture.ends(0)
        #expect(fixture.flush().map(\.flows) == [FlowCounts(1, 0, 1)])
        #expect(fixture.flush().isEmpty)
    }

    @Test func renamesAllIDsOfFlow() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0), Self.birth(7))
        _ = fixture.flush()
        fixture.learn { $0.owners[Self.server] = Self.endpoint("server") }
        // This one is born when the name is known.
        fixture.births(Self.birth(9))
        #expect(fixture.flush().map(\.flows) == [FlowCounts(1, 0, 1), FlowCounts(1, 1, 0)])
        for number in [0, 7, 9] as [UInt32] { fixture.delta(number, ingress: 1, egress: 0) }
        let records = fixture.flush()
        #expect(Self.names(records) == ["server"])
        #expect(records.map(\.flows) == [FlowCounts(1, 0, 0)])
        #expect(records.map(\.outbound.bytes) == [3])
        fixture.ends(0, 7, 9)
        #expect(fixture.flush().map(\.flows) == [FlowCounts(1, 0, 1)])
        #expect(fixture.aggregator.nameCounts == NameCounts())
    }

    /// The end that was known keeps its owner, even if its address has another one by now.
    @Test func renamesOnlyUnknownEnd() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0))
        _ = fixture.flush()
        fixture.learn { resolver in
            resolver.owners[Self.server] = Self.endpoint("server")
            resolver.owners[Fixture.workload] = Self.endpoint("successor")
        }
        _ = fixture.flush()
        let record = try #require(fixture.flush().first)
        #expect(record.source.endpoint.name == "client")
        #expect(record.destination.endpoint.name == "server")
    }

    @Test func addressOutsideWorkloadRangesKeepsItsFlow() throws {
        var fixture = try Self.fixture()
        fixture.births(Self.birth(0))
        _ = fixture.flush()
        fixture.learn { $0.workloadRanges = [] }
        #expect(fixture.flush().map(\.flows) == [FlowCounts(1, 0, 0)])
        #expect(fixture.flush().map(\.flows) == [FlowCounts(1, 0, 0)])
    }

    /// On a bridge the near end may prove to be a workload of this host; until then its traffic is kept.
    @Test(arguments: [true, false])
    func holdsBridgeFlowUntilWorkloadIsKnown(isLocal: Bool) throws {
        var fixture = try Self.fixture()
        fixture.births(Fixture.birth(0, near: Self.server, far: Fixture.workload))
        fixture.delta(0, ingress: 10, egress: 20)
        #expect(fixture.aggregator.statistics.heldFlows == 1)
        fixture.learn { resolver in
            resolver.owners[Self.server] = Self.endpoint("server")
            if isLocal { resolver.localWorkloads = [Self.server] }
        }
        let records = fixture.flush()
        #expect(records.map(\.outbound.bytes) == (isLocal ? [10] : []))
        #expect(fixture.aggregator.statistics.unreportedFlows == (isLocal ? 0 : 1))
        #expect(fixture.aggregator.statistics.heldFlows == 0)
    }
}
