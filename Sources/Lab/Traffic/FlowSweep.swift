/// UDP frames that belong to many flows, one after the other: 32,768 source ports, then the next source address.
///
/// Number n stands for the flow n modulo ``flows``. Ethernet without tags; the checksums of UDP are left out for IPv4
/// (0: none) and not right for IPv6, where only the last two bytes of the address and the ports change.
package struct FlowSweep: Sendable {
    /// The number of different flows.
    package let flows: Int
    /// The first of the flows' source addresses; the next ones count up.
    package let source: LabAddress
    /// The frame of the first flow.
    package let template: [UInt8]

    /// The first source port; the ports of an address are this and the next 32,767.
    package static let firstPort: UInt16 = 16384
    private static let portsPerAddress = 32768

    private let lastSourceBytes: UInt32
    private let checksumBase: UInt32

    /// Makes a sweep.
    ///
    /// - Parameters:
    ///   - flows: how many different flows, at least 1; each 32,768 need another source address, of at most 65,536.
    ///   - source: the first source address.
    ///   - destination: where all go, of the same IP version.
    ///   - port: the destination port.
    ///   - payload: bytes after the UDP header.
    /// - Throws: ``LabError/invalid(_:)`` if there are no or too many flows, or the addresses do not match.
    package init(
        flows: Int,
        from source: LabAddress,
        to destination: LabAddress,
        port: UInt16 = 9,
        payload: Int = 18
    ) throws(LabError) {
        guard source.isIPv6 == destination.isIPv6, (1...(65536 * Self.portsPerAddress)).contains(flows) else {
            throw .invalid("flow sweep: 1 to 2,147,483,648 flows, both addresses of one IP version")
        }
        self.flows = flows
        self.source = source
        let packet = Packet.udp(
            from: source,
            port: Self.firstPort,
            to: destination,
            port: port,
            payload: [UInt8](repeating: 0, count: payload)
        )
        var frame = Packet.ethernet(payload: packet)
        let low = source.bytes.suffix(2)
        lastSourceBytes = low.reduce(0) { $0 << 8 | UInt32($1) }
        if source.isIPv6 {
            checksumBase = 0
        } else {
            frame.replaceSubrange(Offset.udp4Checksum..<(Offset.udp4Checksum + 2), with: [0, 0])
            // The header's sum without the two bytes that change (RFC 1624).
            let sum = UInt32(~(UInt16(frame[Offset.ip4Checksum]) << 8 | UInt16(frame[Offset.ip4Checksum + 1])))
            checksumBase = sum + 0xffff - lastSourceBytes
        }
        template = frame
    }

    /// Offsets in the frame, in bytes.
    private enum Offset {
        static let ip4Checksum = 24
        static let ip4SourceEnd = 30
        static let udp4 = 34
        static let udp4Checksum = 40
        static let ip6SourceEnd = 38
        static let udp6 = 54
    }

    /// Makes a frame, the template or one that this function changed, the frame of a flow.
    package func change(_ frame: inout MutableSpan<UInt8>, _ number: Int) {
        let flow = number % flows
        let port = Self.firstPort + UInt16(flow % Self.portsPerAddress)
        let address = (lastSourceBytes + UInt32(flow / Self.portsPerAddress)) & 0xffff
        let isIPv6 = source.isIPv6
        Self.store(UInt32(port), in: &frame, at: isIPv6 ? Offset.udp6 : Offset.udp4)
        Self.store(address, in: &frame, at: (isIPv6 ? Offset.ip6SourceEnd : Offset.ip4SourceEnd) - 2)
        guard !isIPv6 else { return }
        var sum = checksumBase + address
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        Self.store(~sum & 0xffff, in: &frame, at: Offset.ip4Checksum)
    }

    private static func store(_ value: UInt32, in frame: inout MutableSpan<UInt8>, at offset: Int) {
        frame[offset] = UInt8(truncatingIfNeeded: value >> 8)
        frame[offset + 1] = UInt8(truncatingIfNeeded: value)
    }
}
