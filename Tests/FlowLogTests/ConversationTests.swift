import FlowModel
import Testing

@testable import FlowLog

/// The queries to connection tracking, their times, and the use of the answers.
@Suite struct ConversationTests {
    private typealias Fixture = AggregatorFixture

    private static let pod = IPAddress(10, 1, 0, 1)
    private static let otherPod = IPAddress(10, 1, 0, 2)
    private static let service = IPAddress(10, 96, 0, 1)
    private static let world = IPAddress(192, 0, 2, 1)

    private static func endpoint(_ name: String) -> Endpoint {
        Endpoint(kind: .workload, name: name, aggregatedName: name, namespace: "shop")
    }

    private static func fixture() -> Fixture {
        var fixture = Fixture()
        fixture.learn { resolver in
            resolver.owners[pod] = endpoint("client")
            resolver.owners[otherPod] = endpoint("server")
            resolver.backends = [ServiceAddress(address: pod, port: 80)]
        }
        return fixture
    }

    // MARK: - Conditions of queries

    @Test(
        arguments: [
            // A workload is the originator: any address but a known workload's may be translated.
            (Fixture.birth(0, near: pod, far: otherPod, role: .workload), false),
            (Fixture.birth(0, near: pod, far: service, role: .workload), true),
            (Fixture.birth(0, near: pod, far: world, role: .workload), true),
            (Fixture.birth(0, near: pod, far: Fixture.own, role: .workload), true),
            // A workload is the responder: as a service's backend, or of a client behind masquerade.
            (Fixture.birth(0, near: pod, far: otherPod, nearPort: 80, role: .workload, marks: .openedEgress), true),
            (Fixture.birth(0, near: pod, far: otherPod, nearPort: 81, role: .workload, marks: .openedEgress), false),
            (Fixture.birth(0, near: pod, far: world, nearPort: 81, role: .workload, marks: .openedEgress), false),
            (Fixture.birth(0, near: pod, far: Fixture.own, nearPort: 81, role: .workload, marks: .openedEgress), true),
            // The host's own address: always.
            (Fixture.birth(0, near: world, far: Fixture.own), true),
            (Fixture.birth(0, near: otherPod, far: Fixture.own, marks: .openedEgress), true),
            // Neither end is local.
            (Fixture.birth(0, near: world, far: pod), false),
        ] as [(FlowBirth, Bool)]
    )
    func queriesTrackerWhereTranslationIsPossible(birth: FlowBirth, isAsked: Bool) {
        var fixture = Self.fixture()
        fixture.births(birth)
        #expect(fixture.tracker.asked.count == (isAsked ? 1 : 0))
        fixture.delta(0, ingress: 1, egress: 1)
        fixture.learn { _ in }
        fixture.delta(0, ingress: 1, egress: 1)
        _ = fixture.flush()
        #expect(fixture.tracker.asked.count == (isAsked ? 1 : 0), "once per flow")
    }

    // MARK: - Contents of queries

