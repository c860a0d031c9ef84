import FlowModel
import Testing

@testable import FlowLog

@Suite struct AggregationLevelTests {
    private typealias Fixture = AggregatorFixture

    private static func pod(_ number: Int, _ aggregatedName: String, namespace: String = "shop") -> Endpoint {
        Endpoint(kind: .workload, name: "pod-\(number)", aggregatedName: aggregatedName, namespace: namespace)
    }

    /// Two connections that differ in one field share a record from the given level on, or never if it is nil.
    @Test(
        arguments: [
            (Fixture.birth(1, nearPort: 40001), .sourcePort),
            (Fixture.birth(1, near: IPAddress(10, 0, 0, 3)), .podPrefix),
            (Fixture.birth(1, far: IPAddress(10, 0, 1, 1)), .podPrefix),
            (Fixture.birth(1, farPort: 81), .noDestinationPort),
            (Fixture.birth(1, proto: .udp), nil),
            (Fixture.birth(1, near: IPAddress(10, 0, 0, 4)), nil),
            (Fixture.birth(1, near: IPAddress(10, 0, 0, 5)), nil),
            (Fixture.birth(1, near: Fixture.own, far: Fixture.peer), nil),
        ] as [(FlowBirth, AggregationLevel?)],
        AggregationLevel.allCases
    )
    func mergesConnectionsByLevel(second: (birth: FlowBirth, foldedFrom: AggregationLevel?), level: AggregationLevel) {
        var fixture = Fixture(level: level)
        fixture.resolver.owners = [
            Fixture.peer: Self.pod(11, "web-*"),
            IPAddress(10, 0, 0, 3): Self.pod(12, "web-*"),
            IPAddress(10, 0, 0, 4): Self.pod(13, "api-*"),
            IPAddress(10, 0, 0, 5): Self.pod(14, "web-*", namespace: "bank"),
            Fixture.own: Fixture.host,
            IPAddress(10, 0, 1, 1): Fixture.host,
        ]
        fixture.own([Fixture.own, IPAddress(10, 0, 1, 1)])
        fixture.births(Fixture.birth(0), second.birth)
        let shares = second.foldedFrom.map { level >= $0 } ?? false
        #expect(fixture.flush().map(\.flows.total) == (shares ? [2] : [1, 1]))
    }

    @Test(arguments: AggregationLevel.allCases)
    func recordOmitsFieldsByLevel(level: AggregationLevel) throws {
        var fixture = Fixture(level: level)
        fixture.births(Fixture.birth(0))
        let record = try #require(fixture.flush().first)
        #expect(record.level == level)
        #expect(record.source.port == (level < .sourcePort ? 40000 : nil))
        #expect(record.source.address == (level < .podPrefix ? Fixture.peer : nil))
        #expect(record.destination.address == (level < .podPrefix ? Fixture.own : nil))
        #expect(record.destination.port == (level < .noDestinationPort ? 80 : nil))
    }

    /// The same tuple of another owner is another flow, and another record at levels that show addresses.
    @Test(arguments: AggregationLevel.allCases)
    func newOwnerOfAddressStartsAnotherFlow(level: AggregationLevel) {
        var fixture = Fixture(level: level)
        fixture.resolver.owners[Fixture.peer] = Self.pod(11, "web-*")
        fixture.own([Fixture.own])
        fixture.births(Fixture.birth(0))
        fixture.ends(0)
        fixture.resolver.owners[Fixture.peer] = Self.pod(12, "web-*")
        fixture.own([Fixture.own])
        fixture.births(Fixture.birth(0))
        let records = fixture.flush()
        #expect(records.map(\.flows.total) == (level < .podPrefix ? [1, 1] : [2]))
        if level < .podPrefix { #expect(records.map(\.source.endpoint.name) == ["pod-11", "pod-12"]) }
    }

    @Test func levelDependsOnVerdict() {
        let configuration = FlowLogConfiguration(levelForAllowed: .podPrefix, levelForDenied: .none)
        #expect(configuration.level(for: .allow) == .podPrefix)
        #expect(configuration.level(for: .deny) == .none)
        #expect(FlowLogConfiguration().level(for: .allow) == .podPrefix)
        #expect(FlowLogConfiguration().level(for: .deny) == .sourcePort)
    }
}
