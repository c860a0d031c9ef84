import FlowModel
import Testing

@testable import Datapath

/// Random frames, beyond those of the table.
struct FuzzInput {
    /// The shortest frame of its EtherType that BPF_PROG_TEST_RUN takes (net/bpf/test_run.c): not a bare Ethernet
    /// header, and not less than an IP header behind it.
    static func shortest(like frame: [UInt8]) -> Int {
        switch (frame[12], frame[13]) {
        case (0x08, 0x00): 34
        case (0x86, 0xdd): 54
        default: 15
        }
    }

    private var numbers: RepeatableNumbers

    /// Whether most frames are TCP or UDP without anything unusual but their fields.
    private let offersUsualPackets: Bool

    init(seed: UInt64, offersUsualPackets: Bool = false) {
        numbers = RepeatableNumbers(seed: seed)
        self.offersUsualPackets = offersUsualPackets
    }

    /// The input of one run of the programs.
    struct Run {
        var frame: [UInt8]
        var direction: Direction
        var gso: (size: UInt32, segments: UInt32)
    }

    /// The next frame: random bytes now and then, mostly a valid frame with some damage.
    mutating func next() -> Run {
        var frame =
            switch upTo(20) {
            case 3... where offersUsualPackets: usual()
            case 0: randomBytes()
            case 1, 2: fragment()
            default: mutant()
            }
        frame += [UInt8](repeating: 0, count: max(0, Self.shortest(like: frame) - frame.count))
        let isSuper = upTo(8) == 0
        return Run(
            frame: frame,
            direction: upTo(2) == 0 ? .ingress : .egress,
            gso: isSuper ? (UInt32(1 + upTo(2000)), UInt32(upTo(2) * upTo(50))) : (0, 0)
        )
    }

    private mutating func upTo(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &numbers) }

    private mutating func randomBytes() -> [UInt8] {
        let types: [[UInt8]] = [[8, 0], [0x86, 0xdd], [0x81, 0], [0x88, 0xa8], [8, 6]]
        var frame = (0..<(15 + upTo(120))).map { _ in UInt8(upTo(256)) }
        frame.replaceSubrange(12..<14, with: types[upTo(types.count)])
        return frame
    }

    /// A packet of TCP or UDP whose lengths and flags may be any.
    private mutating func usual() -> [UInt8] {
        let isTCP = upTo(3) != 0
        let (flags, words, size) = (UInt8(upTo(256)), UInt8(4 + upTo(12)), upTo(60))
        let transport =
            isTCP ? Frame.tcp(flags: flags, headerWords: words, payload: size) : Frame.udp(payload: size)
        let length = transport.count - (upTo(4) == 0 ? upTo(transport.count) : 0) + (upTo(8) == 0 ? upTo(4) : 0)
        let proto: UInt8 = isTCP ? 6 : 17
        if upTo(2) == 0 { return Frame.inIPv6(Frame.ipv6(proto, transport, payloadLength: UInt16(length))) }
        let fragment: UInt16 = upTo(10) == 0 ? UInt16(upTo(4)) << 14 : 0x4000
        return Frame.inIPv4(
            Frame.ipv4(proto, transport, totalLength: UInt16(20 + length), flagsAndOffset: fragment)
        )
    }

    /// Returns one of the few fragments of a few packets, in any order and of any size.
    private mutating func fragment() -> [UInt8] {
        let (port, id) = (UInt16(80 + upTo(2)), UInt16(upTo(4)))
        let (offset, hasMore) = (UInt16(8 * max(0, upTo(5) - 1)), upTo(3) != 0)
        let part = Array(Frame.tcp(to: port, flags: 2, payload: 32).dropFirst(Int(offset)).prefix(4 * upTo(6)))
        if upTo(2) == 0 {
            let header = Frame.fragment(next: upTo(8) == 0 ? 17 : 6, offset: offset, more: hasMore, id: UInt32(id))
            return Frame.inIPv6(Frame.ipv6(44, header + part))
        }
        return Frame.inIPv4(Frame.ipv4(6, part, id: id, flagsAndOffset: offset / 8 | (hasMore ? 0x2000 : 0)))
    }

    private mutating func mutant() -> [UInt8] {
        let valid = PacketCase.valid + PacketCase.broken + PacketCase.others
        var frame = valid[upTo(valid.count)].frame
        for _ in 0..<(1 + upTo(3)) { damage(&frame) }
        return frame
    }

    private mutating func damage(_ frame: inout [UInt8]) {
        guard frame.count > 14 else { return }
        // Headers are damaged more often than payload.
        let place = min(12 + upTo(upTo(2) == 0 ? 28 : frame.count - 12), frame.count - 1)
        let interesting: [UInt8] = [
            0, 1, 4, 6, 17, 43, 44, 51, 58, 59, 60, 132, 135, 0x3f, 0x40, 0x45, 0x60, 0x7f, 0x80, 0xff,
        ]
        switch upTo(6) {
        case 0: frame[place] ^= 1 << UInt8(upTo(8))
        case 1: frame[place] = UInt8(upTo(256))
        case 2: frame[place] = interesting[upTo(interesting.count)]
        case 3: frame.removeLast(upTo(frame.count - 14))
        case 4: frame += (0..<upTo(40)).map { _ in UInt8(upTo(256)) }
        default: frame.insert(contentsOf: (0..<(1 + upTo(8))).map { _ in UInt8(upTo(256)) }, at: place)
        }
    }
}

