import FlowModel

/// Tuples of packets that entered this host with a source address that does not belong behind their interface.
///
/// The tuples identify the packets where they leave, and their answers where these arrive.
///
/// A forwarded packet belongs to two flows: one of the interface through which it entered, and one of the interface through
/// which it left. At the second interface its source is the far end, and the kernel does not show where that came from. Answers
/// belong to flows of the interface of the address's owner. This type keeps the result from the first interface.
///
/// A tuple is kept for one to two periods; that is longer than connection tracking waits for an answer
/// (`nf_conntrack_tcp_timeout_syn_sent`). The time is that of the newest flow.
struct ForgedTuples {
    /// A flow without its interface, as seen by the interface through which its packets entered.
    private struct Tuple: Hashable {
        let near: IPAddress
        let far: IPAddress
        let nearPort: UInt16
        let farPort: UInt16
        let proto: IPProtocol

        init(_ key: FlowKey) {
            (near, far, nearPort, farPort, proto) = (key.near, key.far, key.nearPort, key.farPort, key.proto)
        }

        init(_ packets: TrackedConnection.Tuple) {
            (near, far, proto) = (packets.source, packets.destination, packets.proto)
            (nearPort, farPort) = (packets.sourcePort, packets.destinationPort)
        }

        /// The same tuple as seen by the interface through which the packets leave.
        var reversed: Tuple {
            // The identifier, and the type and code, of ICMP do not belong to the ends: they keep their places.
            let ports = proto.isICMP ? (nearPort, farPort) : (farPort, nearPort)
            return Tuple(
                TrackedConnection.Tuple(
                    source: far,
                    destination: near,
                    sourcePort: ports.0,
                    destinationPort: ports.1,
                    proto: proto
                )
            )
        }
    }

    /// The tuples of this period; ``older`` has those of the previous one.
    private var recent: Set<Tuple> = []
    private var older: Set<Tuple> = []
    /// The number of periods for which tuples may be missing.
    private var incompletePeriods = 0
    /// The begin time of the newest flow, and the beginning of the period, CLOCK_MONOTONIC ns.
    private var now: Int64 = 0
    private var start: Int64 = 0

    /// The maximum number of tuples of a period: a sender can forge any number of addresses.
    static let limit = 16_384
    /// The length of a period, ns.
    static let period: Int64 = 120_000_000_000

    /// Whether there are no tuples.
    var isEmpty: Bool { recent.isEmpty && older.isEmpty }

    /// Whether tuples may be missing, because there were too many or because the packets have no flow.
    var isIncomplete: Bool { incompletePeriods > 0 }

    /// Adds the tuples of flows that begin with a forged source address at their near end.
    ///
    /// Removes a tuple if the owner of the address uses it.
    mutating func note(_ births: borrowing [FlowBirth]) {
        for index in births.indices { now = max(now, births[index].began) }
        endPeriod()
        for index in births.indices where births[index].marks.hasEntered {
            switch births[index].nearPlace {
            case .unknown: break
            case .behind: if !isEmpty { forget(Tuple(births[index].key)) }
            case .elsewhere: insert(Tuple(births[index].key))
            case .notBehind: if births[index].role == .workload { insert(Tuple(births[index].key)) }
            }
        }
    }

    /// Notes packets of workloads that are counted in no flow.
    mutating func note(_ remainders: borrowing [FlowRemainder]) {
        for index in remainders.indices
        where remainders[index].role == .workload && remainders[index].ingress.packets > 0 {
            incompletePeriods = 2
        }
    }

    private mutating func insert(_ tuple: Tuple) {
        if recent.count >= Self.limit {
            older = recent
            recent.removeAll(keepingCapacity: true)
            incompletePeriods = 2
        }
        recent.insert(tuple)
    }

    private mutating func forget(_ tuple: Tuple) {
        recent.remove(tuple)
        older.remove(tuple)
    }

    private mutating func endPeriod() {
        if isEmpty, !isIncomplete { start = now }
        while now - start >= Self.period, !isEmpty || isIncomplete {
            start += Self.period
            (older, recent) = (recent, [])
            incompletePeriods = max(0, incompletePeriods - 1)
        }
    }

    // MARK: - Recognition

    /// Whether the packets of a flow's far end entered with a forged source address.
    func hasForgedFar(_ key: FlowKey) -> Bool {
        !isEmpty && contains(Tuple(key).reversed)
    }

    /// Whether a flow has the tuple of packets that entered elsewhere with its near end's address.
    func hasForgedNear(_ key: FlowKey) -> Bool {
        !isEmpty && contains(Tuple(key))
    }

    /// Whether packets with a tuple, as they were before address translation, entered with a forged source address.
    func contains(_ packets: TrackedConnection.Tuple) -> Bool {
        !isEmpty && contains(Tuple(packets))
    }

    private func contains(_ tuple: Tuple) -> Bool {
        recent.contains(tuple) || older.contains(tuple)
    }
}
