import FlowModel
import Testing

@testable import FlowLog

@Suite struct FlowAggregatorTests {
    private typealias Fixture = AggregatorFixture

    // MARK: - Reporters and directions

    @Test(
        arguments: [
            // The host is the server: it receives ingress packets.
            (Fixture.birth(0), FlowReporter.destination, 10, 20),
            // The host's client.
            (Fixture.birth(0, marks: .openedEgress), .source, 10, 20),
            // The host is the near end: it sends ingress packets.
            (Fixture.birth(0, near: Fixture.own, far: Fixture.peer), .source, 20, 10),
            // A workload as client and as server: it sends ingress packets.
            (Fixture.birth(0, near: Fixture.workload, role: .workload), .source, 20, 10),
            (Fixture.birth(0, near: Fixture.workload, role: .workload, marks: .openedEgress), .destination, 20, 10),
        ] as [(FlowBirth, FlowReporter, UInt64, UInt64)]
    )
    func countsBytesForReporter(birth: FlowBirth, reporter: FlowReporter, inbound: UInt64, outbound: UInt64) throws {
        var fixture = Fixture()
        fixture.births(birth)
        fixture.delta(0, ingress: 10, egress: 20)
        let records = fixture.flush()
        let record = try #require(records.first)
        #expect(records.count == 1)
        #expect(record.reporter == reporter)
        #expect(record.inbound.bytes == inbound)
        #expect(record.outbound.bytes == outbound)
        let local = reporter == .source ? record.source : record.destination
        #expect(local.address == (birth.role == .workload ? Fixture.workload : Fixture.own))
    }

