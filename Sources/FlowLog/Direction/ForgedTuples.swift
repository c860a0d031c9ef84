import FlowModel

/// Packets that entered this host under an address which does not belong where they came from.
///
/// They are kept so that they are recognized where they leave, and answers to them where these arrive.
///
/// A forwarded packet is a flow of the interface through which it entered and of the one through which it left. At the second
/// one its source is the far end, about which the interface shows nothing. Its answers are flows of the interface behind which
/// the owner of the address is. This type keeps what the first interface showed.
///
/// A tuple is kept for one to two periods; that is longer than connection tracking waits for an answer
/// (`nf_conntrack_tcp_timeout_syn_sent`). Time is the time of the births.
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

        /// The tuple as seen by the interface through which the packets leave.
        var reversed: Tuple {
            // The two numbers of ICMP do not belong to the ends: they keep their places.
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

    /// The tuples of this period; ``older`` has those of the one before.
    private var recent: Set<Tuple> = []
    private var older: Set<Tuple> = []
    /// The periods for which tuples may be missing.
    private var incompletePeriods = 0
    /// The newest birth, and the beginning of the period, CLOCK_MONOTONIC ns.
    private var now: Int64 = 0
    private var start: Int64 = 0

    /// The number of tuples that are kept of a period: a sender that forges addresses forges many.
    static let limit = 16_384
    /// The length of a period, ns.
    static let period: Int64 = 120_000_000_000

    /// Whether there is nothing to recognize.
    var isEmpty: Bool { recent.isEmpty && older.isEmpty }

    /// Whether packets may have entered under others' addresses that are not kept here: there were too many, or they have no
    /// flow.
    var isIncomplete: Bool { incompletePeriods > 0 }

    /// Takes in flows that begin: tuples whose near end has sent under another's address.
    ///
    /// A tuple that its owner uses is removed.
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

    /// Takes in that workloads have sent packets that are counted in no flow.
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

    // MARK: Recognition

    /// Whether the packets of a flow's far end entered under another's address.
    func hasForgedFar(_ key: FlowKey) -> Bool {
        !isEmpty && contains(Tuple(key).reversed)
    }

    /// Whether a flow has the tuple of packets that entered elsewhere under its near end's address.
    func hasForgedNear(_ key: FlowKey) -> Bool {
        !isEmpty && contains(Tuple(key))
    }

    /// Whether packets entered under another's address, as they were before their addresses were translated.
    func contains(_ packets: TrackedConnection.Tuple) -> Bool {
        !isEmpty && contains(Tuple(packets))
    }

    private func contains(_ tuple: Tuple) -> Bool {
        recent.contains(tuple) || older.contains(tuple)
    }
}
