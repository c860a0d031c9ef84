import FlowModel
import Testing

@testable import FlowLog

/// Records of answers to packets that another sender sent with a pod's address.
@Suite struct ForgedAnswerTests {
    private typealias Fixture = AggregatorFixture

    private static let attacker = IPAddress(10, 1, 0, 1)
    private static let victim = IPAddress(10, 1, 0, 2)
    private static let server = IPAddress(10, 1, 0, 3)
    private static let service = IPAddress(10, 96, 0, 1)
    private static let outside = IPAddress(198, 51, 100, 7)
    private static let synAck: FlowMarks = [.acceptedEgress, .firstEgress, FlowMarks(rawValue: 0x1200)]
    private static let refusal: FlowMarks = [.firstEgress, FlowMarks(rawValue: 0x1400)]
    private static let reset = FlowMarks(rawValue: 0x04)
    private static let ack = FlowMarks(rawValue: 0x10)
    private static let deny = PolicyTrace(enforced: ["0|d|d.a|deny|-1"])

    private static func endpoint(_ name: String) -> Endpoint {
        Endpoint(kind: .workload, name: name, aggregatedName: name, namespace: "shop")
    }

    /// A node with three pods, whose policies deny every connection.
    private static func fixture() -> Fixture {
        var fixture = Fixture(startTime: 1000)
        fixture.learn {
            $0.owners[attacker] = endpoint("attacker")
            $0.owners[victim] = endpoint("victim")
            $0.owners[server] = endpoint("server")
            $0.localWorkloads = [attacker, victim, server]
            $0.backends = [ServiceAddress(address: server, port: 80)]
        }
        fixture.aggregator.use(FakeEvaluator(generation: 1) { _ in (deny, deny) })
        _ = fixture.flush(at: 1010)
        _ = fixture.flush(at: 1020)
        return fixture
    }

    private static func birth(
        _ number: UInt32,
        near: IPAddress = victim,
        far: IPAddress = outside,
        ports: (UInt16, UInt16) = (40000, 80),
        proto: IPProtocol = .tcp,
        interface: UInt32,
        _ marks: FlowMarks,
        _ place: NearPlace = .behind
    ) -> FlowBirth {
        var birth = Fixture.birth(
            number,
            near: near,
            far: far,
            nearPort: ports.0,
            farPort: ports.1,
            proto: proto,
            role: .workload,
            interface: interface,
            marks: marks
        )
        birth.nearPlace = place
        return birth
    }

    /// The opening at the attacker's interface.
    private static func opening(
        far: IPAddress = outside,
        ports: (UInt16, UInt16) = (40000, 80),
        proto: IPProtocol = .tcp
    ) -> FlowBirth {
        let marks: FlowMarks = proto == .udp ? [] : .openedIngress
        return birth(1, far: far, ports: ports, proto: proto, interface: 7, marks, .elsewhere(owner: attacker))
    }

    /// Source, destination and reporter of the victim's records, and whether policies were evaluated.
    private static func victims(_ records: [FlowRecord]) -> [String] {
        records.filter { $0.source.endpoint.name == "victim" || $0.destination.endpoint.name == "victim" }.map {
            let hits = $0.policies == nil ? "none" : "evaluated"
            let reporter = $0.reporter == .source ? "src" : "dst"
            return "\($0.source.endpoint.name) > \($0.destination.endpoint.name) \(reporter) \(hits)"
        }
    }

    /// A forged answer with the victim's address, without an opening: its receiver is not the originator.
    @Test func forgedAnswerHasSenderAsSource() {
        var fixture = Self.fixture()
        let marks: FlowMarks = [.acceptedIngress, FlowMarks(rawValue: 0x12)]
        let forged = Self.birth(
            1,
            far: Self.server,
            ports: (8000, 41100),
            interface: 7,
            marks,
            .elsewhere(owner: Self.attacker)
        )
        fixture.batch {
            $0.births = [forged]
            $0.deltas = [FlowDelta(flowID: 1, ingress: TrafficCounters(packets: 1, bytes: 40), egress: .zero)]
        }
        let records = fixture.flush(at: 1030)
        #expect(records.map(\.source.endpoint.kind) == [.network], "\(records)")
        #expect(records.map(\.destination.endpoint.name) == ["server"], "\(records)")
    }

    /// The packets that the victim receives, and its reaction.
    struct Answer: Sendable, CustomTestStringConvertible {
        var name: String
        var proto = IPProtocol.tcp
        var ports: (UInt16, UInt16) = (40000, 80)
        var marks: FlowMarks
        var testDescription: String { name }
    }

