import FlowModel
import Testing

@testable import FlowLog

/// Connections that this host forwards between interfaces 2 and 3, both with a host endpoint.
@Suite struct ForwardedFlowTests {
    private static let client = IPAddress(192, 0, 2, 10)
    private static let server = IPAddress(198, 51, 100, 20)
    private static let denial = DropReason(name: "NETFILTER_DROP", isDecision: true)
    private static let (entrance, exit) = ("0|default|default.in|allow|0", "0|default|default.out|allow|0")
    private static let both = [entrance, "1|default|default.out|allow|0"]

    private static func fixture(level: AggregationLevel = .none) -> AggregatorFixture {
        var fixture = AggregatorFixture(level: level)
        fixture.aggregator.hostInterface = { HostInterface(node: "gw", name: "eth\($0)", addresses: []) }
        fixture.aggregator.use(
            FakeEvaluator(
                generation: 1,
                transit: { connection in
                    let isEntering = connection.direction == .entering
                    guard connection.interface.name == (isEntering ? "eth2" : "eth3") else { return nil }
                    return PolicyTrace(action: .allow, transit: [isEntering ? entrance : exit])
                },
                decide: { _ in (nil, nil) }
            )
        )
        return fixture
    }

    private static func entering(_ flowID: UInt32, from port: UInt16 = 40_000, to called: IPAddress = server)
        -> FlowBirth
    {
        AggregatorFixture.birth(flowID, near: client, far: called, nearPort: port, interface: 2)
    }

    private static func leaving(_ flowID: UInt32, from port: UInt16 = 40_000) -> FlowBirth {
        AggregatorFixture.birth(
            flowID,
            near: server,
            far: client,
            nearPort: 80,
            farPort: port,
            interface: 3,
            marks: .openedEgress
        )
    }

    private static func hits(_ records: [FlowRecord]) -> [[String]] {
        records.map { $0.policies?.enforced.transit ?? [] }
    }

