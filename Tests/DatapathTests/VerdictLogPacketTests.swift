import FlowModel
import Testing

@testable import Datapath

/// Compares the headers of logged packets with the reference that the programs are compared with.
@Suite("Logged packets")
struct VerdictLogPacketTests {
    /// Returns the beginning of the IP packet of a frame, and whether it is IPv4; nil if it is not IP or has too many VLAN
    /// tags.
    private func network(_ frame: [UInt8]) -> (start: Int, isIPv4: Bool)? {
        var start = 14
        for _ in 0..<9 {
            guard frame.count >= start else { return nil }
            switch (frame[start - 2], frame[start - 1]) {
            case (0x81, 0x00), (0x88, 0xa8): start += 4
            case (0x08, 0x00): return (start, true)
            case (0x86, 0xdd): return (start, false)
            default: return nil
            }
        }
        return nil
    }

    private func read(
        _ frame: [UInt8],
        copied: Int = .max,
        fragments: inout FragmentMemory
    ) -> VerdictLogPacket? {
        guard let (start, isIPv4) = network(frame) else { return nil }
        // The parser must not read bytes before and behind the range.
        let payload = frame[start...].prefix(copied)
        let bytes = [0x45, 0x60, 0xff] + payload + [UInt8](repeating: 0xff, count: 64)
        let range = 3..<3 + payload.count
        return VerdictLogPacket.read(NetlinkBytes(bytes), range, isIPv4: isIPv4, fragments: &fragments)
    }

    /// Returns the result of the reference for a frame that enters.
    private func expected(_ frame: [UInt8], _ reference: inout ReferenceParser) -> VerdictLogPacket? {
        guard case .flow(let key, let counters, let marks) = reference.sight(frame, .ingress) else { return nil }
        let tuple = TrackedConnection.Tuple(
            source: key.near,
            destination: key.far,
            sourcePort: key.nearPort,
            destinationPort: key.farPort,
            proto: key.proto
        )
        let isICMP = key.proto == .icmp || key.proto == .icmp6
        return VerdictLogPacket(
            tuple: tuple,
            bytes: counters.bytes,
            isReport: isICMP && marks.isDisjoint(with: [.openedIngress, .acceptedIngress])
        )
    }

    /// Whether the length field of the frame's IP packet is 0 or exceeds the frame: the logged length may differ.
    private func isOpenEnded(_ frame: [UInt8]) -> Bool {
        guard let (start, isIPv4) = network(frame), frame.count >= start + 6 else { return true }
        let field = start + (isIPv4 ? 2 : 4)
        let length = Int(frame[field]) << 8 | Int(frame[field + 1])
        return length == 0 || start + length + (isIPv4 ? 0 : 40) > frame.count
    }

    @Test(arguments: (PacketCase.valid + PacketCase.broken + PacketCase.others).filter { $0.gso.size == 0 })
    func agreesWithReferenceParser(_ example: PacketCase) {
        var (reference, fragments) = (ReferenceParser(), FragmentMemory())
        let packet = read(example.frame, fragments: &fragments)
        let expected = expected(example.frame, &reference)
        guard packet != expected else { return }
        // Later fragments without their first are no messages at all.
        var other = expected
        other?.isReport = packet?.isReport ?? false
        // The length of the part that was not logged is unknown: the length in the header counts.
        if isOpenEnded(example.frame), let packet { other?.bytes = packet.bytes }
        #expect(packet == other)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func damagedFramesAgreeWithReferenceParser(_ seed: UInt64) {
        var input = FuzzInput(seed: seed)
        var (reference, fragments) = (ReferenceParser(), FragmentMemory())
        var read = 0
        for number in 0..<30_000 {
            // The reference keeps all fragments.
            if number % 900 == 0 { (reference, fragments) = (ReferenceParser(), FragmentMemory()) }
            let frame = input.next().frame
            guard !isOpenEnded(frame) else { continue }
            let packet = self.read(frame, fragments: &fragments)
            let expected = expected(frame, &reference)
            guard packet?.tuple == expected?.tuple, packet?.bytes == expected?.bytes else {
                Issue.record(
                    """
                    seed \(seed), frame \(number): \(frame)
                    read as   \(packet.map { "\($0)" } ?? "nothing")
                    reference \(expected.map { "\($0)" } ?? "nothing")
                    """
                )
                return
            }
            if packet != nil { read += 1 }
        }
        #expect(read > 5000 && read < 29_000, "\(read) of 30,000 frames were read")
    }

    /// A truncated packet is read wholly or not at all; its length is the one in its header.
    @Test func truncatedPacketIsReadWhollyOrNotAtAll() {
        var partial = 0
        for example in PacketCase.valid where example.gso.size == 0 {
            guard let (start, _) = network(example.frame), !isOpenEnded(example.frame) else { continue }
            var fragments = FragmentMemory()
            let whole = read(example.frame, fragments: &fragments)
            for length in 0..<(example.frame.count - start) {
                var fragments = FragmentMemory()
                let packet = read(example.frame, copied: length, fragments: &fragments)
                #expect(packet == nil || packet == whole, "\(example.name), first \(length) bytes")
                if packet != nil { partial += 1 }
            }
            // An IPv6 header, all extension headers of the examples and the ports fit into what is copied.
            var other = FragmentMemory()
            let copied = Int(VerdictLogSocket.copiedBytes)
            #expect(read(example.frame, copied: copied, fragments: &other) == whole, "\(example.name)")
        }
        #expect(partial > 200)
    }

    @Test func superPacketWithoutLengthUsesLoggedLength() {
        var frame = Frame.inIPv4(Frame.ipv4(6, Frame.tcp(flags: 2)))
        frame.replaceSubrange(16..<18, with: [0, 0])
        var fragments = FragmentMemory()
        let packet = read(frame, fragments: &fragments)
        #expect(packet?.bytes == UInt64(frame.count - 14))
        #expect(packet?.tuple.destinationPort == 443)
    }

    @Test func fragmentMemoryIsBounded() {
        var memory = FragmentMemory()
        func identity(_ id: UInt32) -> FragmentMemory.Identity {
            FragmentMemory.Identity(
                source: IPAddress(10, 0, 0, 1),
                destination: IPAddress(10, 0, 0, 2),
                id: id,
                proto: .udp
            )
        }
        for id in 0..<10_000 as Range<UInt32> {
            var transport = FragmentMemory.Transport()
            transport.sourcePort = UInt16(id)
            memory.remember(identity(id), transport, size: 8)
            #expect(memory.count <= 2048)
        }
        func ports(_ id: UInt32) -> UInt16? {
            memory.transport(identity(id), .init(id: id, offset: 800, size: 8, hasMore: false))?.sourcePort
        }
        for id in (10_000 - 1024)..<10_000 as Range<UInt32> {
            #expect(ports(id) == UInt16(id))
        }
        #expect(ports(1) == nil)
    }
}
