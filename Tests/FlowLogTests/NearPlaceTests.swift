import FlowModel
import Testing

@testable import FlowLog

/// The source names of packets whose sender does not own the source address.
@Suite struct NearPlaceTests {
    private static let pod = IPAddress(10, 1, 0, 1)
    private static let victim = IPAddress(10, 1, 0, 2)
    private static let remote = IPAddress(10, 1, 9, 9)
    private static let outside = IPAddress(198, 51, 100, 7)
    private static let inSet = IPAddress(203, 0, 113, 5)

    private static func endpoint(_ name: String) -> Endpoint {
        Endpoint(kind: .workload, name: name, aggregatedName: name, namespace: "shop")
    }

    /// A node with two pods, a pod elsewhere, and a network set.
    private func fixture() throws -> AggregatorFixture {
        var fixture = AggregatorFixture()
        let range = try #require(IPPrefix("203.0.113.0/24"))
        fixture.learn {
            $0.owners[Self.pod] = Self.endpoint("sender")
            $0.owners[Self.victim] = Self.endpoint("victim")
            $0.owners[Self.remote] = Self.endpoint("remote")
            $0.localWorkloads = [Self.pod, Self.victim]
            $0.networkSets = [(range, Endpoint(kind: .networkSet, name: "set", aggregatedName: "set"))]
        }
        return fixture
    }

    /// The expected presentation of a sender.
    struct Example: Sendable, CustomTestStringConvertible {
        var near: IPAddress
        var place: NearPlace
        var name: String
        var isForeign = false
        var testDescription: String { "\(near) \(place)" }
    }

    private static let examples = [
        Example(near: pod, place: .behind, name: "sender"),
        Example(near: pod, place: .unknown, name: "sender"),
        Example(near: victim, place: .elsewhere(owner: pod), name: "-", isForeign: true),
        Example(near: AggregatorFixture.own, place: .elsewhere(owner: pod), name: "-", isForeign: true),
        Example(near: inSet, place: .elsewhere(owner: pod), name: "-", isForeign: true),
        Example(near: remote, place: .notBehind(owner: pod), name: "-", isForeign: true),
        // The workload behind the interface configured the address.
        Example(near: remote, place: .behind, name: "-"),
        // A gateway's or a virtual machine's address, which is not foreign.
        Example(near: outside, place: .notBehind(owner: pod), name: "-"),
        Example(near: inSet, place: .notBehind(owner: pod), name: "set"),
    ]

    @Test(arguments: examples)
    func namesSourceByNearPlace(_ example: Example) throws {
        var fixture = try fixture()
        var birth = AggregatorFixture.birth(1, near: example.near, far: Self.outside, role: .workload, interface: 7)
        birth.nearPlace = example.place
        fixture.births(birth)
        fixture.delta(1, ingress: 100, egress: 0)
        let found = fixture.aggregator.takeForeignSenders()
        let record = try #require(fixture.flush().first)
        #expect(record.source.endpoint.name == example.name)
        #expect(record.source.address == example.near)
        #expect(record.reporter == .source)
        #expect(found.isEmpty == !example.isForeign)
        for sender in found {
            #expect(sender.interfaceIndex == 7)
            #expect(sender.sender?.name == "sender")
            #expect(sender.addresses == [example.near])
            #expect(sender.packets == 1)
            #expect(sender.flows == 1)
        }
        #expect(fixture.aggregator.statistics.foreignPackets == (example.isForeign ? 1 : 0))
    }

    /// A name that becomes known late belongs to its owner, and not to the sender.
    @Test func lateNameIsNotGivenToForeignSender() throws {
        var fixture = try fixture()
        let late = IPAddress(10, 1, 0, 77)
        let range = try #require(IPPrefix("10.1.0.0/16"))
        fixture.learn { $0.workloadRanges = [range] }
        var birth = AggregatorFixture.birth(1, near: late, far: Self.outside, role: .workload, interface: 7)
        birth.nearPlace = .notBehind(owner: Self.pod)
        fixture.births(birth)
        fixture.delta(1, ingress: 100, egress: 0)
        #expect(fixture.flush().map(\.source.endpoint.name) == ["-"])
        fixture.learn { $0.owners[late] = Self.endpoint("late") }
        fixture.delta(1, ingress: 100, egress: 0)
        #expect(fixture.flush(at: 300).map(\.source.endpoint.name) == ["-"])
        fixture.delta(1, ingress: 100, egress: 0)
        #expect(fixture.flush(at: 400).map(\.source.endpoint.name) == ["-"])
    }

    /// The receiver's interface shows the forged address as the far end.
    @Test func forgedSourceHasNoNameAtReceiver() throws {
        var fixture = try fixture()
        var sent = AggregatorFixture.birth(2, near: Self.victim, far: Self.pod, role: .workload, interface: 7)
        sent.nearPlace = .elsewhere(owner: nil)
        let forged = AggregatorFixture.birth(
            1,
            near: Self.pod,
            far: Self.victim,
            nearPort: 80,
            farPort: 40000,
            role: .workload,
            marks: [.openedEgress, .firstEgress]
        )
        fixture.births(sent, forged)
        fixture.delta(1, ingress: 0, egress: 100)
        let record = try #require(fixture.flush().first { $0.reporter == .destination })
        #expect(record.source.endpoint.name == "-")
        #expect(record.source.address == Self.victim)
        #expect(record.destination.endpoint.name == "sender")
        #expect(record.reporter == .destination)
    }

    /// Packets from outside with a local pod's address get no name; packets of another node's pod get its name.
    @Test func uplinkNamesRemotePodsButNotForgedOnes() throws {
        var fixture = try fixture()
        fixture.learn { $0.localWorkloads.insert(Self.remote) }
        var forged = AggregatorFixture.birth(1, near: Self.victim, far: Self.outside)
        forged.nearPlace = .elsewhere(owner: nil)
        var transit = AggregatorFixture.birth(2, near: Self.remote, far: Self.outside)
        transit.nearPlace = .notBehind(owner: nil)
        var called = AggregatorFixture.birth(3, near: Self.remote, far: AggregatorFixture.own)
        called.nearPlace = .notBehind(owner: nil)
        fixture.births(forged, transit, called)
        for number: UInt32 in 1...3 { fixture.delta(number, ingress: 100, egress: 0) }
        let records = fixture.flush()
        #expect(records.map(\.source.endpoint.name) == ["remote"])
        #expect(records.map(\.reporter) == [.destination])
    }
}
