import FlowModel

/// The counts that a frame must have, by a reading of the standards and of the datapath's contract.
///
/// Written for clarity, over plain arrays; shares nothing with the BPF programs.
struct ReferenceParser {
    /// The way in which a frame stands for more than one packet on the wire: segment size and number.
    typealias Offload = (size: UInt32, segments: UInt32)

    /// The fields of first fragments, for the later ones.
    private(set) var fragments: [FragmentIdentity: FirstFragment] = [:]

    /// The fields that fragments of one packet share: with IPv4 the protocol too (RFC 791 section 3.2), with IPv6 not (RFC 8200
    /// section 4.5).
    struct FragmentIdentity: Hashable {
        var source: IPAddress
        var destination: IPAddress
        var id: UInt32
        var proto: UInt8?
    }

    /// The fields of a packet's first fragment, and the place up to which the packet has come, in order.
    struct FirstFragment {
        var proto: UInt8
        var ports: Ports
        var next: Int
        var isWhole = false
        var isContradicted = false
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
        var isIPv4: Bool
        var source: IPAddress
        var destination: IPAddress
        var proto: UInt8
        /// Offsets in the frame.
        var network: Int
        var transport: Int
        var end: Int
        /// Whether the headers are valid up to `transport`.
        var isSound = true
        /// Bytes that are not on the wire: the jumbo option of BIG TCP.
        var offWire = 0
        var fragment: (id: UInt32, offset: Int, more: Bool, size: Int)?
        var ports = Ports()
        var headerSize = 0
        var tcpFlags: UInt8 = 0
        var opens = false
        var accepts = false
    }

