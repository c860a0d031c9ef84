/// Builds frames and packets from the inside out: each function adds one header to a payload.
///
/// Checksums are correct; lengths follow from the payloads.
package enum Packet {
    /// Returns an Ethernet frame (IEEE 802.3) with VLAN tags, the outer one first.
    ///
    /// Without a type, the EtherType is that of the payload's IP version.
    package static func ethernet(
        destination: [UInt8] = [2, 0, 0, 0, 0, 2],
        source: [UInt8] = [2, 0, 0, 0, 0, 1],
        tags: [VLANTag] = [],
        type: UInt16? = nil,
        payload: [UInt8]
    ) -> [UInt8] {
        let isIPv6 = payload.first.map { $0 >> 4 == 6 } ?? false
        let tagBytes = tags.flatMap { bytes($0.kind.rawValue) + bytes($0.number & 0xfff) }
        return destination + source + tagBytes + bytes(type ?? (isIPv6 ? 0x86dd : 0x0800)) + payload
    }

    /// Returns an IPv4 (RFC 791) or IPv6 (RFC 8200) packet, depending on the addresses.
    package static func ip(
        from source: LabAddress,
        to destination: LabAddress,
        proto: UInt8,
        payload: [UInt8]
    ) -> [UInt8] {
        if source.isIPv6 {
            let start: [UInt8] = [0x60, 0, 0, 0]
            return start + bytes(UInt16(truncatingIfNeeded: payload.count)) + [proto, 64]
                + source.bytes + destination.bytes + payload
        }
        // Version and header length, service, total length, identifier, no flags, time to live, protocol, checksum.
        var header: [UInt8] = [0x45, 0] + bytes(UInt16(truncatingIfNeeded: 20 + payload.count))
        header += [0, 0, 0, 0, 64, proto, 0, 0] + source.bytes + destination.bytes
        header.replaceSubrange(10..<12, with: bytes(checksum(header)))
        return header + payload
    }

    /// Returns a UDP packet (RFC 768) in IP.
    package static func udp(
        from source: LabAddress,
        port sourcePort: UInt16,
        to destination: LabAddress,
        port: UInt16,
        payload: [UInt8] = []
    ) -> [UInt8] {
        let length = UInt16(truncatingIfNeeded: 8 + payload.count)
        let segment = bytes(sourcePort) + bytes(port) + bytes(length) + [0, 0] + payload
        return transport(segment, checksumAt: 6, source, destination, proto: 17)
    }

    /// Returns a TCP packet (RFC 9293) without options, in IP.
    ///
    /// The low byte of the flags: 2 is SYN, 18 is SYN with ACK, 4 is RST.
    package static func tcp(
        from source: LabAddress,
        port sourcePort: UInt16,
        to destination: LabAddress,
        port: UInt16,
        flags: UInt8,
        payload: [UInt8] = []
    ) -> [UInt8] {
        // Ports, sequence and acknowledgement numbers, header length, flags, window, checksum, urgent pointer.
        var segment = bytes(sourcePort) + bytes(port) + [0, 0, 0, 1, 0, 0, 0, 0]
        segment += [0x50, flags, 0xff, 0xff, 0, 0, 0, 0] + payload
        return transport(segment, checksumAt: 16, source, destination, proto: 6)
    }

    private static func transport(
        _ segment: [UInt8],
        checksumAt offset: Int,
        _ source: LabAddress,
        _ destination: LabAddress,
        proto: UInt8
    ) -> [UInt8] {
        // The pseudo-header: both addresses, length, protocol; the order of 16-bit words does not matter to the sum.
        let length = bytes(UInt16(truncatingIfNeeded: segment.count))
        let sum = checksum(source.bytes + destination.bytes + length + [0, proto] + segment)
        var segment = segment
        // 0 would mean that there is no checksum (RFC 768).
        segment.replaceSubrange(offset..<(offset + 2), with: bytes(sum == 0 && proto == 17 ? 0xffff : sum))
        return ip(from: source, to: destination, proto: proto, payload: segment)
    }

    /// The Internet checksum (RFC 1071).
    static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for (index, byte) in bytes.enumerated() {
            sum &+= index % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte)
        }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }

    private static func bytes(_ number: UInt16) -> [UInt8] {
        [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
    }
}