extension KernelTests {
    @Suite("Packet parsing, fuzzed")
    struct PacketFuzzTests {
        /// The programs and the reference agree on bucket, key, packets, bytes and marks of every frame.
        @Test(arguments: [1, 2, 3] as [UInt64])
        func programsAgreeWithReferenceParser(_ seed: UInt64) throws {
            let counter = try TestRunCounter.fresh()
            var reference = ReferenceParser()
            var input = FuzzInput(seed: seed)
            var inFlows = 0
            var fragments = 0
            for number in 0..<20_000 {
                // The programs' entries of fragments expire by time and number; the reference's do not.
                if number.isMultiple(of: 1_000) {
                    fragments += reference.fragments.count
                    reference = ReferenceParser()
                    try counter.clearFragments()
                }
                let run = input.next()
                let expected = reference.sight(run.frame, run.direction, gso: run.gso)
                let sighting = try counter.sight(run.frame, run.direction, gso: run.gso)
                guard sighting == expected else {
                    Issue.record(
                        """
                        seed \(seed), frame \(number), \(run.direction), gso \(run.gso): \(run.frame)
                        counted as \(sighting)
                        reference  \(expected)
                        """
                    )
                    return
                }
                if case .flow = sighting { inFlows += 1 }
            }
            // Most of the input must reach the end of the parser, but not all of it.
            #expect(inFlows > 10_000 && inFlows < 19_000, "\(inFlows) of 20,000 frames were in flows")
            #expect(fragments > 150)
        }

        /// Usual packets take a short way through the parser; a VLAN tag makes them take the long one, to the same flow.
        @Test(arguments: [4, 5] as [UInt64])
        func shortParserAgreesWithLongParser(_ seed: UInt64) throws {
            let counter = try TestRunCounter.fresh()
            var input = FuzzInput(seed: seed, offersUsualPackets: true)
            var usual = 0
            for _ in 0..<20_000 {
                let run = input.next()
                // Earlier fragments change the result of later ones.
                try counter.clearFragments()
                let short = try counter.sight(run.frame, run.direction, gso: run.gso)
                try counter.clearFragments()
                let tagged = run.frame[..<12] + [0x81, 0x00, 0, 5] + run.frame[12...]
                let long = try counter.sight(Array(tagged), run.direction, gso: run.gso)
                guard case .flow(let key, _, _) = short else { continue }
                guard short == long else {
                    Issue.record("seed \(seed), gso \(run.gso): \(run.frame)\nshort \(short)\nlong  \(long)")
                    return
                }
                if key.proto.hasPorts { usual += 1 }
            }
            #expect(usual > 12_000)
        }
    }
}
