import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

/// A packet of a connection, and whether time passes before it.
struct HandshakePacket {
    let flags: UInt8
    /// Whether it is the end that opens; else the other end.
    let isOpeners: Bool
    var isLate = false

    static func opener(_ flags: UInt8, late: Bool = false) -> HandshakePacket {
        HandshakePacket(flags: flags, isOpeners: true, isLate: late)
    }

    static func other(_ flags: UInt8, late: Bool = false) -> HandshakePacket {
        HandshakePacket(flags: flags, isOpeners: false, isLate: late)
    }
}

/// The packets of a connection, and which of them end its parts.
struct HandshakeCase: CustomTestStringConvertible {
    let testDescription: String
    let packets: [HandshakePacket]
    /// The position of the packet that accepts, and of the one that completes the handshake; nil if it is not timed.
    let parts: (accepted: Int, completed: Int)?

    private static let (syn, synAck, ack, rst): (UInt8, UInt8, UInt8, UInt8) = (0x02, 0x12, 0x10, 0x04)

    static let all: [HandshakeCase] = [
        HandshakeCase(
            testDescription: "SYN, SYN-ACK, ACK",
            packets: [.opener(syn), .other(synAck, late: true), .opener(ack), .opener(ack, late: true)],
            parts: (1, 2)
        ),
        HandshakeCase(
            testDescription: "the SYN is sent again",
            packets: [.opener(syn), .opener(syn, late: true), .other(synAck), .opener(ack, late: true)],
            parts: (2, 3)
        ),
        HandshakeCase(
            testDescription: "the SYN-ACK is sent again",
            packets: [.opener(syn), .other(synAck), .other(synAck, late: true), .opener(ack)],
            parts: (1, 3)
        ),
        HandshakeCase(
            testDescription: "the first ACK carries data",
            packets: [.opener(syn), .other(synAck), .opener(ack | 0x08, late: true)],
            parts: (1, 2)
        ),
        HandshakeCase(testDescription: "refused", packets: [.opener(syn), .other(ack | rst)], parts: nil),
        HandshakeCase(
            testDescription: "given up",
            packets: [.opener(syn), .other(synAck), .opener(ack | rst)],
            parts: nil
        ),
        HandshakeCase(testDescription: "half open", packets: [.opener(syn), .other(synAck)], parts: nil),
        HandshakeCase(testDescription: "joined", packets: [.other(synAck), .opener(ack)], parts: nil),
        HandshakeCase(testDescription: "established", packets: [.opener(ack), .other(ack), .opener(ack)], parts: nil),
        HandshakeCase(
            testDescription: "the opener answers itself",
            packets: [.opener(syn), .opener(synAck), .opener(ack)],
            parts: nil
        ),
    ]
}

extension KernelTests {
    /// The times of handshakes, beside the clock by which the packets were sent.
    @Suite("Handshakes")
    struct HandshakeTests {
        private static let gap: UInt32 = 3_000_000  // ns

        /// Loaded once: the suites in ``KernelTests`` run one after the other.
        private nonisolated(unsafe) static var loaded: (counter: TestRunCounter, reader: HandshakeReader)?

        private static func fresh() throws -> (counter: TestRunCounter, reader: HandshakeReader) {
            if let loaded { return loaded }
            let programs = try KernelPrograms(
                .flows,
                tableSlots: Int(WEIR_MIN_SLOTS),
                ringBytes: 4096,
                timesHandshakes: true
            )
            let reader = try #require(try programs.handshakes())
            let made = (counter: try TestRunCounter(programs), reader: reader)
            loaded = made
            return made
        }

