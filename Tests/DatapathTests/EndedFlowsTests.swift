import FlowModel
import Testing

@testable import Datapath

@Suite struct EndedFlowsTests {
    private static func key(_ number: Int, interface: UInt32 = 2, proto: IPProtocol = .tcp) -> FlowKey {
        FlowKey(
            interfaceIndex: interface,
            near: IPAddress(10, 1, UInt8(number >> 8), UInt8(number & 0xff)),
            far: IPAddress(10, 2, 0, 1),
            nearPort: 40000,
            farPort: 443,
            proto: proto
        )
    }

    private static func note(
        _ flows: EndedFlows,
        _ key: FlowKey,
        _ marks: FlowMarks = .openedIngress,
        isJoined: Bool = false,
        position: Int = 0,
        at time: UInt32 = 0
    ) {
        flows.note(key, marks: marks, isJoined: isJoined, position: position, lastChange: time)
    }

    // MARK: - Recorded flows

    @Test(
        arguments: [
            (.tcp, [.openedIngress], false, true), (.tcp, [.openedEgress], false, false),
            (.tcp, [.acceptedEgress], false, true), (.tcp, [.acceptedIngress, .firstEgress], false, false),
            (.tcp, [.openedIngress, .openedEgress, .firstEgress], false, false),
            // An answer alone does not show the initiator.
            (.tcp, [.acceptedEgress, .firstEgress], false, nil),
            // The first packet seen does not show the initiator of a connection that ran before.
            (.tcp, [], true, nil), (.tcp, [.firstEgress], true, nil), (.udp, [.firstEgress], true, nil),
            (.udp, [], false, true), (.udp, [.firstEgress], false, false),
            (.tcp, [], false, true), (.tcp, [.firstEgress], false, false),
        ] as [(IPProtocol, FlowMarks, Bool, Bool?)]
    )
    func returnsInitiatorOfEndedFlow(proto: IPProtocol, marks: FlowMarks, isJoined: Bool, nearBegan: Bool?) {
        let flows = EndedFlows()
        Self.note(flows, Self.key(1, proto: proto), marks, isJoined: isJoined)
        let past = flows.take(Self.key(1, proto: proto), marks: .firstEgress, now: 10)
        #expect(past == EndedFlows.Past(nearBegan: nearBegan, isSameConnection: proto == .tcp))
        #expect(flows.count == 0)
    }

    @Test func openingStartsNewConnection() {
        for marks in [FlowMarks.openedIngress, .openedEgress, .acceptedIngress, .acceptedEgress] {
            let flows = EndedFlows()
            Self.note(flows, Self.key(1))
            #expect(flows.take(Self.key(1), marks: marks, now: 10) == nil)
            #expect(flows.take(Self.key(1), marks: [], now: 10) == nil, "and the one before is over")
        }
    }

    /// A reset with ACK answers a packet without ACK, which no running connection has.
    @Test func refusedOpeningIsNewConnection() {
        let (reset, ack) = (FlowMarks(rawValue: 0x1400), FlowMarks(rawValue: 0x10))
        for (marks, isSame) in [(reset, false), (reset.union(ack), true)] {
            let flows = EndedFlows()
            Self.note(flows, Self.key(1))
            #expect((flows.take(Self.key(1), marks: marks, now: 10) != nil) == isSame)
        }
    }

    @Test func returnsNilForOtherFlows() {
        let flows = EndedFlows()
        Self.note(flows, Self.key(1))
        #expect(flows.take(Self.key(2), marks: [], now: 10) == nil)
        #expect(flows.take(Self.key(1, interface: 3), marks: [], now: 10) == nil)
        #expect(flows.take(Self.key(1, proto: .udp), marks: [], now: 10) == nil)
        Self.note(flows, Self.key(1, proto: .icmp))
        #expect(flows.count == 1, "queries say themselves who asks")
    }

    /// The clock wraps on the way.
    @Test(arguments: [
        (IPProtocol.tcp, EndedFlows.limitForTCP, true), (.tcp, EndedFlows.limitForTCP + 1, false),
        (.udp, EndedFlows.limit, true), (.udp, EndedFlows.limit + 1, false),
    ])
    func entryExpiresAfterLimit(proto: IPProtocol, age: UInt32, isKnown: Bool) {
        let flows = EndedFlows()
        let time = UInt32.max - 1000
        Self.note(flows, Self.key(1, proto: proto), at: time)
        #expect((flows.take(Self.key(1, proto: proto), marks: [], now: time &+ age) != nil) == isKnown)
    }

    @Test func latestEndReplacesEarlier() {
        let flows = EndedFlows()
        Self.note(flows, Self.key(1), .openedIngress, at: 1)
        Self.note(flows, Self.key(1), .openedEgress, at: 2)
        #expect(flows.count == 1)
        #expect(flows.take(Self.key(1), marks: [], now: 3)?.nearBegan == false)
    }

    // MARK: - Room

    @Test func evictsOldestFlowFirst() {
        let flows = EndedFlows(capacity: 4, positions: 1)
        for number in 0..<6 { Self.note(flows, Self.key(number)) }
        // Noted anew, it is the newest.
        Self.note(flows, Self.key(2))
        Self.note(flows, Self.key(6))
        let known = (0..<7).filter { flows.take(Self.key($0), marks: [], now: 1) != nil }
        #expect(known == [2, 4, 5, 6])
    }

    /// One interface has an endless number of flows, and another has ten: the ten stay.
    @Test func floodEvictsOnlyFlowsOfItsInterface() {
        let flows = EndedFlows(capacity: 1000, positions: 8)
        for number in 0..<10 { Self.note(flows, Self.key(number, interface: 9), position: 3) }
        for number in 0..<20_000 { Self.note(flows, Self.key(number), position: 1) }
        #expect(flows.count == 1000)
        let known = (0..<10).filter { flows.take(Self.key($0, interface: 9), marks: [], now: 1) != nil }
        #expect(known.count == 10)
    }

    /// Several floods share the capacity evenly, apart from evictions between two checks.
    @Test func floodsShareCapacityEvenly() {
        let flows = EndedFlows(capacity: 3000, positions: 8)
        for number in 0..<9000 {
            for position in 0..<3 {
                Self.note(flows, Self.key(number, interface: UInt32(position)), position: position)
            }
        }
        #expect(flows.count == 3000)
        for position in 0..<3 {
            let known = (0..<9000).filter {
                flows.take(Self.key($0, interface: UInt32(position)), marks: [], now: 1) != nil
            }
            #expect((900...1100).contains(known.count))
        }
        #expect(flows.count == 0)
    }
}