    private static let answers = [
        Answer(name: "SYN with ACK", marks: synAck),
        Answer(name: "SYN with ACK, which the victim refuses", marks: synAck.union(reset)),
        Answer(name: "a refusal", marks: refusal),
        Answer(name: "a refusal to a low port", ports: (80, 40000), marks: refusal),
        Answer(name: "echo reply", proto: .icmp, ports: (77, 8 << 8), marks: [.acceptedEgress, .firstEgress]),
        Answer(name: "datagram", proto: .udp, ports: (40000, 53), marks: .firstEgress),
    ]

    /// The order in which scans find the opening and the answer.
    enum Order: CaseIterable { case together, openingFirst, answerFirst }

    @Test(arguments: answers, Order.allCases)
    func victimIsNotSourceOfForgedConnection(_ answer: Answer, _ order: Order) {
        // A datagram before its opening looks like any other, and the record has the server as the originator.
        var fixture = Self.fixture()
        let opening = Self.opening(ports: answer.ports, proto: answer.proto)
        let answering = Self.birth(2, ports: answer.ports, proto: answer.proto, interface: 8, answer.marks)
        // Connection tracking has an entry for the attacker's packets.
        if let (original, reply) = Self.packets(answer) {
            fixture.tracker.add(TrackedConnection(original: original, reply: reply))
        }
        switch order {
        case .together: fixture.births(answering, opening)
        case .openingFirst:
            fixture.births(opening)
            fixture.births(answering)
        case .answerFirst:
            fixture.births(answering)
            fixture.births(opening)
        }
        fixture.delta(1, ingress: 60, egress: 0)
        fixture.delta(2, ingress: 0, egress: 120)
        let records = fixture.flush(at: 1030)
        let isSeenInTime = order != .answerFirst || answer.proto != .udp
        #expect(Self.victims(records) == ["- > victim dst \(isSeenInTime ? "none" : "evaluated")"])
        let received = records.first { $0.destination.endpoint.name == "victim" }
        #expect(received?.inbound == TrafficCounters(packets: 2, bytes: 120))
        #expect(received?.source.address == Self.outside && received?.flows.started == 1)
        // The attacker's packets have a source without a name.
        #expect(records.contains { $0.source.endpoint.name == "-" && $0.destination.address == Self.outside })
        let reporters = fixture.aggregator.takeMismatches().map(\.reporter)
        #expect(!reporters.contains(.destination) || !isSeenInTime)
    }

    private static func packets(_ answer: Answer) -> (TrackedConnection.Tuple, TrackedConnection.Tuple)? {
        guard answer.proto != .icmp else { return nil }
        let original = TrackedConnection.Tuple(
            source: victim,
            destination: outside,
            sourcePort: answer.ports.0,
            destinationPort: answer.ports.1,
            proto: answer.proto
        )
        let reply = TrackedConnection.Tuple(
            source: outside,
            destination: victim,
            sourcePort: answer.ports.1,
            destinationPort: answer.ports.0,
            proto: answer.proto
        )
        return (original, reply)
    }

