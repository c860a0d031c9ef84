import FlowModel
import Lab
import Testing

@testable import Datapath

/// Compares the reference with the table that is written by hand; other suites compare the programs with both.
@Suite("Reference parser")
struct ReferenceParserTests {
    @Test(arguments: PacketCase.all)
    func agreesWithTheTable(_ example: PacketCase) {
        var reference = ReferenceParser()
        #expect(reference.sight(example.frame, example.direction, gso: example.gso) == example.expected)
    }
}

extension KernelTests {
    @Suite("Packet parsing")
    struct PacketParsingTests {
        @Test func countsFramesAsInTable() throws {
            let counter = try TestRunCounter.fresh()
            for example in PacketCase.all {
                let sighting = try counter.sight(example.frame, example.direction, gso: example.gso)
                #expect(sighting == example.expected, "\(example.name)")
            }
        }

        /// On egress the source is the far end; the identifier of an ICMP query belongs to no end.
        @Test func bothDirectionsOfAConversationAreOneFlow() throws {
            let counter = try TestRunCounter.fresh()
            let conversations: [(query: [UInt8], reply: [UInt8])] = [
                (
                    Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 2))),
                    Frame.inIPv4(
                        Frame.ipv4(
                            6,
                            Frame.tcp(from: 443, to: 40000, flags: 0x12),
                            source: Frame.server4,
                            destination: Frame.client4
                        )
                    )
                ),
                (
                    Frame.inIPv4(Frame.ipv4(1, Frame.icmp(8))),
                    Frame.inIPv4(
                        Frame.ipv4(1, Frame.icmp(0), source: Frame.server4, destination: Frame.client4)
                    )
                ),
                (
                    Frame.inIPv6(Frame.ipv6(58, Frame.icmp(128))),
                    Frame.inIPv6(
                        Frame.ipv6(58, Frame.icmp(129), source: Frame.server6, destination: Frame.client6)
                    )
                ),
            ]
            for (query, reply) in conversations {
                try counter.run(query, .ingress)
                try counter.run(reply, .egress)
                let batch = try counter.scan(ending: true)
                let birth = try #require(batch.births.first)
                #expect(batch.births.count == 1)
                #expect(batch.ingress == TrafficCounters(packets: 1, bytes: UInt64(query.count - 14)))
                #expect(batch.egress == TrafficCounters(packets: 1, bytes: UInt64(reply.count - 14)))
                #expect(birth.marks.contains([.openedIngress, .acceptedEgress]))
                #expect(birth.marks.isDisjoint(with: [.openedEgress, .acceptedIngress, .firstEgress]))
            }
        }

        @Test func marksFlowThatBeginsWithAnswer() throws {
            let counter = try TestRunCounter.fresh()
            let sighting = try counter.sight(Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 0x12))), .egress)
            guard case .flow(let key, _, let marks) = sighting else {
                Issue.record("not in a flow: \(sighting)")
                return
            }
            // The source, 10.0.0.1 port 40000, is behind the node's stack.
            #expect(key.far == IPAddress(10, 0, 0, 1))
            #expect(key.near == IPAddress(10, 0, 0, 2))
            #expect((key.farPort, key.nearPort) == (40000, 443))
            #expect(marks == [.acceptedEgress, .firstEgress, FlowMarks(rawValue: 0x1200)])
        }

        @Test(arguments: [false, true])
        func laterFragmentsUsePortsOfFirst(_ isIPv6: Bool) throws {
            let counter = try TestRunCounter.fresh()
            let part = [UInt8](repeating: 3, count: 64)
            func fragment(_ offset: UInt16, more: Bool, id: UInt16, _ payload: [UInt8]) -> [UInt8] {
                if isIPv6 {
                    let header = Frame.fragment(next: 17, offset: offset, more: more, id: UInt32(id))
                    return Frame.inIPv6(Frame.ipv6(44, header + payload))
                }
                let word = offset / 8 | (more ? 0x2000 : 0)
                return Frame.inIPv4(Frame.ipv4(17, payload, id: id, flagsAndOffset: word))
            }
            let first = Frame.udp(payload: 64)
            let frames = [
                fragment(0, more: true, id: 7, first),
                fragment(72, more: true, id: 7, part),
                fragment(136, more: false, id: 7, part),
            ]
            for frame in frames { try counter.run(frame) }
            // Another packet's fragment, whose first comes later.
            let early = fragment(72, more: false, id: 8, part)
            try counter.run(early)
            let batch = try counter.scan(ending: true)
            #expect(Set(batch.births.map(\.key.farPort)) == [53, 0])
            #expect(Set(batch.births.map(\.key.nearPort)) == [40000, 0])
            for birth in batch.births {
                let delta = try #require(batch.deltas.first { $0.flowID == birth.flowID })
                let whole = birth.key.farPort == 53 ? frames : [early]
                let bytes = whole.reduce(0) { $0 + $1.count - 14 }
                #expect(delta.ingress == TrafficCounters(packets: UInt64(whole.count), bytes: UInt64(bytes)))
            }
        }

        /// A fragment of a TCP packet between the usual ends.
        private static func fragment(
            _ isIPv6: Bool,
            id: UInt16 = 7,
            _ offset: UInt16,
            more: Bool = true,
            _ part: [UInt8]
        )
            -> [UInt8]
        {
            if isIPv6 {
                let header = Frame.fragment(next: 6, offset: offset, more: more, id: UInt32(id))
                return Frame.inIPv6(Frame.ipv6(44, header + part))
            }
            return Frame.inIPv4(Frame.ipv4(6, part, id: id, flagsAndOffset: offset / 8 | (more ? 0x2000 : 0)))
        }

        /// The far port under which each frame is counted.
        private static func farPorts(_ frames: [[UInt8]]) throws -> [UInt16] {
            let counter = try TestRunCounter.fresh()
            return try frames.map { frame in
                guard case .flow(let key, _, _) = try counter.sight(frame) else {
                    Issue.record("not in a flow: \(frame)")
                    return .max
                }
                return key.farPort
            }
        }

        private static let part = [UInt8](repeating: 3, count: 16)

        private static func tcp(_ port: UInt16) -> [UInt8] { Array(Frame.tcp(to: port, flags: 2).prefix(8)) }

        /// The smallest first fragment that a receiver keeps has the ports for all of its packet.
        @Test(arguments: [false, true])
        func firstFragmentOf8BytesSetsPorts(_ isIPv6: Bool) throws {
            let ports = try Self.farPorts([
                Self.fragment(isIPv6, 0, Self.tcp(443)),
                Self.fragment(isIPv6, 8, Self.part),
                Self.fragment(isIPv6, 24, more: false, Self.part),
            ])
            #expect(ports == [443, 443, 443])
        }

        /// An opening of which only the ports are seen, and its answer, from either side: the first sender is the initiator.
        @Test(arguments: [nil, 0x14, 0x12] as [UInt8?], [false, true])
        func openingIn8ByteFragmentsBeginsConnection(_ answer: UInt8?, _ isEgress: Bool) throws {
            for isIPv6 in [false, true] {
                let counter = try TestRunCounter.fresh()
                let (there, back): (Direction, Direction) =
                    isEgress ? (.egress, .ingress) : (.ingress, .egress)
                try counter.run(Self.fragment(isIPv6, 0, Self.tcp(443)), there)
                try counter.run(Self.fragment(isIPv6, 8, more: false, Self.part), there)
                if let answer { try counter.run(Self.answer(isIPv6, flags: answer), back) }
                let birth = try #require(try counter.scan().births.first)
                #expect(birth.key.nearPort == (isEgress ? 443 : 40000))
                #expect(!birth.joined && birth.marks.contains(.firstEgress) == isEgress)
                #expect(birth.marks.nearOpened == (answer == 0x12 ? !isEgress : nil))
            }
        }

        /// A running connection whose first packet comes whole, or whose ports are not seen, was joined.
        @Test(arguments: [0x10, 0x18, 0x14, 0x04, 0x11] as [UInt8])
        func packetOfRunningConnectionIsJoined(_ flags: UInt8) throws {
            let counter = try TestRunCounter.fresh()
            try counter.run(Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: flags))))
            try counter.run(Self.fragment(false, id: 9, 8, Self.part))
            let births = try counter.scan().births
            #expect(births.count == 2 && births.allSatisfy(\.joined))
        }

        private static func answer(_ isIPv6: Bool, flags: UInt8) -> [UInt8] {
            let segment = Frame.tcp(from: 443, to: 40000, flags: flags)
            guard isIPv6 else {
                return Frame.inIPv4(Frame.ipv4(6, segment, source: Frame.server4, destination: Frame.client4))
            }
            return Frame.inIPv6(Frame.ipv6(6, segment, source: Frame.server6, destination: Frame.client6))
        }

        /// It is not known which of two first fragments the receiver takes: the others are counted under neither.
        @Test(arguments: [false, true])
        func contradictingFirstFragmentsSetNoPorts(_ isIPv6: Bool) throws {
            let firsts = [Self.fragment(isIPv6, 0, Self.tcp(443)), Self.fragment(isIPv6, 0, Self.tcp(80))]
            let rest = [Self.fragment(isIPv6, 8, Self.part), Self.fragment(isIPv6, 24, more: false, Self.part)]
            #expect(try Self.farPorts(firsts + rest) == [443, 80, 0, 0])
            #expect(try Self.farPorts([firsts[0], rest[0], firsts[1], rest[1]]) == [443, 443, 80, 0])
            #expect(try Self.farPorts([firsts[0], firsts[0], rest[0], rest[1]]) == [443, 443, 443, 443])
            // The last fragment ahead of its turn does not make the packet whole.
            #expect(try Self.farPorts([firsts[0], rest[1], firsts[1], rest[0]]) == [443, 443, 80, 0])
        }

        /// A first fragment that no receiver keeps does not count: the next valid first fragment does.
        @Test(arguments: [false, true])
        func ignoresTooSmallFirstFragments(_ isIPv6: Bool) throws {
            let ports = try Self.farPorts([
                Self.fragment(isIPv6, 0, []),
                Self.fragment(isIPv6, 0, [1, 2, 3, 4, 5, 6, 7]),
                Self.fragment(isIPv6, 0, Self.tcp(443)),
                Self.fragment(isIPv6, 8, more: false, Self.part),
            ])
            #expect(ports == [0, 0x0304, 443, 443])
        }

        /// An identifier that is used again after its packet has passed identifies the next packet.
        @Test(arguments: [false, true])
        func reusedIdentifierStartsNewPacket(_ isIPv6: Bool) throws {
            let packet = { (port: UInt16) in
                [Self.fragment(isIPv6, 0, Self.tcp(port)), Self.fragment(isIPv6, 8, more: false, Self.part)]
            }
            #expect(try Self.farPorts(packet(443) + packet(80) + packet(22)) == [443, 443, 80, 80, 22, 22])
        }

        /// A fragment that overlaps the ports (RFC 3128) is payload, whatever its bytes are.
        @Test(arguments: [false, true])
        func ignoresPortsInFragmentAtOffset8(_ isIPv6: Bool) throws {
            let overlap = Frame.tcp(to: 22, flags: 2)
            #expect(try Self.farPorts([Self.fragment(isIPv6, 8, overlap)]) == [0])
            let ports = try Self.farPorts([
                Self.fragment(isIPv6, 0, Frame.tcp(to: 443, payload: 12)),
                Self.fragment(isIPv6, 8, overlap),
            ])
            #expect(ports == [443, 443])
        }

        /// Every prefix of every valid frame is parsed as far as it goes, or counted as unparsed.
        @Test func accountsForTruncatedFrames() throws {
            let counter = try TestRunCounter.fresh()
            var inFlows = 0
            var unparsed = 0
            for example in PacketCase.valid {
                let shortest = FuzzInput.shortest(like: example.frame)
                for length in shortest..<max(shortest, example.frame.count) {
                    let frame = Array(example.frame.prefix(length))
                    try counter.clearFragments()
                    let sighting = try counter.sight(frame)
                    var reference = ReferenceParser()
                    #expect(sighting == reference.sight(frame, .ingress), "\(example.name), first \(length) bytes")
                    switch sighting {
                    case .flow: inFlows += 1
                    case .unparsed: unparsed += 1
                    default: break
                    }
                }
            }
            #expect(inFlows > 500)
            // Tags, and what is behind them, cut off.
            #expect(unparsed > 50)
        }

        /// BPF_PROG_TEST_RUN refuses frames with less than an IP header: these cross a cable.
        @Test func accountsForFramesWithoutWholeIPHeader() throws {
            let cable = try Cable()
            let monitor = try Monitor(in: cable.left, DatapathConfiguration(tableSlots: 1024))
            let sender = try FrameSender("eth0", in: cable.left)
            var expected = DirectionAccount()
            for example in PacketCase.valid {
                // Packet sockets send no less than an Ethernet header.
                for length in 14..<min(FuzzInput.shortest(like: example.frame), example.frame.count) {
                    let frame = Array(example.frame.prefix(length))
                    var reference = ReferenceParser()
                    expected.add(reference.sight(frame, .egress), frame)
                    try sender.send(frame)
                }
            }
            try monitor.stop()
            let account = try monitor.account(of: "eth0")
            #expect(account.egress == expected)
            #expect(account.isBalanced)
            #expect(expected.unparsed.packets > 500)
        }
    }
}

extension DirectionAccount {
    /// Adds a frame to the counts of its sighting.
    fileprivate mutating func add(_ sighting: Sighting, _ frame: [UInt8]) {
        let frame = TrafficCounters(packets: 1, bytes: UInt64(frame.count))
        skb += frame
        switch sighting {
        case .flow(_, let counters, _):
            seen += counters
            flows += counters
        case .notIP:
            seen += frame
            notIP += frame
        case .unparsed(let reason, _):
            seen += frame
            unparsed += frame
            switch reason {
            case .link: unparsedReasons.link += 1
            case .network: unparsedReasons.network += 1
            case .extension: unparsedReasons.extension += 1
            case .transport: unparsedReasons.transport += 1
            }
        case .contradiction: break
        }
    }
}