    /// Without EndpointSlices, connection tracking gives the service through which a client called the pod.
    @Test(arguments: [false, true])
    func destinationRecordHasTrackedService(hasSlices: Bool) throws {
        var fixture = Self.fixture()
        let port = ServicePort(namespace: "shop", name: "web", portName: "http", port: 80)
        fixture.learn { resolver in
            resolver.services[ServiceAddress(address: Self.service, port: 80)] = port
            resolver.backends = hasSlices ? [ServiceAddress(address: Self.pod, port: 8080)] : []
            resolver.hasUncoveredServices = !hasSlices
        }
        let tracked = TrackedConnection("10.1.0.2 40000 > 10.96.0.1 80", "10.1.0.1 8080 > 10.1.0.2 40000")
        fixture.tracker.add(try #require(tracked))
        fixture.births(
            Fixture.birth(
                0,
                near: Self.pod,
                far: Self.otherPod,
                nearPort: 8080,
                farPort: 40000,
                role: .workload,
                marks: .openedEgress
            )
        )
        let record = try #require(fixture.flush().first)
        #expect(record.reporter == .destination)
        #expect(record.service === port)
    }

    /// If the originator was not observed, the aggregator also looks up tuples that cannot be translated.
    @Test func queriesTrackerForOriginatorOfJoinedConnection() throws {
        var fixture = Self.fixture()
        let tracked = TrackedConnection("10.1.0.2 40000 > 10.1.0.1 50051", "10.1.0.1 50051 > 10.1.0.2 40000")
        fixture.tracker.add(try #require(tracked))
        var birth = Fixture.birth(
            0,
            near: Self.pod,
            far: Self.otherPod,
            nearPort: 50051,
            farPort: 40000,
            role: .workload,
            marks: []
        )
        birth.joined = true
        fixture.births(birth)
        #expect(fixture.tracker.asked.count == 1)
        let record = try #require(fixture.flush().first)
        #expect(record.reporter == .destination)
        #expect(record.destination.port == 50051)
    }

    @Test(arguments: [FlowMarks.openedEgress, .openedIngress])
    func queriesTrackerForPacketsOfNearEnd(marks: FlowMarks) {
        var fixture = Self.fixture()
        fixture.births(
            Fixture.birth(0, near: Self.world, far: Fixture.own, nearPort: 443, farPort: 1024, marks: marks)
        )
        #expect(fixture.tracker.asked == [TrackedConnection.Tuple("192.0.2.1 443 > 10.0.0.1 1024")].compactMap(\.self))
    }

    /// The identifier of ICMP keeps its place, and replies have the type of the reply; other messages cause no query.
    @Test(
        arguments: [
            (.icmp, 8 << 8, 0), (.icmp, 13 << 8, 14 << 8), (.icmp, 15 << 8, 16 << 8), (.icmp, 17 << 8 | 1, 18 << 8 | 1),
            (.icmp6, 128 << 8, 129 << 8), (.icmp6, 139 << 8 | 2, 140 << 8 | 2), (.icmp, 3 << 8, nil),
            (.icmp6, 135 << 8, nil), (.icmp, 128 << 8, nil),
        ] as [(IPProtocol, UInt16, UInt16?)],
        [FlowMarks.openedEgress, .openedIngress]
    )
    func queriesICMPByIdentifierAndType(row: (proto: IPProtocol, query: UInt16, reply: UInt16?), marks: FlowMarks) {
        var fixture = Self.fixture()
        fixture.births(
            Fixture.birth(0, near: Self.world, nearPort: 77, farPort: row.query, proto: row.proto, marks: marks)
        )
        let type = row.reply.map { marks == .openedIngress ? row.query : $0 }
        let expected = type.map { TrackedConnection.Tuple("192.0.2.1 77 > 10.0.0.1 \($0)", proto: row.proto) }
        #expect(fixture.tracker.asked == [expected ?? nil].compactMap(\.self))
    }

    /// A batch has more flows than one query holds.
    @Test func batchedQueriesReturnOneAnswerEach() throws {
        var fixture = Self.fixture()
        let clients = (0..<1300 as Range<UInt16>).map { 20000 + $0 }
        for port in clients where port % 3 == 0 {
            let backend = "10.1.0.2 \(8080 + port % 2)"
            fixture.tracker.add(
                try #require(TrackedConnection("10.1.0.1 \(port) > 10.96.0.1 80", "\(backend) > 10.1.0.1 \(port)"))
            )
        }
        fixture.batch { batch in
            batch.births = clients.enumerated().map { number, port in
                Fixture.birth(
                    UInt32(number),
                    near: Self.pod,
                    far: Self.service,
                    nearPort: port,
                    farPort: 80,
                    role: .workload
                )
            }
        }
        #expect(fixture.tracker.asked.count == clients.count)
        for record in fixture.flush() {
            let port = try #require(record.source.port)
            let isTracked = port % 3 == 0
            #expect(record.destination.address == (isTracked ? Self.otherPod : Self.service))
            #expect(record.destination.port == (isTracked ? 8080 + port % 2 : 80))
        }
    }

    // MARK: - Answers

    /// The originator according to connection tracking overrides the first packets' indication.
    @Test(
        arguments: [
            ("10.1.0.1 80 > 192.0.2.1 443", "192.0.2.1 443 > 10.1.0.1 80", FlowReporter.source),
            ("192.0.2.1 443 > 10.1.0.1 80", "10.1.0.1 80 > 192.0.2.1 443", .destination),
        ]
    )
    func trackedOriginatorOverridesMarks(original: String, reply: String, reporter: FlowReporter) throws {
        var fixture = Self.fixture()
        fixture.tracker.add(try #require(TrackedConnection(original, reply)))
        fixture.births(Fixture.birth(0, near: Self.pod, far: Self.world, nearPort: 80, farPort: 443, role: .workload))
        fixture.delta(0, ingress: 5, egress: 7)
        let record = try #require(fixture.flush().first)
        #expect(record.reporter == reporter)
        #expect(record.outbound.bytes == 5 && record.inbound.bytes == 7)
        let local = reporter == .source ? record.source : record.destination
        #expect(local.address == Self.pod && local.port == 80)
    }

    @Test func masqueradedPingIsNotReportedForHost() throws {
        var fixture = Self.fixture()
        let ping = try #require(
            TrackedConnection("10.1.0.1 7 > 192.0.2.1 2048", "192.0.2.1 901 > 10.0.0.1 0", proto: .icmp)
        )
        fixture.tracker.add(ping)
        // The uplink's identifier differs from the pod's.
        let uplink = Fixture.birth(
            0,
            near: Self.world,
            nearPort: 901,
            farPort: 2048,
            proto: .icmp,
            marks: .openedEgress
        )
        let pod = Fixture.birth(
            1,
            near: Self.pod,
            far: Self.world,
            nearPort: 7,
            farPort: 2048,
            proto: .icmp,
            role: .workload
        )
        fixture.births(uplink, pod)
        let records = fixture.flush()
        #expect(records.map(\.source.address) == [Self.pod])
        #expect(records.map(\.source.port) == [7])
        #expect(records.map(\.destination.port) == [2048])
        #expect(records.map(\.natOutgoingPorts) == [[]])
        #expect(fixture.aggregator.statistics.unreportedFlows == 1)
    }

    /// A forwarded connection stays unreported when the host's addresses change, and causes no second query.
    @Test func forwardedConnectionIsQueriedOnce() throws {
        var fixture = Self.fixture()
        fixture.tracker.add(
            try #require(TrackedConnection("10.1.0.1 40000 > 192.0.2.1 443", "192.0.2.1 443 > 10.0.0.1 1024"))
        )
        fixture.births(
            Fixture.birth(0, near: Self.world, nearPort: 443, farPort: 1024, marks: .openedEgress)
        )
        let asked = fixture.tracker.asked.count
        fixture.own([Fixture.own, IPAddress(10, 0, 0, 77)])
        fixture.delta(0, ingress: 1, egress: 1)
        #expect(fixture.flush().isEmpty)
        #expect(fixture.tracker.asked.count == asked)
        #expect(fixture.aggregator.statistics.unreportedFlows == 1)
    }

    @Test func usesObservedAddressesWithoutTracker() throws {
        var resolver = FakeResolver(own: [Fixture.own], owners: [Self.pod: Self.endpoint("client")])
        let port = ServicePort(namespace: "shop", name: "web", portName: "http", port: 80)
        resolver.services[ServiceAddress(address: Self.service, port: 80)] = port
        var aggregator = FlowAggregator(
            configuration: FlowLogConfiguration(levelForAllowed: .none),
            resolver: resolver,
            tracker: nil,
            startTime: 0
        )
        var batch = FlowBatch()
        batch.births = [Fixture.birth(0, near: Self.pod, far: Self.service, role: .workload)]
        aggregator.process(batch)
        var records: [FlowRecord] = []
        aggregator.flush(at: 1) { records.append(copy $0) }
        let record = try #require(records.first)
        #expect(record.destination.address == Self.service)
        #expect(record.service === port)
    }
}
