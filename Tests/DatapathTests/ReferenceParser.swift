import FlowModel

/// What a frame must be counted as, by a reading of the standards and of the datapath's contract.
///
/// Written for clarity, over plain arrays; shares nothing with the BPF programs.
struct ReferenceParser {
    /// How the frame's length and headers stand for more than one packet on the wire.
    typealias Offload = (size: UInt32, segments: UInt32)

    /// Ports of first fragments, for the later ones.
    private(set) var fragments: [FragmentIdentity: Ports] = [:]

    /// What fragments of one packet have in common (RFC 791 section 3.2, RFC 8200 section 4.5).
    struct FragmentIdentity: Hashable {
        var source: IPAddress
        var destination: IPAddress
        var id: UInt32
        var proto: UInt8
    }

    struct Ports: Hashable {
        var source: UInt16 = 0
        var destination: UInt16 = 0
    }

    /// Ends the parsing: the frame is not counted in a flow.
    private enum Refusal: Error {
        case notIP
        case unparsed(Sighting.Reason)
    }

    /// An IP packet taken apart.
    private struct Packet {
        var source: IPAddress
        var destination: IPAddress
        var proto: UInt8
        /// Offsets in the frame.
        var network: Int
        var transport: Int
        var end: Int
        /// Bytes that are not on the wire: the jumbo option of BIG TCP.
        var offWire = 0
        var fragment: (id: UInt32, offset: Int, more: Bool)?
        var ports = Ports()
        var headerSize = 0
        var tcpFlags: UInt8 = 0
        var opens = false
        var accepts = false
    }

    /// Says what a frame is.
    mutating func sight(_ frame: [UInt8], _ direction: Direction, gso: Offload = (0, 0)) -> Sighting {
        let frameCount = TrafficCounters(packets: 1, bytes: UInt64(frame.count))
        do throws(Refusal) {
            var packet = try network(frame, isOffloaded: gso.size != 0)
            try addTransport(&packet, frame)
            return .flow(Self.key(packet, direction), Self.wire(packet, gso), Self.marks(packet, direction))
        } catch {
            switch error {
            case .notIP: return .notIP(frameCount)
            case .unparsed(let reason): return .unparsed(reason, frameCount)
            }
        }
    }

    // MARK: Link and network

    private func network(_ frame: [UInt8], isOffloaded: Bool) throws(Refusal) -> Packet {
        var offset = 14
        guard var type = frame.big16(12) else { throw .unparsed(.link) }
        var tags = 0
        while type == 0x8100 || type == 0x88a8 {
            tags += 1
            guard tags <= 2, let next = frame.big16(offset + 2) else { throw .unparsed(.link) }
            type = next
            offset += 4
        }
        switch type {
        case 0x0800: return try ipv4(frame, offset, isOffloaded)
        case 0x86dd: return try ipv6(frame, offset, isOffloaded)
        default: throw .notIP
        }
    }

    private func ipv4(_ frame: [UInt8], _ start: Int, _ isOffloaded: Bool) throws(Refusal) -> Packet {
        guard frame.count >= start + 20, frame[start] >> 4 == 4 else { throw .unparsed(.network) }
        let header = Int(frame[start] & 15) * 4
        let total = isOffloaded ? frame.count - start : Int(frame.big16(start + 2) ?? 0)
        guard header >= 20, total >= header, start + total <= frame.count else { throw .unparsed(.network) }
        var packet = Packet(
            source: Self.ipv4(frame, start + 12),
            destination: Self.ipv4(frame, start + 16),
            proto: frame[start + 9],
            network: start,
            transport: start + header,
            end: start + total
        )
        let word = frame.big16(start + 6) ?? 0
        let (offset, more) = (Int(word & 0x1fff) * 8, word & 0x2000 != 0)
        if offset != 0 || more {
            packet.fragment = (UInt32(frame.big16(start + 4) ?? 0), offset, more)
        }
        return packet
    }

    private func ipv6(_ frame: [UInt8], _ start: Int, _ isOffloaded: Bool) throws(Refusal) -> Packet {
        guard frame.count >= start + 40, frame[start] >> 4 == 6 else { throw .unparsed(.network) }
        let payload = Int(frame.big16(start + 4) ?? 0)
        let end = isOffloaded ? frame.count : start + 40 + payload
        guard end <= frame.count else { throw .unparsed(.network) }
        var packet = Packet(
            source: Self.ipv6(frame, start + 8),
            destination: Self.ipv6(frame, start + 24),
            proto: frame[start + 6],
            network: start,
            transport: start + 40,
            end: end
        )
        if isOffloaded, payload == 0, packet.proto == 0 { packet.offWire = 8 }
        try skipExtensions(&packet, frame)
        return packet
    }

    /// Passes over hop-by-hop, routing, fragment, authentication, and destination options headers.
    ///
    /// Whatever else follows is counted under its number: also the mobility header (RFC 6275), behind which is nothing.
    private func skipExtensions(_ packet: inout Packet, _ frame: [UInt8]) throws(Refusal) {
        var headers = 0
        while [0, 43, 44, 51, 60].contains(packet.proto) {
            headers += 1
            guard headers <= 8, packet.transport + 8 <= packet.end else { throw .unparsed(.extension) }
            let at = packet.transport
            let size =
                switch packet.proto {
                case 44: 8
                case 51: (Int(frame[at + 1]) + 2) * 4
                default: (Int(frame[at + 1]) + 1) * 8
                }
            if packet.proto == 44 {
                let word = frame.big16(at + 2) ?? 0
                let (offset, more) = (Int(word & 0xfff8), word & 1 != 0)
                packet.fragment = offset != 0 || more ? (frame.big32(at + 4) ?? 0, offset, more) : nil
            }
            packet.proto = frame[at]
            packet.transport += size
            guard packet.transport <= packet.end else { throw .unparsed(.extension) }
            // Behind the header of a later fragment lies payload.
            if let fragment = packet.fragment, fragment.offset != 0 { return }
        }
    }

