import FlowModel
import Testing

@testable import FlowLog

/// The guessed server of a connection that was running before it was watched.
@Suite struct ServerGuessTests {
    private static let near = IPAddress(10, 1, 0, 1)
    private static let far = IPAddress(10, 1, 0, 2)

    private static func birth(
        _ marks: FlowMarks = [],
        nearPort: UInt16,
        farPort: UInt16,
        proto: IPProtocol = .tcp,
        joined: Bool = true,
        far: IPAddress = far,
        interface: UInt32 = 2
    ) -> FlowBirth {
        var birth = AggregatorFixture.birth(
            0,
            near: near,
            far: far,
            nearPort: nearPort,
            farPort: farPort,
            proto: proto,
            role: .workload,
            interface: interface,
            marks: marks
        )
        birth.joined = joined
        return birth
    }

    private static func initiator(of birth: FlowBirth, among births: [FlowBirth] = [], _ resolver: FakeResolver)
        -> InterfaceEnd
    {
        ServerGuess(births + [birth], by: resolver).initiator(of: birth)
    }

    // MARK: - Ports

    @Test(
        arguments: [
            // The higher port is the client's, whichever end sent first.
            ([], .tcp, 40000, 443, .near),
            ([.firstEgress], .tcp, 40000, 443, .near),
            ([], .tcp, 443, 40000, .far),
            ([], .udp, 53, 5353, .far),
            ([], .sctp, 5353, 53, .near),
            ([], .tcp, 31080, 40000, .far),
            // Marks take precedence.
            ([.openedIngress], .tcp, 443, 40000, .near),
            ([.acceptedIngress], .tcp, 40000, 443, .far),
            // Equal ports, and numbers that are not ports, give no indication.
            ([], .udp, 123, 123, .near),
            ([.firstEgress], .udp, 123, 123, .far),
            ([], .icmp, 7, 2048, .near),
            ([.firstEgress], .icmp6, 40000, 32768, .far),
            ([.firstEgress], IPProtocol(rawValue: 47), 2, 1, .far),
        ] as [(FlowMarks, IPProtocol, UInt16, UInt16, InterfaceEnd)]
    )
    func guessesByPort(marks: FlowMarks, proto: IPProtocol, nearPort: UInt16, farPort: UInt16, expected: InterfaceEnd) {
        let birth = Self.birth(marks, nearPort: nearPort, farPort: farPort, proto: proto)
        #expect(Self.initiator(of: birth, FakeResolver()) == expected)
    }

    @Test func usesPortsOnlyForJoinedConnections() {
        let birth = Self.birth(nearPort: 443, farPort: 40000, joined: false)
        #expect(Self.initiator(of: birth, FakeResolver()) == .near)
    }

    // MARK: - Known servers

    /// A server behind 50051, which is in the range of clients, against a client on 40000.
    @Test(arguments: ["nothing", "service", "backend", "named port", "others"])
    func detectsServerOnClientPort(known: String) {
        var resolver = FakeResolver()
        let place = ServiceAddress(address: Self.near, port: 50051)
        var births: [FlowBirth] = []
        switch known {
        case "service":
            resolver.services[place] = ServicePort(namespace: "shop", name: "grpc", portName: nil, port: 50051)
        case "backend": resolver.backends = [place]
        case "named port":
            let ports = [NamedPort(name: "grpc", port: 50051)]
            resolver.owners[Self.near] = Endpoint(
                kind: .workload,
                name: "server",
                aggregatedName: "server",
                namespace: "shop",
                identity: EndpointIdentity(kind: .workload, namespace: "shop", labels: [], namedPorts: ports)
            )
        case "others": births = [Self.birth(nearPort: 50051, farPort: 58000)]
        default: break
        }
        let birth = Self.birth(nearPort: 50051, farPort: 40000)
        #expect(Self.initiator(of: birth, among: births, resolver) == (known == "nothing" ? .near : .far))
    }

    /// The same connection on two interfaces is one peer, and so is one that is counted twice.
    @Test func onePeerOnTwoInterfacesCountsOnce() {
        let birth = Self.birth(nearPort: 50051, farPort: 40000)
        let elsewhere = Self.birth(nearPort: 50051, farPort: 58000, interface: 3)
        #expect(Self.initiator(of: birth, among: [birth, elsewhere], FakeResolver()) == .near)
    }

    /// A client of UDP may have one port for many servers.
    @Test func wellKnownPortOutweighsNumberOfPeers() {
        let births = (3..<9 as Range<UInt8>).map {
            Self.birth(nearPort: 40000, farPort: 53, proto: .udp, far: IPAddress(10, 1, 0, $0))
        }
        let birth = Self.birth(nearPort: 40000, farPort: 53, proto: .udp)
        #expect(Self.initiator(of: birth, among: births, FakeResolver()) == .near)
    }
}
