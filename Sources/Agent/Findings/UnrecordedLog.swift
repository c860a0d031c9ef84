import FlowLog
import FlowModel
import Logging

/// Warns when a considerable part of the traffic is in no record: at once, then at growing intervals.
///
/// Of this traffic, only the part without a local end depends on the options of the run.
struct UnrecordedLog {
    /// Pauses grow from a minute to a day, ns.
    private static let shortestPause: Int64 = 60_000_000_000
    private static let longestPause: Int64 = 24 * 60 * shortestPause
    /// The log warns only above this number of packets in an interval and above one part in a hundred.
    ///
    /// Where most traffic is in no record, a fifth of these packets is enough.
    private static let fewPackets: UInt64 = 100
    private static let smallPart: UInt64 = 100

    private let logger: Logger
    private let hint: String
    /// The totals at the end of the last interval.
    private var former = TrafficCounters.zero
    /// The unlogged traffic since the last line.
    private var unlogged = TrafficCounters.zero
    private var next = Int64.min
    private var pause = UnrecordedLog.shortestPause

    /// Writes to a logger.
    ///
    /// - Parameters:
    ///   - logger: for the warnings.
    ///   - hasInventory: whether there is a source of owners of addresses.
    init(_ logger: Logger, hasInventory: Bool) {
        self.logger = logger
        hint =
            hasInventory
            ? "watch the interfaces of the workloads too (--interface), name them (--workload-interface), or check --host"
            : "name the interfaces behind which the workloads are (--workload-interface), or provide the owners of the addresses "
                + "(--inventory, --kubernetes)"
    }

    /// Examines an interval.
    ///
    /// - Parameters:
    ///   - unrecorded: the traffic in no record, since the beginning.
    ///   - recorded: the traffic in the interval's records.
    ///   - now: CLOCK_MONOTONIC, ns.
    mutating func note(_ unrecorded: UnrecordedTraffic, recorded: TrafficCounters, now: Int64 = Clock.monotonic) {
        let packets = unrecorded.transit.packets - former.packets
        unlogged += TrafficCounters(packets: packets, bytes: unrecorded.transit.bytes - former.bytes)
        former = unrecorded.transit
        let all = packets + recorded.packets
        let isMuch = packets > Self.fewPackets && packets > all / Self.smallPart
        guard isMuch || packets > Self.fewPackets / 5 && packets > all / 2, now >= next else { return }
        logger.warning(
            "traffic is in no record: neither end is known to be this host or one of its workloads; \(hint)",
            metadata: [
                "packets": "\(unlogged.packets)",
                "bytes": "\(unlogged.bytes)",
                "percent_of_interval": "\(packets * 100 / all)",
            ]
        )
        unlogged = .zero
        next = now + pause
        pause = min(pause * 2, Self.longestPause)
    }
}
