import FlowModel
import Testing

@testable import FlowLog

@Suite struct FlowOrientationTests {
    private static let near = IPAddress(10, 0, 0, 1)
    private static let far = IPAddress(10, 0, 0, 2)

    private static func birth(
        _ marks: FlowMarks,
        joined: Bool = false,
        nearPort: UInt16 = 1000,
        farPort: UInt16 = 2000,
        proto: IPProtocol = .tcp
    ) -> FlowBirth {
        let key = FlowKey(
            interfaceIndex: 1,
            near: near,
            far: far,
            nearPort: nearPort,
            farPort: farPort,
            proto: proto
        )
        return FlowBirth(number: 0, key: key, role: .host, marks: marks, joined: joined)
    }

    // MARK: - Local end

    @Test(
        arguments: [
            (InterfaceRole.workload, [], [], InterfaceEnd.near),
            (.workload, [far], [], .near),
            (.workload, [near, far], [], .near),
            (.host, [far], [], .far),
            (.host, [near], [], .near),
            (.host, [near, far], [], .far),
            (.host, [], [], nil),
            // A bridge: its near ends are the workloads, but the host comes first.
            (.host, [], [near], .near),
            (.host, [], [near, far], .near),
            (.host, [], [far], nil),
            (.host, [far], [near], .far),
        ] as [(InterfaceRole, [IPAddress], [IPAddress], InterfaceEnd?)]
    )
    func localEnd(role: InterfaceRole, own: [IPAddress], workloads: [IPAddress], expected: InterfaceEnd?) {
        let resolver = FakeResolver(own: Set(own), localWorkloads: Set(workloads))
        var birth = Self.birth([])
        birth.role = role
        #expect(Conversation(birth).localEnd(by: resolver) == expected)
    }

    // MARK: - Initiator

    @Test(
        arguments: [
            ([.openedIngress], .near),
            ([.openedEgress], .far),
            // An opening outweighs everything else.
            ([.openedIngress, .acceptedIngress, .firstEgress], .near),
            ([.openedEgress, .acceptedEgress], .far),
            // Simultaneous open: the first speaker.
            ([.openedIngress, .openedEgress], .near),
            ([.openedIngress, .openedEgress, .firstEgress], .far),
            ([.openedIngress, .openedEgress, .acceptedIngress], .near),
            // The receiver of an answer began.
            ([.acceptedIngress], .far),
            ([.acceptedEgress], .near),
            ([.acceptedEgress, .firstEgress], .near),
            // Nothing, or a contradiction: the first speaker.
            ([], .near),
            ([.firstEgress], .far),
            ([.acceptedIngress, .acceptedEgress], .near),
            ([.acceptedIngress, .acceptedEgress, .firstEgress], .far),
        ] as [(FlowMarks, InterfaceEnd)]
    )
    func initiatorByMarks(marks: FlowMarks, expected: InterfaceEnd) {
        #expect(Self.birth(marks).initiator == expected)
    }

    @Test(
        arguments: [
            // The higher port is the client's, whoever was heard first.
            ([], .tcp, 40000, 443, .near),
            ([.firstEgress], .tcp, 40000, 443, .near),
            ([], .tcp, 443, 40000, .far),
            ([], .udp, 53, 5353, .far),
            ([], .sctp, 5353, 53, .near),
            // Marks say it better.
            ([.openedIngress], .tcp, 443, 40000, .near),
            ([.acceptedIngress], .tcp, 40000, 443, .far),
            // Equal ports, and what is not a port, say nothing.
            ([], .udp, 123, 123, .near),
            ([.firstEgress], .udp, 123, 123, .far),
            ([], .icmp, 7, 2048, .near),
            ([.firstEgress], .icmp6, 40000, 32768, .far),
            ([.firstEgress], IPProtocol(rawValue: 47), 2, 1, .far),
        ] as [(FlowMarks, IPProtocol, UInt16, UInt16, InterfaceEnd)]
    )
    func initiatorOfAJoinedConnection(
        marks: FlowMarks,
        proto: IPProtocol,
        nearPort: UInt16,
        farPort: UInt16,
        expected: InterfaceEnd
    ) {
        let birth = Self.birth(marks, joined: true, nearPort: nearPort, farPort: farPort, proto: proto)
        #expect(birth.initiator == expected)
    }

    @Test func portsDecideOnlyForJoinedConnections() {
        #expect(Self.birth([], nearPort: 443, farPort: 40000).initiator == .near)
    }
}
