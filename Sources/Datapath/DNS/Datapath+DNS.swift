import CWeir
import FlowModel

/// DNS messages of the clients behind the interfaces.
extension Datapath {
    /// Begins to read DNS messages if that is configured; if it is not possible, sends a notice with the reason.
    func readDNS() {
        guard collects.contains(.dns), dns == nil else { return }
        if let reason = dnsUnavailable {
            dnsUnavailable = nil
            return onNotice(.dnsUnavailable(reason: reason))
        }
        do throws(DatapathError) {
            let reader = try DNSReader(beside: programs)
            reader.divide(among: positions)
            dns = reader
        } catch {
            onNotice(.dnsUnavailable(reason: "\(error)"))
        }
    }

    /// Whether DNS messages are read.
    public var readsDNS: Bool { dns != nil }

    /// The most messages that wait for a scan; later ones stay in the ring until there was one.
    private static let dnsLimit = 1 << 14

    /// A descriptor that becomes readable when ``drainDNS()`` has work; -1 if there is none, or no room before a scan.
    public var dnsDescriptor: Int32 {
        guard let dns, dnsPackets.count < Self.dnsLimit else { return -1 }
        return dns.descriptor
    }

    /// Takes DNS messages before they fill the ring.
    public func drainDNS() {
        guard let dns, dnsPackets.count < Self.dnsLimit else { return }
        let places = positionsByIndex
        unsafe dns.drain(positions: positions) { message, payload in
            guard let place = places[message.ifindex] else { return true }
            let isWorkload = roles[place] == .workload
            var packet = unsafe DNSPacket(message, payload, isWorkload: isWorkload)
            if packet?.isResponse == true {
                let slot = weir_flow_slot(message, isEgress: Int32(message.direction) == WEIR_EGRESS, position: place)
                packet?.flowID = table.slotIndex(of: slot).map { UInt32($0) }
                if let place = places[message.arrival], isForged(message, place) { packet?.isForged = true }
            }
            // Messages that the host forwards cross its interfaces, too.
            if let packet, isWorkload || ownAddresses.contains(packet.client) { dnsPackets.append(packet) }
            return dnsPackets.count < Self.dnsLimit
        }
    }

    /// Whether a workload of this host has sent a message from an address that is not its own.
    ///
    /// A message that was not translated has the same flow key on the sender's interface as at the client. A response of a
    /// service was translated in between, so it matches no flow there.
    private func isForged(_ message: weir_dns_message, _ place: Int) -> Bool {
        guard roles[place] == .workload else { return false }
        let slot = weir_flow_slot(message, isEgress: false, position: place)
        guard table.slotIndex(of: slot) != nil else { return false }
        let source = IPAddress(message.source, isIPv4: message.version == 4)
        switch self.place(ofWorkload: source, seenAt: indices[place]) {
        case .behind, .unknown: return false
        case .elsewhere, .notBehind: return true
        }
    }

    /// Emits the DNS messages so far.
    func emitDNS(_ emit: (FlowBatch) -> Void) {
        drainDNS()
        guard !dnsPackets.isEmpty else { return }
        var batch = FlowBatch()
        swap(&batch.dns, &dnsPackets)
        emit(batch)
    }
}

extension DNSPacket {
    /// Takes a record of the ring; nil if the client is on the wrong side.
    @unsafe
    fileprivate init?(_ message: weir_dns_message, _ payload: UnsafeRawBufferPointer, isWorkload: Bool) {
        let isResponse = (Int32(message.direction) == WEIR_EGRESS) == isWorkload
        let isIPv4 = message.version == 4
        let source = IPAddress(message.source, isIPv4: isIPv4)
        let destination = IPAddress(message.destination, isIPv4: isIPv4)
        let serverPort = isResponse ? message.source_port : message.destination_port
        guard UInt16(bigEndian: serverPort) == UInt16(WEIR_DNS_PORT) else { return nil }
        unsafe self.init(
            interfaceIndex: message.ifindex,
            isHost: !isWorkload,
            client: isResponse ? destination : source,
            clientPort: UInt16(bigEndian: isResponse ? message.destination_port : message.source_port),
            server: isResponse ? source : destination,
            isResponse: isResponse,
            time: message.time,
            bytes: [UInt8](payload)
        )
    }
}

extension IPAddress {
    fileprivate init(_ words: (UInt32, UInt32, UInt32, UInt32), isIPv4: Bool) {
        if isIPv4 {
            self.init(ipv4: UInt32(bigEndian: words.0))
        } else {
            self.init(
                ipv6Word0: UInt64(words.0) | UInt64(words.1) << 32,
                word1: UInt64(words.2) | UInt64(words.3) << 32
            )
        }
    }
}

extension weir_flow_slot {
    /// The key of the flow that a message is in.
    fileprivate init(_ message: weir_dns_message, isEgress: Bool, position: Int) {
        let source: End = (message.source, message.source_port)
        let destination: End = (message.destination, message.destination_port)
        let (near, far) = isEgress ? (destination, source) : (source, destination)
        let ipv4 = message.version == 4 ? (near: near.address.0, far: far.address.0) : nil
        self.init(near: near, far: far, ipv4: ipv4, proto: .udp, position: position)
    }
}