    @Test func sourceIsTheInitiator() throws {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0, nearPort: 80, farPort: 40000, marks: .openedEgress))
        let record = try #require(fixture.flush().first)
        #expect(record.source.address == Fixture.own && record.source.port == 40000)
        #expect(record.destination.address == Fixture.peer && record.destination.port == 80)
        #expect(record.source.endpoint === Fixture.host)
        #expect(record.destination.endpoint === FakeResolver.privateNetwork)
        #expect(record.action == .allow && record.proto == .tcp)
    }

    @Test(arguments: [IPProtocol.icmp, .icmp6], [(true, true), (true, false), (false, true), (false, false)])
    func icmpIdentifierIsTheSourcePort(proto: IPProtocol, circumstances: (ownIsNear: Bool, nearBegan: Bool)) throws {
        var fixture = Fixture()
        let (near, far) = circumstances.ownIsNear ? (Fixture.own, Fixture.peer) : (Fixture.peer, Fixture.own)
        let marks: FlowMarks = circumstances.nearBegan ? .openedIngress : .openedEgress
        fixture.births(Fixture.birth(0, near: near, far: far, nearPort: 77, farPort: 2048, proto: proto, marks: marks))
        let record = try #require(fixture.flush().first)
        #expect(record.source.port == 77)
        #expect(record.destination.port == 2048)
        #expect(record.source.address == (circumstances.nearBegan ? near : far))
    }

    @Test func portsAreZeroForProtocolWithoutPorts() throws {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0, nearPort: 0, farPort: 0, proto: IPProtocol(rawValue: 47)))
        let record = try #require(fixture.flush().first)
        #expect(record.source.port == 0 && record.destination.port == 0)
    }

    // MARK: - Counting

    @Test func countsConnectionWithinOneInterval() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0))
        fixture.ends(0)
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 1)])
        #expect(fixture.flushCounts().isEmpty)
    }

    @Test func countsIdleConnectionAcrossFlushes() throws {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0))
        fixture.delta(0, ingress: 10, egress: 20)
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 0)])
        let idle = try #require(fixture.flush().first)
        #expect(idle.flows == FlowCounts(1, 0, 0))
        #expect(idle.inbound == .zero && idle.outbound == .zero)
        fixture.ends(0)
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 1)])
        #expect(fixture.flushCounts().isEmpty)
    }

    @Test func reopenedFlowCountsOncePerInterval() {
        var fixture = Fixture()
        for number in 0..<3 as Range<UInt32> {
            fixture.births(Fixture.birth(number))
            fixture.ends(number)
        }
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 1)])
    }

    @Test func flowReopenedAfterFlushCountsAgain() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0))
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 0)])
        fixture.ends(0)
        fixture.births(Fixture.birth(0))
        #expect(fixture.flushCounts() == [FlowCounts(1, 1, 1)])
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 0)])
    }

    @Test func flowReopenedByOtherEndGetsAnotherRecord() {
        var fixture = Fixture()
        for marks in [FlowMarks.openedIngress, .openedEgress, .openedIngress] {
            fixture.births(Fixture.birth(0, marks: marks))
            fixture.delta(0, ingress: 1, egress: 0)
            fixture.ends(0)
        }
        let records = fixture.flush()
        #expect(records.map(\.reporter) == [.destination, .source])
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 1), FlowCounts(1, 1, 1)])
        #expect(records.map(\.inbound.bytes) == [2, 1])
    }

    // MARK: - IDs of one flow

    @Test func flowIDsOfOneTupleShareOneFlow() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0), Fixture.birth(9, interface: 3, marks: []))
        fixture.delta(0, ingress: 1, egress: 10)
        fixture.delta(9, ingress: 2, egress: 20)
        fixture.ends(0)
        let open = fixture.flush()
        #expect(open.map(\.flows) == [FlowCounts(1, 1, 0)])
        #expect(open.map(\.inbound.bytes) == [3])
        #expect(open.map(\.outbound.bytes) == [30])
        fixture.ends(9)
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 1)])
    }

    @Test func flowIDsWithSwappedEndsShareOneFlow() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0))
        fixture.births(Fixture.birth(1, near: Fixture.own, far: Fixture.peer, nearPort: 80, farPort: 40000))
        fixture.delta(0, ingress: 1, egress: 10)
        fixture.delta(1, ingress: 20, egress: 2)
        let records = fixture.flush()
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 0)])
        #expect(records.map(\.inbound.bytes) == [3])
        #expect(records.map(\.outbound.bytes) == [30])
    }

    @Test func endedFlowIDKeepsOrientationOfRunningFlow() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0, marks: .openedIngress))
        fixture.births(Fixture.birth(1, interface: 3, marks: .openedEgress))
        fixture.ends(0)
        fixture.delta(1, ingress: 5, egress: 0)
        #expect(fixture.flush().map(\.reporter) == [.destination])
    }

    @Test func flowIDIsReusedForAnotherFlow() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0, nearPort: 1))
        fixture.ends(0)
        fixture.births(Fixture.birth(0, nearPort: 2))
        fixture.delta(0, ingress: 7, egress: 0)
        let records = fixture.flush()
        #expect(records.map(\.source.port) == [1, 2])
        #expect(records.map(\.inbound.bytes) == [0, 7])
        #expect(records.map(\.flows.completed) == [1, 0])
    }

    @Test func birthEndsEarlierFlowOfSameID() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0, nearPort: 1), Fixture.birth(0, nearPort: 2))
        #expect(fixture.flush().map(\.flows) == [FlowCounts(1, 1, 1), FlowCounts(1, 1, 0)])
        #expect(fixture.aggregator.statistics.liveFlows == 1)
    }

    @Test func countsUnknownFlowIDs() {
        var fixture = Fixture()
        fixture.delta(5, ingress: 1, egress: 1)
        fixture.ends(6)
        fixture.births(Fixture.birth(2))
        fixture.delta(1, ingress: 1, egress: 1)
        #expect(fixture.aggregator.statistics.unknownFlowIDs == 3)
        #expect(fixture.flush().map(\.inbound) == [.zero])
    }

    // MARK: - Flows that are not reported

    @Test func reportsFlowOnceHostAddressIsKnown() {
        var fixture = Fixture(own: [])
        fixture.births(Fixture.birth(0))
        fixture.delta(0, ingress: 100, egress: 100)
        #expect(fixture.flush().isEmpty)
        #expect(fixture.aggregator.statistics.unreportedFlows == 1)
        fixture.own([Fixture.own])
        #expect(fixture.flush().isEmpty)
        fixture.delta(0, ingress: 1, egress: 2)
        let records = fixture.flush()
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 0)])
        #expect(records.map(\.inbound.bytes) == [1])
        #expect(fixture.aggregator.statistics.unreportedFlows == 0)
        fixture.ends(0)
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 1)])
    }

    @Test func flowWithoutLocalEndStaysUnreported() {
        var fixture = Fixture(own: [])
        fixture.births(Fixture.birth(0))
        fixture.own([Fixture.workload])
        fixture.delta(0, ingress: 1, egress: 2)
        #expect(fixture.aggregator.statistics.unreportedFlows == 1)
        fixture.own([Fixture.peer])
        fixture.delta(0, ingress: 1, egress: 2)
        #expect(fixture.flush().map(\.outbound.bytes) == [1])
    }

    @Test func endedUnreportedFlowLeavesNoState() {
        var fixture = Fixture(own: [])
        fixture.births(Fixture.birth(0))
        fixture.ends(0)
        #expect(fixture.flush().isEmpty)
        #expect(fixture.aggregator.statistics.unreportedFlows == 0)
        #expect(fixture.aggregator.statistics.unknownFlowIDs == 0)
    }

    @Test func newResolverDoesNotRenameRunningFlows() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0))
        fixture.resolver.owners[Fixture.own] = Endpoint(kind: .host, name: "new", aggregatedName: "new")
        fixture.own([])
        fixture.births(Fixture.birth(1, nearPort: 40001))
        fixture.delta(0, ingress: 5, egress: 5)
        #expect(fixture.flush().map(\.destination.endpoint.name) == ["node"])
        fixture.own([Fixture.own])
        fixture.ends(0)
        fixture.births(Fixture.birth(0))
        #expect(fixture.flush().map(\.destination.endpoint.name) == ["node", "new"])
    }

    // MARK: - Intervals

    @Test(
        arguments: [
            ([200, 300], [100, 200], [200, 300]),
            ([100], [100], [100]),
            // The clock went backwards.
            ([50, 300], [100, 100], [100, 300]),
        ] as [([Int64], [Int64], [Int64])]
    )
    func intervalsAreContiguous(flushes: [Int64], starts: [Int64], ends: [Int64]) {
        var fixture = Fixture(startTime: 100)
        fixture.births(Fixture.birth(0), Fixture.birth(1, nearPort: 1))
        for (position, time) in flushes.enumerated() {
            let records = fixture.flush(at: time)
            #expect(records.map(\.startTime) == [starts[position], starts[position]])
            #expect(records.map(\.endTime) == [ends[position], ends[position]])
        }
    }

    @Test func freesAllStateAfterLastFlow() {
        var fixture = Fixture()
        fixture.births(Fixture.birth(0), Fixture.birth(1, nearPort: 1), Fixture.birth(2, far: Fixture.workload))
        #expect(fixture.aggregator.statistics.liveFlows == 2)
        fixture.ends(0, 1, 2)
        #expect(fixture.aggregator.statistics.endedFlows == 2)
        _ = fixture.flush()
        #expect(fixture.aggregator.statistics == FlowAggregator.Statistics())
        #expect(fixture.aggregator.nameCounts == NameCounts())
    }
}
