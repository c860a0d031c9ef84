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
            dnsConnections = try? Conntrack()
        } catch {
            onNotice(.dnsUnavailable(reason: "\(error)"))
        }
    }

    /// Whether DNS messages are read.
    public var readsDNS: Bool { dns != nil }

    /// A message that waits for a scan, with its payload.
    struct WaitingMessage {
        fileprivate let message: weir_dns_message
        fileprivate let payload: [UInt8]
    }

    /// The maximum number of messages that wait for a scan; later messages stay in the ring until the next scan.
    private static let dnsLimit = 1 << 14

    /// A descriptor that becomes readable when ``drainDNS()`` has work.
    ///
    /// It is -1 if DNS is not read, or if the limit is reached until the next scan.
    public var dnsDescriptor: Int32 {
        guard let dns, dnsMessages.count < Self.dnsLimit else { return -1 }
        return dns.descriptor
    }

    /// Takes DNS messages before they fill the ring.
    public func drainDNS() {
        guard let dns, dnsMessages.count < Self.dnsLimit else { return }
        unsafe dns.drain(positions: positions) { message, payload in
            dnsMessages.append(WaitingMessage(message: message, payload: unsafe [UInt8](payload)))
            return dnsMessages.count < Self.dnsLimit
        }
    }

    /// Emits the DNS messages so far.
    func emitDNS(_ emit: (FlowBatch) -> Void) {
        drainDNS()
        guard !dnsMessages.isEmpty else { return }
        var messages: [WaitingMessage] = []
        swap(&messages, &dnsMessages)
        var batch = FlowBatch()
        batch.dns = packets(of: messages)
        if !batch.dns.isEmpty { emit(batch) }
    }

    /// The packets of messages whose clients are behind the interfaces.
    private func packets(of messages: [WaitingMessage]) -> [DNSPacket] {
        let places = positionsByIndex
        var packets: [DNSPacket] = []
        var translated: [TranslatedAnswer] = []
        for waiting in messages {
            let message = waiting.message
            guard let place = places[message.ifindex],
                var packet = DNSPacket(waiting, isWorkload: roles[place] == .workload),
                // The host's interfaces also pass forwarded messages, whose client is not the host.
                !packet.isHost || ownAddresses.contains(packet.client)
            else { continue }
            if packet.isResponse {
                let slot = weir_flow_slot(message, isEgress: Int32(message.direction) == WEIR_EGRESS, position: place)
                packet.flowID = table.slotIndex(of: slot).map { UInt32($0) }
                if let sender = places[message.arrival], roles[sender] == .workload {
                    if isAsSent(message, sender) {
                        packet.isForged = isForeign(packet.server, sender)
                    } else {
                        translated.append(TranslatedAnswer(number: packets.count, sender: sender))
                    }
                }
            }
            packets.append(packet)
        }
        examine(translated, in: &packets)
        return packets
    }

    /// An answer whose addresses were translated after a workload of this host sent it, such as a service's answer.
    private struct TranslatedAnswer {
        /// The index of the answer in the messages.
        let number: Int
        /// The position of the workload's interface.
        let sender: Int
    }

    /// Whether a message had the same addresses at its sender's interface as at the client's.
    private func isAsSent(_ message: weir_dns_message, _ sender: Int) -> Bool {
        table.slotIndex(of: weir_flow_slot(message, isEgress: false, position: sender)) != nil
    }

    /// Whether an address does not belong to the workload behind the interface at a position.
    private func isForeign(_ address: IPAddress, _ position: Int) -> Bool {
        switch place(ofWorkload: address, seenAt: indices[position]) {
        case .behind, .unknown: false
        case .elsewhere, .notBehind: true
        }
    }

    /// Marks translated answers as forged if connection tracking had sent the question to another workload.
    private func examine(_ answers: [TranslatedAnswer], in packets: inout [DNSPacket]) {
        guard !answers.isEmpty, let dnsConnections else { return }
        let connections = dnsConnections.connections(of: answers.map { packets[$0.number].questionTuple })
        for (answer, connection) in zip(answers, connections) {
            guard let server = connection?.reply.source else { continue }
            packets[answer.number].isForged = isForeign(server, answer.sender)
        }
    }
}

extension DNSPacket {
    /// Creates a packet from a record of the ring; nil if the client is not behind the interface.
    fileprivate init?(_ waiting: Datapath.WaitingMessage, isWorkload: Bool) {
        let message = waiting.message
        let isResponse = (Int32(message.direction) == WEIR_EGRESS) == isWorkload
        let isIPv4 = message.version == 4
        let source = IPAddress(message.source, isIPv4: isIPv4)
        let destination = IPAddress(message.destination, isIPv4: isIPv4)
        let serverPort = isResponse ? message.source_port : message.destination_port
        guard UInt16(bigEndian: serverPort) == UInt16(WEIR_DNS_PORT) else { return nil }
        self.init(
            interfaceIndex: message.ifindex,
            isHost: !isWorkload,
            client: isResponse ? destination : source,
            clientPort: UInt16(bigEndian: isResponse ? message.destination_port : message.source_port),
            server: isResponse ? source : destination,
            isResponse: isResponse,
            time: message.time,
            bytes: waiting.payload
        )
    }
}

extension DNSPacket {
    /// The addresses and ports of the question as sent by the client.
    fileprivate var questionTuple: TrackedConnection.Tuple {
        TrackedConnection.Tuple(
            source: client,
            destination: server,
            sourcePort: clientPort,
            destinationPort: UInt16(WEIR_DNS_PORT),
            proto: .udp
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
    /// Creates the key of the flow of a message.
    fileprivate init(_ message: weir_dns_message, isEgress: Bool, position: Int) {
        let source: End = (message.source, message.source_port)
        let destination: End = (message.destination, message.destination_port)
        let (near, far) = isEgress ? (destination, source) : (source, destination)
        let ipv4 = message.version == 4 ? (near: near.address.0, far: far.address.0) : nil
        self.init(near: near, far: far, ipv4: ipv4, proto: .udp, position: position)
    }
}