    /// A pod answers through a service: the tuple at its interface is not the forged one, and the record's source is the pod.
    @Test func translatedAnswerHasServerPodAsSource() throws {
        var fixture = Self.fixture()
        let tracked = TrackedConnection("10.1.0.2 40000 > 10.96.0.1 8080", "10.1.0.3 80 > 10.1.0.2 40000")
        fixture.tracker.add(try #require(tracked))
        let opened: FlowMarks = [.openedEgress, .firstEgress, .acceptedIngress]
        fixture.births(
            Self.opening(far: Self.service, ports: (40000, 8080)),
            Self.birth(2, far: Self.service, ports: (40000, 8080), interface: 8, Self.synAck),
            Self.birth(3, near: Self.server, far: Self.victim, ports: (80, 40000), interface: 9, opened)
        )
        for number: UInt32 in 1...3 { fixture.delta(number, ingress: 60, egress: 60) }
        let records = fixture.flush(at: 1030)
        #expect(Self.victims(records) == ["server > victim dst none"])
        let served = records.filter { $0.destination.endpoint.name == "server" && $0.reporter == .destination }
        #expect(served.map(\.source.endpoint.name) == ["-"])
        #expect(served.map(\.source.address) == [Self.victim])
    }

    // MARK: - Connections of the pod itself

    /// Flows of the victim with the tuple that the attacker has used.
    @Test(
        arguments: [
            // The victim opened the connection itself, or takes part in it.
            ([.openedIngress, .acceptedEgress], .tcp),
            (synAck.union(ack), .tcp),
            ([], .udp),
            ([.openedIngress, .acceptedEgress], .icmp),
        ] as [(FlowMarks, IPProtocol)]
    )
    func attributesOwnConnectionsToPod(marks: FlowMarks, proto: IPProtocol) {
        var fixture = Self.fixture()
        fixture.births(Self.opening(proto: proto))
        fixture.births(Self.birth(2, proto: proto, interface: 8, marks))
        fixture.delta(2, ingress: 60, egress: 60)
        #expect(Self.victims(fixture.flush(at: 1030)) == ["victim > - src evaluated"])
    }

    /// A tuple that its owner uses, too, does not indicate a forgery any more.
    @Test func tupleUsedByOwnerIsNotForged() {
        var fixture = Self.fixture()
        fixture.births(Self.opening(far: Self.server))
        let opened: FlowMarks = [.openedEgress, .firstEgress]
        fixture.births(
            Self.birth(2, far: Self.server, interface: 8, .openedIngress),
            Self.birth(3, near: Self.server, far: Self.victim, ports: (80, 40000), interface: 9, opened)
        )
        for number: UInt32 in 2...3 { fixture.delta(number, ingress: 60, egress: 60) }
        let records = fixture.flush(at: 1030)
        #expect(Self.victims(records) == ["victim > server src evaluated", "victim > server dst evaluated"])
    }

    // MARK: - An answer alone

    /// The entries of connection tracking, and whether a remainder may hide openings.
    enum TrackingState: CaseIterable { case thisConnection, others, nothing, hiddenOpenings }

    /// No interface showed the opening: another sender sent it, or the pod did before Weir watched its interface.
    @Test(arguments: TrackingState.allCases)
    func attributesAnswerWithoutObservedOpening(_ knowledge: TrackingState) throws {
        var fixture = Self.fixture()
        let own = try #require(
            TrackedConnection("10.1.0.2 40000 > 198.51.100.7 80", "198.51.100.7 80 > 10.1.0.2 40000")
        )
        let other = try #require(
            TrackedConnection("10.1.0.1 40000 > 198.51.100.9 80", "198.51.100.9 80 > 10.1.0.1 40000")
        )
        if [.thisConnection, .hiddenOpenings].contains(knowledge) { fixture.tracker.add(own) }
        if knowledge != .nothing { fixture.tracker.add(other) }
        let others = IPAddress(198, 51, 100, 9)
        fixture.births(Self.birth(5, near: Self.attacker, far: others, interface: 7, .openedIngress))
        if knowledge == .hiddenOpenings {
            fixture.batch { batch in
                let ingress = TrafficCounters(packets: 5, bytes: 300)
                batch.remainders = [FlowRemainder(interfaceIndex: 7, role: .workload, local: nil, ingress: ingress)]
            }
        }
        fixture.births(Self.birth(2, interface: 8, Self.synAck))
        fixture.delta(2, ingress: 0, egress: 60)
        let isOwn = [.thisConnection, .nothing].contains(knowledge)
        let expected = isOwn ? "victim > - src evaluated" : "- > victim dst none"
        #expect(Self.victims(fixture.flush(at: 1030)) == [expected])
    }

    // MARK: - Bounds

    /// Beyond the limit Weir drops the first forged tuples; from then on it never attributes an answer alone to an owner.
    @Test func forgedTuplesAreIncompleteBeyondLimit() {
        var forged = ForgedTuples()
        func tuple(_ number: Int) -> FlowBirth {
            let far = IPAddress(ipv4: UInt32(0xc000_0000 + number))
            return Self.birth(UInt32(number), far: far, interface: 7, .openedIngress, .elsewhere(owner: nil))
        }
        let limit = ForgedTuples.limit
        forged.note((0..<limit).map(tuple))
        #expect(!forged.isIncomplete && forged.hasForgedNear(tuple(0).key))
        forged.note((limit..<2 * limit + 1).map(tuple))
        #expect(forged.isIncomplete)
        #expect(!forged.hasForgedNear(tuple(0).key) && forged.hasForgedNear(tuple(2 * limit).key))
    }

    /// Weir drops forged tuples after two periods.
    @Test func forgedTuplesExpireAfterTwoPeriods() {
        var forged = ForgedTuples()
        func birth(at time: Int64, _ place: NearPlace) -> FlowBirth {
            var birth = Self.birth(1, interface: 7, .openedIngress, place)
            birth.began = time
            return birth
        }
        let (start, period) = (5_000_000_000_000 as Int64, ForgedTuples.period)
        forged.note([birth(at: start, .elsewhere(owner: nil))])
        let key = birth(at: 0, .behind).key
        forged.note([birth(at: start + period + 1, .unknown)])
        #expect(forged.hasForgedNear(key))
        forged.note([birth(at: start + 2 * period + 1, .unknown)])
        #expect(!forged.hasForgedNear(key) && forged.isEmpty)
    }
}