    /// Returns the sighting of a frame.
    mutating func sight(_ frame: [UInt8], _ direction: Direction, gso: Offload = (0, 0)) -> Sighting {
        let frameCount = TrafficCounters(packets: 1, bytes: UInt64(frame.count))
        do throws(Refusal) {
            var packet = try network(frame, isOffloaded: gso.size != 0)
            addTransport(&packet, frame)
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
            guard tags <= 8, let next = frame.big16(offset + 2) else { throw .unparsed(.link) }
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
        var total = Int(frame.big16(start + 2) ?? 0)
        // With a length that is invalid, or too large for its field, all bytes behind the link header count.
        if isOffloaded || total < 20 || total > frame.count - start { total = frame.count - start }
        let isSound = header >= 20 && header <= total
        var packet = Packet(
            isIPv4: true,
            source: Self.ipv4(frame, start + 12),
            destination: Self.ipv4(frame, start + 16),
            proto: frame[start + 9],
            network: start,
            transport: start + (isSound ? header : 20),
            end: start + total,
            isSound: isSound
        )
        let word = frame.big16(start + 6) ?? 0
        let (offset, more) = (Int(word & 0x1fff) * 8, word & 0x2000 != 0)
        if offset != 0 || more {
            packet.fragment = (UInt32(frame.big16(start + 4) ?? 0), offset, more, isSound ? total - header : 0)
        }
        return packet
    }

    private func ipv6(_ frame: [UInt8], _ start: Int, _ isOffloaded: Bool) throws(Refusal) -> Packet {
        guard frame.count >= start + 40, frame[start] >> 4 == 6 else { throw .unparsed(.network) }
        let payload = Int(frame.big16(start + 4) ?? 0)
        let isJumbo = payload == 0 && frame[start + 6] == 0
        let end = isOffloaded || isJumbo ? frame.count : min(start + 40 + payload, frame.count)
        var packet = Packet(
            isIPv4: false,
            source: Self.ipv6(frame, start + 8),
            destination: Self.ipv6(frame, start + 24),
            proto: frame[start + 6],
            network: start,
            transport: start + 40,
            end: end
        )
        if isOffloaded && isJumbo { packet.offWire = 8 }
        Self.skipExtensions(&packet, frame)
        return packet
    }

    /// Passes over hop-by-hop, routing, fragment, authentication, and destination options headers: eight of them, and
    /// only what is whole.
    ///
    /// Whatever else follows is counted under its number: also the mobility header (RFC 6275), behind which is nothing.
    private static func skipExtensions(_ packet: inout Packet, _ frame: [UInt8]) {
        for _ in 0..<8 {
            let at = packet.transport
            guard [0, 43, 44, 51, 60].contains(packet.proto), at + 8 <= packet.end else { return }
            let size =
                switch packet.proto {
                case 44: 8
                case 51: (Int(frame[at + 1]) + 2) * 4
                default: (Int(frame[at + 1]) + 1) * 8
                }
            guard at + size <= packet.end else { return }
            if packet.proto == 44 {
                let word = frame.big16(at + 2) ?? 0
                let (offset, more) = (Int(word & 0xfff8), word & 1 != 0)
                let place = (frame.big32(at + 4) ?? 0, offset, more, packet.end - at - 8)
                packet.fragment = offset != 0 || more ? place : nil
            }
            packet.proto = frame[at]
            packet.transport += size
            // Behind the header of a later fragment lies payload.
            if let fragment = packet.fragment, fragment.offset != 0 { return }
        }
    }

    // MARK: Transport

    private mutating func addTransport(_ packet: inout Packet, _ frame: [UInt8]) {
        guard let fragment = packet.fragment else { return Self.parseTransport(&packet, frame) }
        let identity = FragmentIdentity(
            source: packet.source,
            destination: packet.destination,
            id: fragment.id,
            proto: packet.isIPv4 ? packet.proto : nil
        )
        let known = fragments[identity]
        if fragment.offset == 0 {
            Self.parseTransport(&packet, frame)
            if let known, !known.isWhole {
                let isSame = known.ports == packet.ports && known.proto == packet.proto
                if fragment.size >= 8, !isSame { fragments[identity]?.isContradicted = true }
            } else if fragment.size >= 8 {
                fragments[identity] = FirstFragment(proto: packet.proto, ports: packet.ports, next: fragment.size)
            }
        } else if let known {
            if !known.isContradicted { (packet.proto, packet.ports) = (known.proto, known.ports) }
            if fragment.offset == known.next {
                fragments[identity]?.next += fragment.size
                fragments[identity]?.isWhole = !fragment.more
            }
        }
        // Fragments are not cut into segments.
        packet.headerSize = 0
    }

    /// Reads the part of the transport header that is in the packet.
    private static func parseTransport(_ packet: inout Packet, _ frame: [UInt8]) {
        let sizes: [UInt8: Int] = [1: 8, 6: 20, 17: 8, 58: 8, 132: 12]
        guard let size = sizes[packet.proto], packet.isSound else { return }
        let header = Array(frame[packet.transport..<packet.end])
        packet.headerSize = min(size, header.count)
        switch packet.proto {
        case 1: icmp(&packet, header, queries: [8: 0, 13: 14, 15: 16, 17: 18])
        case 58: icmp(&packet, header, queries: [128: 129])
        default:
            guard let source = header.big16(0), let destination = header.big16(2) else { return }
            packet.ports = Ports(source: source, destination: destination)
        }
        guard packet.proto == 6, header.count >= 14 else { return }
        packet.headerSize = Int(header[12] >> 4) * 4
        packet.tcpFlags = header[13]
        let (syn, ack) = (packet.tcpFlags & 2 != 0, packet.tcpFlags & 16 != 0)
        packet.opens = syn && !ack
        packet.accepts = syn && ack
    }

    /// Queries and their replies belong to one flow, under the query's type and the identifier.
    private static func icmp(_ packet: inout Packet, _ header: [UInt8], queries: [UInt8: UInt8]) {
        guard header.count >= 2 else { return }
        var type = header[0]
        packet.opens = queries[type] != nil
        if let query = queries.first(where: { $0.value == type })?.key {
            packet.accepts = true
            type = query
        }
        let id = packet.opens || packet.accepts ? header.big16(4) ?? 0 : 0
        packet.ports = Ports(source: id, destination: UInt16(type) << 8 | UInt16(header[1]))
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
        segments = min(segments, length / 8 + 128)
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
