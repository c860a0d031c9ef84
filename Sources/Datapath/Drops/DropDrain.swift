import CWeir
import FlowModel

/// Drops of one flow, taken out of the table or added up from the ring, that are not reported yet.
struct PendingDrops {
    fileprivate var counted = TrafficCounters.zero
    fileprivate var egress = TrafficCounters.zero
    fileprivate var uncounted = TrafficCounters.zero
    private var failures: (ingress: UInt64, egress: UInt64) = (0, 0)
    private var decision: UInt16 = 0
    private var failureReason: UInt16 = 0
    private var destination: FlowDrop.Destination?

    /// Creates an empty drain.
    init() {}

    /// Takes the drops that were taken out of a slot.
    init(_ taken: weir_drop_slot) {
        counted = TrafficCounters(packets: UInt64(taken.packets.0), bytes: taken.bytes.0)
        egress = TrafficCounters(packets: UInt64(taken.packets.1), bytes: taken.bytes.1)
        uncounted = TrafficCounters(packets: UInt64(taken.packets.2), bytes: taken.bytes.2)
        failures = (UInt64(taken.failures.0), UInt64(taken.failures.1))
        decision = UInt16(taken.decision)
        failureReason = UInt16(taken.failure_reason)
        if taken.destination_port != 0 {
            destination = FlowDrop.Destination(
                address: IPAddress(word0: taken.destination.0, word1: taken.destination.1),
                port: taken.destination_port
            )
        }
    }

    /// Adds a denied packet that came through the ring.
    mutating func add(_ event: weir_overflow_event) {
        let wire = TrafficCounters(packets: UInt64(event.packets), bytes: event.bytes)
        if event.direction == UInt8(WEIR_EGRESS) {
            egress += wire
        } else if event.kind == WEIR_EVENT_DENIED_UNCOUNTED.rawValue {
            uncounted += wire
        } else {
            counted += wire
        }
        decision = event.reason
    }

    /// Whether there is nothing to report.
    var isEmpty: Bool {
        counted == .zero && egress == .zero && uncounted == .zero && failures == (0, 0)
    }

    /// The denied traffic in each direction.
    var denied: (ingress: TrafficCounters, egress: TrafficCounters) { (counted + uncounted, egress) }

    /// Appends the report of a flow; two reports if only a part of its ingress was counted before.
    ///
    /// `later` is the traffic that entered since the flow's counters were read.
    func report(
        _ flowID: UInt32,
        reasons: [DropReason?],
        later: TrafficCounters = .zero,
        in drops: inout [FlowDrop]
    ) {
        func reason(_ number: UInt16) -> DropReason? {
            reasons.indices.contains(Int(number)) ? reasons[Int(number)] : nil
        }
        if counted != .zero || egress != .zero || failures != (0, 0) {
            drops.append(
                FlowDrop(
                    flowID: flowID,
                    deniedIngress: counted,
                    deniedEgress: egress,
                    later: later,
                    destination: destination,
                    decision: counted != .zero || egress != .zero ? reason(decision) : nil,
                    failures: failures,
                    failureReason: failures == (0, 0) ? nil : reason(failureReason)
                )
            )
        }
        if uncounted != .zero {
            drops.append(
                FlowDrop(
                    flowID: flowID,
                    deniedIngress: uncounted,
                    isIngressCounted: false,
                    decision: reason(decision)
                )
            )
        }
    }
}

extension RemainderLedger.Counts {
    /// Adds the denied packets of a flow that is no longer counted individually.
    mutating func add(_ drops: PendingDrops) {
        deniedIngress += drops.counted
        deniedEgress += drops.egress
        deniedUncounted += drops.uncounted
    }
}
