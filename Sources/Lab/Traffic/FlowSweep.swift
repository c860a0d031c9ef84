/// UDP frames of many flows, one after the other: 32,768 source ports, then the next source address.
///
/// Frame n belongs to flow n modulo ``flows``. The frames are untagged Ethernet. For IPv4 the UDP checksum is 0 (none); for
/// IPv6 it is wrong, because only the last two bytes of the address and the ports are changed.
package struct FlowSweep: Sendable {
    /// The number of different flows.
    package let flows: Int
    /// The first source address; the following ones count up.
    package let source: LabAddress
    /// The frame of the first flow.
    package let template: [UInt8]

    /// The first source port; each address uses this and the next 32,767 ports.
    package static let firstPort: UInt16 = 16384
    private static let portsPerAddress = 32768

    private let lastSourceBytes: UInt32
    private let checksumBase: UInt32

    /// Creates a sweep.
    ///
    /// - Parameters:
    ///   - flows: the number of flows, at least 1; each 32,768 need one of at most 65,536 source addresses.
    ///   - source: the first source address.
    ///   - destination: the destination address, of the same IP version.
    ///   - port: the destination port.
    ///   - payload: the bytes after the UDP header.
    /// - Throws: ``LabError/invalid(_:)`` if there are no or too many flows, or if the addresses do not match.
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
            // The header's checksum without the two bytes that change (RFC 1624).
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

    /// Changes a frame, which must be the template or a result of this function, to the frame of a flow.
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
