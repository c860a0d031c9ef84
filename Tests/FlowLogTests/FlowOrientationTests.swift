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
        return FlowBirth(flowID: 0, key: key, role: .host, marks: marks, joined: joined)
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
            // A bridge: its near ends are the workloads, but the host takes precedence.
            (.host, [], [near], .near),
            (.host, [], [near, far], .near),
            (.host, [], [far], nil),
            (.host, [far], [near], .far),
        ] as [(InterfaceRole, [IPAddress], [IPAddress], InterfaceEnd?)]
    )
    func findsLocalEnd(role: InterfaceRole, own: [IPAddress], workloads: [IPAddress], expected: InterfaceEnd?) {
        let resolver = FakeResolver(own: Set(own), localWorkloads: Set(workloads))
        var birth = Self.birth([])
        birth.role = role
        #expect(Conversation(birth, initiator: birth.initiator).localEnd(by: resolver) == expected)
    }

    // MARK: - Initiator

    @Test(
        arguments: [
            ([.openedIngress], .near),
            ([.openedEgress], .far),
            // An opening outweighs everything else.
            ([.openedIngress, .acceptedIngress, .firstEgress], .near),
            ([.openedEgress, .acceptedEgress], .far),
            // Simultaneous open: the first sender.
            ([.openedIngress, .openedEgress], .near),
            ([.openedIngress, .openedEgress, .firstEgress], .far),
            ([.openedIngress, .openedEgress, .acceptedIngress], .near),
            // The receiver of an answer is the initiator.
            ([.acceptedIngress], .far),
            ([.acceptedEgress], .near),
            ([.acceptedEgress, .firstEgress], .near),
            // Nothing, or a contradiction: the first sender.
            ([], .near),
            ([.firstEgress], .far),
            ([.acceptedIngress, .acceptedEgress], .near),
            ([.acceptedIngress, .acceptedEgress, .firstEgress], .far),
        ] as [(FlowMarks, InterfaceEnd)]
    )
    func findsInitiatorByMarks(marks: FlowMarks, expected: InterfaceEnd) {
        #expect(Self.birth(marks).initiator == expected)
    }

    /// The unknown facts about the beginning of a flow.
    @Test(
        arguments: [
            ([.openedIngress], false, false, []),
            ([], false, false, []),
            ([], true, false, [.guessed, .unwatched]),
            ([.acceptedEgress], true, false, [.unwatched]),
            ([.openedEgress], false, true, [.resumed]),
            ([], true, true, [.guessed, .unwatched, .resumed]),
        ] as [(FlowMarks, Bool, Bool, FlowOrigin)]
    )
    func findsOriginOfBirth(marks: FlowMarks, joined: Bool, resumed: Bool, expected: FlowOrigin) {
        var birth = Self.birth(marks, joined: joined)
        birth.resumed = resumed
        #expect(birth.origin == expected)
    }
}