        private static func frame(_ packet: HandshakePacket, isIPv6: Bool) -> [UInt8] {
            let segment =
                packet.isOpeners
                ? Frame.tcp(flags: packet.flags) : Frame.tcp(from: 443, to: 40000, flags: packet.flags)
            let (client, server) = isIPv6 ? (Frame.client6, Frame.server6) : (Frame.client4, Frame.server4)
            let ends = packet.isOpeners ? (client, server) : (server, client)
            return isIPv6
                ? Frame.inIPv6(Frame.ipv6(6, segment, source: ends.0, destination: ends.1))
                : Frame.inIPv4(Frame.ipv4(6, segment, source: ends.0, destination: ends.1))
        }

        @Test(arguments: HandshakeCase.all, [false, true])
        func measuresTimesBetweenHandshakePackets(_ handshake: HandshakeCase, openerIsNear: Bool) throws {
            let (counter, reader) = try Self.fresh()
            _ = try counter.scan(ending: true)
            reader.drain { _, _ in true }
            var clock: [(before: UInt64, after: UInt64)] = []
            for packet in handshake.packets {
                if packet.isLate { _ = usleep(Self.gap / 1000) }
                let before = Datapath.monotonicNow
                let isIngress = packet.isOpeners == openerIsNear
                // IPv6 takes turns with the side.
                try counter.run(Self.frame(packet, isIPv6: openerIsNear), isIngress ? .ingress : .egress)
                clock.append((before, Datapath.monotonicNow))
            }
            var found: [weir_handshake] = []
            reader.drain { _, times in
                found.append(times)
                return true
            }
            guard let (accepted, completed) = handshake.parts else {
                #expect(found.isEmpty)
                return
            }
            let times = try #require(found.first)
            #expect(found.count == 1)
            // Rounded up to microseconds.
            func isBetween(_ time: UInt32, _ end: Int) -> Bool {
                let least = (clock[end].before - clock[0].after) / 1000
                let most = (clock[end].after - clock[0].before) / 1000 + 1
                return (least...most).contains(UInt64(time))
            }
            #expect(isBetween(times.accepted, accepted))
            #expect(isBetween(times.completed, completed))
            // Each once.
            reader.drain { _, _ in
                Issue.record("a handshake was read twice")
                return true
            }
        }

        /// A handshake may be complete before a scan has found its flow.
        @Test func keepsHandshakeUntilFlowIsFound() throws {
            let (counter, reader) = try Self.fresh()
            _ = try counter.scan(ending: true)
            reader.drain { _, _ in true }
            for (packet, direction) in [
                (HandshakePacket.opener(0x02), Direction.ingress), (.other(0x12), .egress), (.opener(0x10), .ingress),
            ] {
                try counter.run(Self.frame(packet, isIPv6: false), direction)
            }
            var calls = 0
            for isKnown in [false, false, true, true] {
                reader.drain { _, _ in
                    calls += 1
                    return isKnown
                }
            }
            #expect(calls == 3)
        }

        /// A real connection, whose two ends each measure their own part.
        @Test(arguments: [false, true])
        func eachInterfaceTimesItsOwnEnd(ipv6: Bool) throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: .handshake)
            let before = Datapath.monotonicNow
            let connection = try node.connection(ipv6: ipv6, port: 7101)
            let passed = (Datapath.monotonicNow - before) / 1000 + 1
            try monitor.scan()
            let (a, b) = try (node.lab.pod("a"), node.lab.pod("b"))
            for interface in [a.interface, b.interface] {
                let both = try monitor.handshakes(on: interface, port: connection.clientPort)
                let near = try #require(both?.near)
                #expect(both?.far == nil)
                #expect(near.connect.count == 1 && near.rtt.count == 1)
                #expect(near.connect.mean <= passed && near.rtt.mean <= near.connect.mean)
            }
            connection.close()
            try monitor.stop()
            #expect(monitor.contradictions.isEmpty)
        }

        @Test func timesNothingUnlessCollected() throws {
            let node = try SocketNode()
            let monitor = try node.monitor(collects: [])
            let connection = try node.connection(port: 7102)
            try monitor.scan()
            #expect(monitor.handshakes.isEmpty)
            connection.close()
            try monitor.stop()
        }
    }
}
