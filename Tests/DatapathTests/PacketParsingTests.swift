import FlowModel
import Lab
import Testing

@testable import Datapath

/// The reference is held against the table that is written by hand; then the programs against both.
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
        @Test func framesAreCountedAsTheTableSays() throws {
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

        @Test func aFlowThatBeginsWithAnAnswerSaysSo() throws {
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
        func laterFragmentsFindTheirPorts(_ isIPv6: Bool) throws {
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
                let delta = try #require(batch.deltas.first { $0.number == birth.number })
                let whole = birth.key.farPort == 53 ? frames : [early]
                let bytes = whole.reduce(0) { $0 + $1.count - 14 }
                #expect(delta.ingress == TrafficCounters(packets: UInt64(whole.count), bytes: UInt64(bytes)))
            }
        }

        /// Every beginning of every valid frame: parsed as far as it goes, or counted as what is missing.
        @Test func framesThatAreCutOffAreAccountedFor() throws {
            let counter = try TestRunCounter.fresh()
            var reasons: [Sighting.Reason: Int] = [:]
            for example in PacketCase.valid {
                let shortest = FuzzInput.shortest(like: example.frame)
                for length in shortest..<max(shortest, example.frame.count) {
                    let frame = Array(example.frame.prefix(length))
                    let sighting = try counter.sight(frame)
                    var reference = ReferenceParser()
                    #expect(sighting == reference.sight(frame, .ingress), "\(example.name), first \(length) bytes")
                    if case .unparsed(let reason, _) = sighting { reasons[reason, default: 0] += 1 }
                }
            }
            #expect(reasons[.network, default: 0] > 500)
            #expect(reasons[.link, default: 0] > 5)
        }

        /// BPF_PROG_TEST_RUN refuses frames with less than an IP header: these cross a cable.
        @Test func framesWithoutAWholeIPHeaderAreAccountedFor() throws {
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
    /// Counts a frame as what it was seen as.
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