    /// A scan finds the exit, the next one the entrance: one record has the hits of both, and all packets.
    @Test func movesCountedPacketsWhenEntranceIsFound() {
        var fixture = Self.fixture()
        fixture.births(Self.leaving(1))
        fixture.delta(1, ingress: 10, egress: 20)
        fixture.births(Self.entering(2))
        fixture.delta(2, ingress: 200, egress: 100)
        fixture.delta(1, ingress: 100, egress: 200)
        let records = fixture.flush()
        #expect(Self.hits(records) == [Self.both])
        #expect(records.first?.flows == FlowCounts(1, 1, 0))
        #expect(records.first?.forwarded.inbound == TrafficCounters(packets: 4, bytes: 220))
        #expect(records.first?.forwarded.outbound == TrafficCounters(packets: 2, bytes: 110))
        // The other interface's packets are the same ones.
        #expect(fixture.aggregator.statistics.unrecorded.elsewhere.packets == 3)
        #expect(fixture.aggregator.statistics.unrecorded.transit == .zero)
        fixture.ends(1, 2)
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 1)])
    }

    /// The interval ends between the two scans.
    @Test func entranceFoundInNextIntervalLeavesNoEmptyRecord() {
        var fixture = Self.fixture()
        fixture.births(Self.leaving(1))
        fixture.delta(1, ingress: 10, egress: 20)
        #expect(Self.hits(fixture.flush()) == [[Self.exit]])
        fixture.births(Self.entering(2))
        fixture.delta(1, ingress: 10, egress: 20)
        let records = fixture.flush(at: 300)
        #expect(Self.hits(records) == [Self.both])
        #expect(records.map(\.flows) == [FlowCounts(1, 0, 0)])
    }

    /// Records of several connections keep those whose other interface is not found.
    @Test func movesOneConnectionOutOfSharedRecord() {
        var fixture = Self.fixture(level: .sourcePort)
        fixture.births(Self.leaving(1), Self.leaving(2, from: 40_001))
        fixture.delta(1, ingress: 10, egress: 20)
        fixture.delta(2, ingress: 10, egress: 20)
        fixture.births(Self.entering(3))
        fixture.delta(1, ingress: 10, egress: 20)
        let records = fixture.flush()
        #expect(Set(Self.hits(records)) == [[Self.exit], Self.both])
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 0), FlowCounts(1, 1, 0)])
        #expect(records.reduce(0) { $0 + $1.forwarded.inbound.bytes } == 60)
    }

    /// The aggregator resolves unreported flows again whenever names change.
    @Test func changedNamesAddNoDuplicateHits() {
        var fixture = Self.fixture()
        fixture.births(Self.entering(1), Self.leaving(2))
        for _ in 0..<3 {
            fixture.learn { _ in }
            fixture.delta(1, ingress: 10, egress: 20)
            fixture.delta(2, ingress: 10, egress: 20)
        }
        #expect(Self.hits(fixture.flush()) == [Self.both])
    }

    /// A connection of addresses that may belong to workloads is held back, and its flows end before their names are decided.
    @Test(arguments: [[[1, 2]], [[1], [2]], [[2], [1]]] as [[[UInt32]]])
    func heldConnectionThatEndsGetsOneRecord(ends: [[UInt32]]) throws {
        var fixture = Self.fixture()
        let ranges = ["192.0.2.0/24", "198.51.100.0/24"].compactMap { IPPrefix($0) }
        fixture.learn { $0.workloadRanges = ranges }
        fixture.births(Self.entering(1), Self.leaving(2))
        #expect(fixture.aggregator.statistics.heldFlows == 2)
        fixture.delta(1, ingress: 100, egress: 200)
        fixture.delta(2, ingress: 200, egress: 100)
        for ends in ends { fixture.batch { $0.ends = ends } }
        // Another connection gets the identifier of the first one's entrance.
        fixture.births(Self.entering(1, from: 40_001), Self.leaving(3, from: 40_001))
        fixture.delta(1, ingress: 10, egress: 20)
        let records = fixture.flush()
        #expect(Self.hits(records) == [Self.both, Self.both])
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 1), FlowCounts(1, 1, 0)])
        #expect(records.map(\.forwarded.inbound.bytes) == [100, 10])
        fixture.ends(1, 3)
        #expect(fixture.flushCounts() == [FlowCounts(1, 0, 1)])
        #expect(fixture.flush(at: 900).isEmpty && fixture.aggregator.statistics.heldFlows == 0)
    }

    /// A flow that ended before its identifier was used again has its own flags.
    @Test func reusedIdentifierKeepsFlags() {
        var fixture = Self.fixture()
        let ranges = ["192.0.2.0/24", "198.51.100.0/24"].compactMap { IPPrefix($0) }
        fixture.learn { $0.workloadRanges = ranges }
        let (fin, rst) = (TCPFlags(rawValue: 1), TCPFlags(rawValue: 4))
        for (port, flags) in [(40_000, fin), (40_001, rst)] as [(UInt16, TCPFlags)] {
            fixture.births(Self.entering(1, from: port), Self.leaving(2, from: port))
            fixture.batch { $0.flags = [FlowFlags(flowID: 1, flags: flags), FlowFlags(flowID: 2, flags: flags)] }
            fixture.delta(1, ingress: 100, egress: 200)
            fixture.delta(2, ingress: 200, egress: 100)
            fixture.batch { $0.ends = [1, 2] }
        }
        let flags = fixture.flush().map(\.tcpFlags)
        #expect(flags.count == 2)
        #expect(flags.first?.contains(fin) == true && flags.first?.contains(rst) == false)
        #expect(flags.last?.contains(rst) == true && flags.last?.contains(fin) == false)
    }

    /// Identifiers are used again more often than held flows are looked through.
    @Test func shortConnectionsWithSameIdentifiersGetOneRecordEach() throws {
        var fixture = Self.fixture()
        let ranges = ["192.0.2.0/24", "198.51.100.0/24"].compactMap { IPPrefix($0) }
        fixture.learn { $0.workloadRanges = ranges }
        let pod = IPAddress(192, 0, 2, 77)
        fixture.births(
            AggregatorFixture.birth(3, near: pod, far: AggregatorFixture.peer, role: .workload, interface: 9)
        )
        for port in 40_000..<40_100 as Range<UInt16> {
            fixture.births(Self.entering(1, from: port), Self.leaving(2, from: port))
            fixture.delta(1, ingress: 100, egress: 200)
            fixture.delta(2, ingress: 200, egress: 100)
            fixture.batch { $0.ends = [1, 2] }
        }
        fixture.learn {
            $0.owners[pod] = Endpoint(kind: .workload, name: "late", aggregatedName: "late", namespace: "shop")
        }
        var records = fixture.flush()
        // The pod's flow is still held back, until its name is known.
        let named = records.firstIndex { $0.source.endpoint.name == "late" }
        records.remove(at: try #require(named))
        #expect(Self.hits(records) == Array(repeating: Self.both, count: 100))
        #expect(records.allSatisfy { $0.forwarded.inbound.bytes == 100 && $0.flows == FlowCounts(1, 1, 1) })
        #expect(fixture.aggregator.statistics.heldFlows == 0)
    }

    /// The destination is a pod of this host, which reports the connection, too.
    @Test(arguments: [false, true]) func connectionToPodHasBothRecords(podIsFirst: Bool) {
        var fixture = Self.fixture()
        fixture.learn { $0.owners[Self.server] = Endpoint(kind: .workload, name: "web", aggregatedName: "web") }
        let pod = AggregatorFixture.birth(
            7,
            near: Self.server,
            far: Self.client,
            nearPort: 80,
            farPort: 40_000,
            role: .workload,
            interface: 9,
            marks: .openedEgress
        )
        fixture.batch { $0.births = podIsFirst ? [pod, Self.entering(1)] : [Self.entering(1), pod] }
        fixture.delta(1, ingress: 10, egress: 20)
        fixture.delta(7, ingress: 20, egress: 10)
        var records = fixture.flush()
        records.sort { $0.reporter == .destination && $1.reporter != .destination }
        #expect(records.map(\.reporter) == [.destination, .forward])
        #expect(records.map(\.flows) == [FlowCounts(1, 1, 0), FlowCounts(1, 1, 0)])
        #expect(records.first?.inbound == TrafficCounters(packets: 2, bytes: 10))
        #expect(records.last?.forwarded.inbound == TrafficCounters(packets: 1, bytes: 10))
    }

    /// The firewall drops packets to a pod of this host: the pod's policies deny them if those of the host endpoint do not.
    @Test(arguments: [FlowAction.allow, .deny, nil]) func recordsDenialOfPod(transit: FlowAction?) {
        var fixture = Self.fixture()
        fixture.aggregator.use(
            FakeEvaluator(
                generation: 2,
                transit: { _ in transit.map { PolicyTrace(action: $0, transit: ["0|default|default.in|\($0)|0"]) } },
                decide: { _ in (nil, PolicyTrace(enforced: ["0|default|shop/default.web|deny|0"])) }
            )
        )
        fixture.learn {
            $0.owners[Self.server] = Endpoint(kind: .workload, name: "web", aggregatedName: "web")
            $0.localWorkloads = [Self.server]
        }
        let counted = TrafficCounters(packets: 3, bytes: 300)
        fixture.batch { batch in
            batch.births = [Self.entering(1)]
            batch.deltas = [FlowDelta(flowID: 1, ingress: counted, egress: .zero)]
            batch.drops = [FlowDrop(flowID: 1, deniedIngress: counted, decision: Self.denial)]
        }
        let records = fixture.flush()
        let ofPod = records.filter { $0.reporter == .destination }
        let ofHost = records.filter { $0.reporter == .forward }
        #expect(records.count == ofPod.count + ofHost.count)
        #expect(ofPod.map(\.action) == (transit == .deny ? [] : [.deny]))
        #expect(ofPod.allSatisfy { $0.inbound == counted && $0.drops?.inbound == 3 })
        #expect(ofPod.allSatisfy { $0.policies?.enforced.enforced == ["0|default|shop/default.web|deny|0"] })
        #expect(ofHost.map(\.action) == [transit].compactMap(\.self))
        #expect(ofHost.allSatisfy { $0.forwarded.inbound == counted && $0.policies?.enforced.transit.count == 1 })
        #expect(fixture.aggregator.statistics.unrecordedDenials == 0)
    }

    /// Packets that are dropped before they reach an interface, whose host endpoint denies them.
    @Test(arguments: [(true, nil), (false, nil), (false, entrance)] as [(Bool, String?)])
    func recordsDenialOfInterfaceThatPacketsDoNotReach(isOfPod: Bool, entering hit: String?) {
        var fixture = Self.fixture()
        fixture.aggregator.use(
            FakeEvaluator(
                generation: 2,
                transit: { connection in
                    if connection.direction == .leaving {
                        return PolicyTrace(action: .deny, transit: ["0|default|default.out|deny|0"])
                    }
                    return hit.map { PolicyTrace(action: .allow, transit: [$0]) }
                },
                decide: { _ in
                    isOfPod ? (PolicyTrace(enforced: ["0|default|shop/default.web|allow|0"]), nil) : (nil, nil)
                }
            )
        )
        if isOfPod {
            fixture.learn {
                $0.owners[Self.client] = Endpoint(kind: .workload, name: "web", aggregatedName: "web")
                $0.localWorkloads = [Self.client]
            }
        }
        let counted = TrafficCounters(packets: 3, bytes: 300)
        fixture.batch { batch in
            batch.births = [
                isOfPod
                    ? AggregatorFixture.birth(1, near: Self.client, far: Self.server, role: .workload, interface: 9)
                    : Self.entering(1)
            ]
            batch.deltas = [FlowDelta(flowID: 1, ingress: counted, egress: .zero)]
            batch.drops = [FlowDrop(flowID: 1, deniedIngress: counted, decision: Self.denial)]
        }
        let records = fixture.flush()
        let ofHost = records.filter { $0.reporter == .forward }
        #expect(ofHost.map(\.action) == [.deny] && ofHost.first?.drops?.inbound == 3)
        #expect(ofHost.first?.forwarded.inbound == counted && ofHost.first?.source.address == Self.client)
        let denial = "\(hit == nil ? 0 : 1)|default|default.out|deny|0"
        #expect(Self.hits(ofHost) == [[hit, denial].compactMap(\.self)])
        let ofPod = records.filter { $0.reporter != .forward }
        #expect(ofPod.map(\.action) == (isOfPod ? [.allow] : []))
        #expect(ofPod.allSatisfy { $0.reporter == .source && $0.outbound == counted && $0.drops == nil })
        #expect(fixture.aggregator.takeMismatches().isEmpty)
        #expect(fixture.aggregator.statistics.unrecordedDenials == 0)
    }

    /// Allowed packets have left through an interface that did not deny them.
    @Test func allowedConnectionHasNoDenialOfOtherInterface() {
        var fixture = Self.fixture()
        func policies(_ generation: UInt64) -> FakeEvaluator {
            FakeEvaluator(
                generation: generation,
                transit: { connection in
                    let isEntering = connection.direction == .entering
                    return isEntering
                        ? PolicyTrace(action: .allow, transit: [Self.entrance])
                        : PolicyTrace(action: .deny, transit: ["0|default|default.out|deny|0"])
                },
                decide: { _ in (nil, nil) }
            )
        }
        fixture.aggregator.use(policies(2))
        let denial = ["1|default|default.out|deny|0"]
        func deny() {
            fixture.batch { batch in
                let one = TrafficCounters(packets: 1, bytes: 60)
                batch.deltas = [FlowDelta(flowID: 1, ingress: one, egress: .zero)]
                batch.drops = [FlowDrop(flowID: 1, deniedIngress: one, decision: Self.denial)]
            }
        }
        fixture.batch { batch in
            batch.births = [Self.entering(1)]
            batch.drops = [
                FlowDrop(flowID: 1, deniedIngress: TrafficCounters(packets: 1, bytes: 60), decision: Self.denial)
            ]
            batch.deltas = [FlowDelta(flowID: 1, ingress: TrafficCounters(packets: 1, bytes: 60), egress: .zero)]
        }
        let first = fixture.flush(at: 110)
        #expect(first.map(\.action) == [.deny] && Self.hits(first) == [[Self.entrance] + denial])
        fixture.delta(1, ingress: 100, egress: 200)
        let second = fixture.flush(at: 120).filter { $0.forwarded.inbound != .zero }
        #expect(second.map(\.action) == [.allow] && Self.hits(second) == [[Self.entrance]])
        fixture.aggregator.use(policies(3))
        deny()
        let third = fixture.flush(at: 130).filter { $0.forwarded.inbound != .zero }
        #expect(third.map(\.action) == [.deny] && Self.hits(third) == [[Self.entrance]])
    }

    /// Packets to a group, or to all hosts of a network, are not forwarded; a firewall drops them on their way to this host.
    @Test(arguments: [IPAddress(239, 1, 2, 3), IPAddress(192, 0, 2, 255)]) func groupIsNotForwarded(address: IPAddress)
    {
        var fixture = Self.fixture()
        fixture.aggregator.hostInterface = {
            HostInterface(node: "gw", name: "eth\($0)", addresses: [], broadcasts: [IPAddress(192, 0, 2, 255)])
        }
        fixture.aggregator.use(
            FakeEvaluator(
                generation: 2,
                transit: { $0.direction == .leaving ? PolicyTrace(action: .deny, transit: [Self.exit]) : nil },
                decide: { _ in (nil, nil) }
            )
        )
        let counted = TrafficCounters(packets: 1, bytes: 60)
        fixture.batch { batch in
            batch.births = [Self.entering(1, to: address)]
            batch.deltas = [FlowDelta(flowID: 1, ingress: counted, egress: .zero)]
            batch.drops = [FlowDrop(flowID: 1, deniedIngress: counted, decision: Self.denial)]
        }
        #expect(fixture.flush().isEmpty)
    }

    /// The kernel drops a pod's packets that its own policies allow: a host endpoint of this node may have decided.
    @Test(arguments: [FlowAction.allow, .deny]) func isNoMismatchIfHostEndpointDenies(transit: FlowAction) {
        var fixture = Self.fixture()
        fixture.aggregator.hostInterface = nil
        fixture.aggregator.use(
            FakeEvaluator(
                generation: 2,
                transit: { connection in
                    guard connection.interface.node == "gw", connection.direction == .leaving else { return nil }
                    return PolicyTrace(action: transit, transit: [])
                },
                decide: { _ in (PolicyTrace(enforced: ["0|default|shop/default.web|allow|0"]), nil) }
            )
        )
        let pod = IPAddress(10, 1, 0, 1)
        fixture.learn {
            $0.owners[pod] = Endpoint(kind: .workload, name: "web", aggregatedName: "web")
            $0.localWorkloads = [pod]
        }
        _ = fixture.flush(at: 110)
        _ = fixture.flush(at: 120)
        let counted = TrafficCounters(packets: 3, bytes: 300)
        fixture.batch { batch in
            batch.births = [
                AggregatorFixture.birth(1, near: pod, far: Self.server, role: .workload, interface: 9)
            ]
            batch.deltas = [FlowDelta(flowID: 1, ingress: counted, egress: .zero)]
            batch.drops = [FlowDrop(flowID: 1, deniedIngress: counted, decision: Self.denial)]
        }
        #expect(fixture.flush(at: 130).map(\.action) == [.deny])
        #expect(fixture.aggregator.takeMismatches().count == (transit == .allow ? 1 : 0))
    }

    /// The destination is a service's address at the entrance, and the server's at the exit.
    @Test func translatedConnectionGetsOneRecord() throws {
        var fixture = Self.fixture()
        let connection = TrackedConnection(
            "192.0.2.10 40000 > 203.0.113.1 80",
            "198.51.100.20 80 > 192.0.2.10 40000"
        )
        fixture.tracker.add(try #require(connection))
        fixture.births(Self.entering(1, to: IPAddress(203, 0, 113, 1)), Self.leaving(2))
        fixture.delta(1, ingress: 10, egress: 20)
        fixture.delta(2, ingress: 20, egress: 10)
        let records = fixture.flush()
        #expect(Self.hits(records) == [Self.both])
        #expect(records.first?.destination.address == Self.server)
        #expect(records.first?.forwarded.inbound.bytes == 10)
    }

    /// Packets that the firewall drops after routing are reported at the exit, and were counted at the entrance.
    @Test(arguments: [false, true]) func countsPacketsDeniedAtExitForEntrance(exitIsFirst: Bool) {
        var fixture = Self.fixture()
        let counted = TrafficCounters(packets: 3, bytes: 300)
        fixture.batch { batch in
            batch.births = exitIsFirst ? [Self.leaving(2), Self.entering(1)] : [Self.entering(1), Self.leaving(2)]
            batch.deltas = [FlowDelta(flowID: 1, ingress: counted, egress: .zero)]
            batch.drops = [FlowDrop(flowID: 2, deniedEgress: counted, decision: Self.denial)]
        }
        let records = fixture.flush()
        #expect(records.map(\.action) == [.deny])
        #expect(records.first?.forwarded.inbound == counted)
        #expect(records.first?.drops?.inbound == 3)
        #expect(fixture.aggregator.statistics.unrecordedDenials == 0)
    }

    /// Some packets are denied where they enter; the others leave.
    @Test func partlyDeniedConnectionCountsPacketsOnce() {
        var fixture = Self.fixture()
        let half = TrafficCounters(packets: 3, bytes: 300)
        fixture.batch { batch in
            batch.births = [Self.entering(1), Self.leaving(2)]
            batch.deltas = [
                FlowDelta(flowID: 1, ingress: half + half, egress: .zero),
                FlowDelta(flowID: 2, ingress: .zero, egress: half),
            ]
            batch.drops = [FlowDrop(flowID: 1, deniedIngress: half, decision: Self.denial)]
        }
        let records = fixture.flush()
        #expect(Set(records.map(\.action)) == [.allow, .deny])
        #expect(records.reduce(.zero) { $0 + $1.forwarded.inbound } == half + half)
        #expect(Set(Self.hits(records)) == [Self.both])
    }

    /// Policies change as long as the agent lives, and an evaluation gives a new trace for hits that are known.
    @Test(arguments: [false, true]) func recordsAnyNumberOfDecisions(areDistinct: Bool) {
        var fixture = Self.fixture(level: .podPrefix)
        let (intervals, flows) = (70 as UInt64, 1000 as UInt16)
        var totals: [UInt64] = []
        for interval in 1...intervals {
            if areDistinct {
                fixture.aggregator.use(
                    FakeEvaluator(
                        generation: 1 + interval,
                        transit: { connection in
                            let name = "default.p\(interval)-\(connection.packets.sourcePort)"
                            return PolicyTrace(action: .allow, transit: ["0|default|\(name)|allow|0"])
                        },
                        decide: { _ in (nil, nil) }
                    )
                )
            }
            fixture.batch { batch in
                batch.births = (1...flows).map { Self.entering(UInt32($0), from: 20_000 + $0) }
                batch.deltas = (1...flows).map {
                    FlowDelta(flowID: UInt32($0), ingress: TrafficCounters(packets: 1, bytes: 60), egress: .zero)
                }
            }
            fixture.batch { $0.ends = (1...flows).map { UInt32($0) } }
            totals.append(fixture.flush(at: 100 + 100 * Int64(interval)).reduce(0) { $0 + $1.flows.total })
        }
        #expect(totals == Array(repeating: UInt64(flows), count: Int(intervals)))
        #expect(fixture.aggregator.statistics.untracedForwards == 0)
    }
}
