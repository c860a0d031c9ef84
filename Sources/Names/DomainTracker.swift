package import FlowModel

/// Records, from the DNS messages of clients, the names that each client looked up for an address.
///
/// A name counts only if the client sent the query and received the response (``PendingQueries``). It is valid for that
/// client alone, so a workload cannot name addresses for others.
package final class DomainTracker: DomainResolver {
    /// A query and its response.
    package struct Lookup: Sendable, Equatable {
        /// The response packet at the client's interface.
        package var packet: DNSPacket
        /// The parsed message of the packet.
        package var message: DNSMessage
        /// The time between query and response, in ns.
        package var latency: UInt64

        /// The lookup in the form for the record of its flow; nil if the flow is unknown.
        package var ofFlow: FlowLookup? {
            guard let flowID = packet.flowID else { return nil }
            return FlowLookup(
                flowID: flowID,
                isNear: !packet.isHost,
                clientPort: packet.clientPort,
                latency: UInt32(clamping: max(1, latency / 1000))
            )
        }
    }

    /// Counts of the messages, and of the state that is kept.
    package struct Statistics: Sendable, Equatable {
        /// Responses that match a query of the receiving client.
        package var lookups: UInt64 = 0
        /// Responses without a query, too late, or with a forged address.
        package var unasked: UInt64 = 0
        /// Messages that are malformed, or whose direction does not match their packet.
        package var malformed: UInt64 = 0
        /// Queries, addresses and names that exceed a limit.
        package var refused: UInt64 = 0
        /// Queries that wait for a response now.
        package var pending = 0
        /// Pairs of client and address that have names now.
        package var known = 0
    }

    private var pending = PendingQueries()
    private var known = KnownNames()
    private var counted = Statistics()

    /// Creates a tracker without names.
    package init() {}

    /// The counts so far, and the present size of the state.
    package var statistics: Statistics {
        var statistics = counted
        statistics.refused = pending.refused + known.refused
        statistics.pending = pending.count
        statistics.known = known.count
        return statistics
    }

    /// Processes messages in the order in which they passed the interfaces, and calls `answered` with each lookup.
    package func process(_ packets: [DNSPacket], answered: (Lookup) -> Void = { _ in }) {
        for packet in packets { process(packet, answered) }
    }

    private func process(_ packet: DNSPacket, _ answered: (Lookup) -> Void) {
        guard let message = DNSMessage(packet.bytes), message.isResponse == packet.isResponse else {
            counted.malformed += 1
            return
        }
        guard message.isResponse else { return pending.ask(packet, message) }
        guard !packet.isForged, let latency = pending.answer(packet, message) else {
            counted.unasked += 1
            return
        }
        counted.lookups += 1
        for (address, ttl) in message.addresses where !message.question.name.isEmpty {
            known.learn(
                message.question.name,
                of: address,
                for: packet.domainClient,
                ttl: ttl,
                now: packet.time
            )
        }
        answered(Lookup(packet: packet, message: message, latency: latency))
    }

    /// Whether there are no names.
    package var isEmpty: Bool { known.count == 0 }

    /// The names that a client looked up and whose response contained the address.
    package func domains(of address: IPAddress, for client: DomainClient) -> [String] {
        known.names(of: address, for: client)
    }

    /// Forgets the clients behind interfaces that are gone; another client may get the index of one.
    ///
    /// Their names stay until the interval ends, for the records of their flows, or until another client gets a name.
    package func forget(interfaces: [UInt32]) {
        pending.forget(interfaces: Set(interfaces))
        known.forget(Set(interfaces.map { .workload(interface: $0) }))
    }

    /// Ends an interval at a time in CLOCK_MONOTONIC ns: removes expired names that no flow of the interval used.
    package func endInterval(now: UInt64) {
        pending.forget(before: now)
        known.endInterval(now: now)
    }
}
