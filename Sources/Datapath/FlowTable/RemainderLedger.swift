import CWeir
import FlowModel

/// Traffic in no flow, by interface, and the part of it that has been reported.
struct RemainderLedger {
    /// Traffic of one interface in no flow, as in ``FlowRemainder``.
    struct Counts: Equatable {
        var ingress = TrafficCounters.zero
        var egress = TrafficCounters.zero
        var deniedIngress = TrafficCounters.zero
        var deniedEgress = TrafficCounters.zero
        var deniedUncounted = TrafficCounters.zero

        /// Adds the packet of a ring record.
        mutating func add(_ event: weir_overflow_event) {
            let wire = TrafficCounters(packets: UInt64(event.packets), bytes: event.bytes)
            let isIngress = event.direction == UInt8(WEIR_INGRESS)
            switch event.kind {
            case WEIR_EVENT_PACKET.rawValue: if isIngress { ingress += wire } else { egress += wire }
            case WEIR_EVENT_DENIED_UNCOUNTED.rawValue: deniedUncounted += wire
            default: if isIngress { deniedIngress += wire } else { deniedEgress += wire }
            }
        }

        /// Returns what was counted since an earlier reading.
        func since(_ earlier: Counts) -> Counts {
            Counts(
                ingress: ingress - earlier.ingress,
                egress: egress - earlier.egress,
                deniedIngress: deniedIngress - earlier.deniedIngress,
                deniedEgress: deniedEgress - earlier.deniedEgress,
                deniedUncounted: deniedUncounted - earlier.deniedUncounted
            )
        }
    }

    /// The counts that have been reported, by interface position.
    private var handedOn: [Int: Counts] = [:]

    /// Takes the growth of the counts of a position; nil if there is none.
    ///
    /// The programs add packets before bytes; a packet may be seen in part, and the rest with the next reading.
    mutating func take(_ counts: Counts, position: Int) -> Counts? {
        let earlier = handedOn[position] ?? Counts()
        guard counts != earlier else { return nil }
        handedOn[position] = counts
        return counts.since(earlier)
    }

    /// Returns the counts of a position that have been reported.
    func handedOn(position: Int) -> Counts { handedOn[position] ?? Counts() }

    /// Continues at a position whose counts up to this have been reported.
    mutating func resume(position: Int, handedOn counts: Counts) { handedOn[position] = counts }

    /// Forgets a position, whose counts begin at 0 again.
    mutating func forget(position: Int) {
        handedOn[position] = nil
    }
}

extension TrafficCounters {
    /// The difference of both numbers; below 0 it wraps.
    static func - (left: TrafficCounters, right: TrafficCounters) -> TrafficCounters {
        TrafficCounters(packets: left.packets &- right.packets, bytes: left.bytes &- right.bytes)
    }

    /// Subtracts both numbers; below 0 they wrap.
    static func -= (left: inout TrafficCounters, right: TrafficCounters) {
        left = left - right
    }
}