    // MARK: Transport

    private mutating func addTransport(_ packet: inout Packet, _ frame: [UInt8]) throws(Refusal) {
        guard let fragment = packet.fragment else { return try Self.parseTransport(&packet, frame) }
        let identity = FragmentIdentity(
            source: packet.source,
            destination: packet.destination,
            id: fragment.id,
            proto: packet.proto
        )
        if fragment.offset == 0 {
            try Self.parseTransport(&packet, frame)
            fragments[identity] = packet.ports
        } else {
            packet.ports = fragments[identity] ?? Ports()
        }
        // Fragments are not cut into segments.
        packet.headerSize = 0
    }

    private static func parseTransport(_ packet: inout Packet, _ frame: [UInt8]) throws(Refusal) {
        let sizes: [UInt8: Int] = [1: 8, 6: 20, 17: 8, 58: 8, 132: 12]
        guard let size = sizes[packet.proto] else { return }
        let at = packet.transport
        guard at + size <= packet.end else { throw .unparsed(.transport) }
        packet.headerSize = size
        packet.ports = Ports(source: frame.big16(at) ?? 0, destination: frame.big16(at + 2) ?? 0)
        switch packet.proto {
        case 6:
            packet.headerSize = Int(frame[at + 12] >> 4) * 4
            packet.tcpFlags = frame[at + 13]
            let (syn, ack) = (packet.tcpFlags & 2 != 0, packet.tcpFlags & 16 != 0)
            packet.opens = syn && !ack
            packet.accepts = syn && ack
        case 1: icmp(&packet, frame, at, queries: [8: 0, 13: 14, 15: 16, 17: 18])
        case 58: icmp(&packet, frame, at, queries: [128: 129])
        default: break
        }
    }

    /// Queries and their replies belong to one flow, under the query's type and the identifier.
    private static func icmp(_ packet: inout Packet, _ frame: [UInt8], _ at: Int, queries: [UInt8: UInt8]) {
        var type = frame[at]
        packet.opens = queries[type] != nil
        if let query = queries.first(where: { $0.value == type })?.key {
            packet.accepts = true
            type = query
        }
        let id = packet.opens || packet.accepts ? frame.big16(at + 4) ?? 0 : 0
        packet.ports = Ports(source: id, destination: UInt16(type) << 8 | UInt16(frame[at + 1]))
    }

    // MARK: Result

    private static func key(_ packet: Packet, _ direction: Direction) -> FlowKey {
        let isIngress = direction == .ingress
        let keepsPorts = isIngress || packet.proto == 1 || packet.proto == 58
        return FlowKey(
            interfaceIndex: TestRunCounter.loopback,
            near: isIngress ? packet.source : packet.destination,
            far: isIngress ? packet.destination : packet.source,
            nearPort: keepsPorts ? packet.ports.source : packet.ports.destination,
            farPort: keepsPorts ? packet.ports.destination : packet.ports.source,
            proto: IPProtocol(rawValue: packet.proto)
        )
    }

    private static func wire(_ packet: Packet, _ gso: Offload) -> TrafficCounters {
        let length = packet.end - packet.network
        guard gso.size != 0 else { return TrafficCounters(packets: 1, bytes: UInt64(length)) }
        let headers = packet.transport - packet.network + packet.headerSize
        let payload = length - headers
        var segments = Int(gso.segments)
        if segments == 0 {
            segments = payload > 0 ? (payload + Int(gso.size) - 1) / Int(gso.size) : 1
        }
        // Every segment has the headers; the payload is there once.
        let bytes = length - packet.offWire + (segments - 1) * (headers - packet.offWire)
        return TrafficCounters(packets: UInt64(segments), bytes: UInt64(bytes))
    }

    private static func marks(_ packet: Packet, _ direction: Direction) -> FlowMarks {
        let isIngress = direction == .ingress
        var marks = FlowMarks(rawValue: UInt32(packet.tcpFlags) << (isIngress ? 0 : 8))
        if packet.opens { marks.insert(isIngress ? .openedIngress : .openedEgress) }
        if packet.accepts { marks.insert(isIngress ? .acceptedIngress : .acceptedEgress) }
        if !isIngress { marks.insert(.firstEgress) }
        return marks
    }

    private static func ipv4(_ bytes: [UInt8], _ at: Int) -> IPAddress {
        IPAddress(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
    }

    private static func ipv6(_ bytes: [UInt8], _ at: Int) -> IPAddress {
        func half(_ at: Int) -> UInt64 { bytes[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        return IPAddress(ipv6High: half(at), low: half(at + 8))
    }
}

extension [UInt8] {
    /// A number of 16 bits in network order; nil if it is not all there.
    fileprivate func big16(_ at: Int) -> UInt16? {
        at + 2 <= count ? UInt16(self[at]) << 8 | UInt16(self[at + 1]) : nil
    }

    /// A number of 32 bits in network order; nil if it is not all there.
    fileprivate func big32(_ at: Int) -> UInt32? {
        guard let high = big16(at), let low = big16(at + 2) else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }
}
