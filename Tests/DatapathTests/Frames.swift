import CWeir

/// Bytes of frames, from the inside out: each function puts one header before what it carries.
///
/// Unlike what a kernel would send, every field can be wrong. Checksums are 0: the programs do not look at them.
enum Frame {
    /// Client and server of all packets, unless a test passes others.
    static let client4: [UInt8] = [10, 0, 0, 1]
    static let server4: [UInt8] = [10, 0, 0, 2]
    static let client6: [UInt8] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    static let server6: [UInt8] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]

    /// A number of 16 bits in network order.
    static func big(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }

    /// A number of 32 bits in network order.
    static func big(_ number: UInt32) -> [UInt8] {
        big(UInt16(truncatingIfNeeded: number >> 16)) + big(UInt16(truncatingIfNeeded: number))
    }

    // MARK: Link

    /// An Ethernet frame (IEEE 802.3).
    static func ethernet(_ type: UInt16, tags: [UInt16] = [], _ payload: [UInt8]) -> [UInt8] {
        let destination: [UInt8] = [2, 0, 0, 0, 0, 2]
        let source: [UInt8] = [2, 0, 0, 0, 0, 1]
        // Each tag: the EtherType that announces it, then priority 0 and VLAN 5.
        return destination + source + tags.flatMap { big($0) + [0, 5] } + big(type) + payload
    }

    /// An IPv4 packet in Ethernet.
    static func inIPv4(_ packet: [UInt8], tags: [UInt16] = []) -> [UInt8] { ethernet(0x0800, tags: tags, packet) }

    /// An IPv6 packet in Ethernet.
    static func inIPv6(_ packet: [UInt8], tags: [UInt16] = []) -> [UInt8] { ethernet(0x86dd, tags: tags, packet) }

    // MARK: Network

    /// An IPv4 packet (RFC 791).
    static func ipv4(
        _ proto: UInt8,
        _ payload: [UInt8],
        source: [UInt8] = client4,
        destination: [UInt8] = server4,
        version: UInt8 = 4,
        headerWords: UInt8? = nil,
        totalLength: UInt16? = nil,
        id: UInt16 = 0x1234,
        flagsAndOffset: UInt16 = 0x4000,
        options: [UInt8] = []
    ) -> [UInt8] {
        let words = headerWords ?? UInt8(5 + options.count / 4)
        let length = totalLength ?? UInt16(20 + options.count + payload.count)
        // Version and header length in words; type of service; total length.
        var packet: [UInt8] = [version << 4 | words, 0] + big(length)
        // Identification; flags (0x4000 don't fragment, 0x2000 more fragments) and offset in units of 8 bytes.
        packet += big(id) + big(flagsAndOffset)
        // Time to live; protocol; checksum; source; destination; options.
        packet += [64, proto, 0, 0] + source + destination + options
        return packet + payload
    }

    /// An IPv6 packet (RFC 8200 section 3).
    static func ipv6(
        _ next: UInt8,
        _ payload: [UInt8],
        source: [UInt8] = client6,
        destination: [UInt8] = server6,
        version: UInt8 = 6,
        payloadLength: UInt16? = nil
    ) -> [UInt8] {
        // Version, traffic class, flow label; payload length; next header; hop limit; source; destination.
        [version << 4, 0, 0, 0] + big(payloadLength ?? UInt16(payload.count)) + [next, 64] + source + destination
            + payload
    }

    /// An extension header of the usual form (RFC 8200 section 4.2): next header, length in units of 8 bytes beyond the
    /// first 8, and a PadN option (type 1) that fills it.
    static func extensionHeader(next: UInt8, units: UInt8 = 0) -> [UInt8] {
        let size = 8 * (Int(units) + 1)
        return [next, units, 1, UInt8(size - 4)] + [UInt8](repeating: 0, count: size - 4)
    }

    /// A routing header (RFC 8200 section 4.4): next header, length, type 4, no segments left, and an address.
    static func routing(next: UInt8) -> [UInt8] {
        [next, 2, 4, 0, 0, 0, 0, 0] + server6
    }

    /// A fragment header (RFC 8200 section 4.5): next header, reserved, offset with the bit "more", identification.
    static func fragment(next: UInt8, offset: UInt16, more: Bool, id: UInt32 = 0x0102_0304) -> [UInt8] {
        [next, 0] + big(offset & 0xfff8 | (more ? 1 : 0)) + big(id)
    }

    /// An authentication header (RFC 4302 section 2): next header, length in words minus 2, reserved, security
    /// parameters index, sequence number, check value of 12 bytes.
    static func authentication(next: UInt8) -> [UInt8] {
        [next, 4, 0, 0] + big(UInt32(0x100)) + big(UInt32(1)) + [UInt8](repeating: 0xaa, count: 12)
    }

    // MARK: Transport

    /// A TCP segment (RFC 9293 section 3.1).
    static func tcp(
        from source: UInt16 = 40000,
        to destination: UInt16 = 443,
        flags: UInt8 = 0x10,
        headerWords: UInt8 = 5,
        payload: Int = 0
    ) -> [UInt8] {
        // Ports; sequence number; acknowledgement number.
        var segment = big(source) + big(destination) + big(UInt32(1)) + big(UInt32(1))
        // Data offset in words; flags; window; checksum; urgent pointer.
        segment += [headerWords << 4, flags, 0xff, 0xff, 0, 0, 0, 0]
        // Options: no operation (kind 1).
        segment += [UInt8](repeating: 1, count: max(0, 4 * Int(headerWords) - 20))
        return segment + [UInt8](repeating: 0x57, count: payload)
    }

    /// A UDP datagram (RFC 768): ports, length, checksum.
    static func udp(from source: UInt16 = 40000, to destination: UInt16 = 53, payload: Int = 0) -> [UInt8] {
        big(source) + big(destination) + big(UInt16(8 + payload)) + [0, 0] + [UInt8](repeating: 0x57, count: payload)
    }

    /// An SCTP packet (RFC 9260 section 3): ports, verification tag, checksum, and one chunk: INIT, flags, length.
    static func sctp(from source: UInt16 = 40000, to destination: UInt16 = 3868) -> [UInt8] {
        big(source) + big(destination) + big(UInt32(7)) + [0, 0, 0, 0] + [1, 0, 0, 4]
    }

    /// A message of ICMP (RFC 792) or ICMPv6 (RFC 4443): type, code, checksum, identifier, sequence number, data.
    static func icmp(_ type: UInt8, code: UInt8 = 0, id: UInt16 = 0xbeef, data: Int = 8) -> [UInt8] {
        [type, code, 0, 0] + big(id) + [0, 1] + [UInt8](repeating: 0x61, count: data)
    }
}
