package import FlowModel

/// Learns from the DNS messages of clients by which names they know addresses.
///
/// A name is one that the client asked for itself, and the answer came to it (``PendingQueries``); it holds for that client
/// alone, so a workload cannot name addresses for others.
package final class DomainTracker: DomainResolver {
    /// A question and its answer.
    package struct Lookup: Sendable, Equatable {
        /// The answer, as the client's interface saw it.
        package var packet: DNSPacket
        /// The same, read.
        package var message: DNSMessage
        /// The time between question and answer, ns.
        package var latency: UInt64

        /// The same, for the record of the flow; nil if its flow is not known.
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

    /// The numbers of messages that were seen, and of those that were not used.
    package struct Statistics: Sendable, Equatable {
        /// Answers to questions of the client that got them.
        package var lookups: UInt64 = 0
        /// Answers without a question, or that came too late, or under another's address.
        package var unasked: UInt64 = 0
        /// Messages that are none, or of another form than clients and servers exchange.
        package var malformed: UInt64 = 0
        /// Questions, addresses and names that found no room.
        package var refused: UInt64 = 0
        /// Questions that wait for an answer now.
        package var pending = 0
        /// Pairs of a client and an address whose names are known now.
        package var known = 0
    }

    private var pending = PendingQueries()
    private var known = KnownNames()
    private var counted = Statistics()

    /// Makes an empty one.
    package init() {}

    /// The numbers so far, and the amount that is kept now.
    package var statistics: Statistics {
        var statistics = counted
        statistics.refused = pending.refused + known.refused
        statistics.pending = pending.count
        statistics.known = known.count
        return statistics
    }

    /// Takes in messages in the order in which they crossed interfaces; says which questions are answered.
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

    /// Whether no names are known at all.
    package var isEmpty: Bool { known.count == 0 }

    /// The names that a client asked for and got the address of.
    package func domains(of address: IPAddress, for client: DomainClient) -> [String] {
        known.names(of: address, for: client)
    }

    /// Ends an interval at a time, CLOCK_MONOTONIC ns: names that have expired, and that no flow of it used, are forgotten.
    package func endInterval(now: UInt64) {
        pending.forget(before: now)
        known.endInterval(now: now)
    }
}
