import Datapath
import FlowModel
import Server
import Synchronization

/// Writes the counts of the datapath.
///
/// A node may have 1,024 interfaces, and a cluster a thousand nodes. Parts of an interface's account and denied packets that
/// are still 0 are therefore left out.
struct KernelMetrics: MetricsSource {
    let board: RunBoard
    private let labels = InterfaceLabels()

    init(board: RunBoard) {
        self.board = board
    }

    /// A count of each interface and direction: its metric, its labels, and its value in an account.
    private struct Count: Sendable {
        let ingress: MetricLabels
        let egress: MetricLabels
        /// Whether it is left out where it is 0.
        let isRare: Bool
        /// A closure and not a key path, for speed: there are tens of thousands of samples.
        let value: @Sendable (borrowing DirectionAccount) -> TrafficCounters

        init(
            part: String? = nil,
            isRare: Bool = false,
            _ value: @escaping @Sendable (borrowing DirectionAccount) -> TrafficCounters
        ) {
            if let part {
                ingress = MetricLabels(["direction": "ingress", "part": part])
                egress = MetricLabels(["direction": "egress", "part": part])
            } else {
                ingress = MetricLabels(["direction": "ingress"])
                egress = MetricLabels(["direction": "egress"])
            }
            self.isRare = isRare
            self.value = value
        }
    }

    private static let counts: [(name: String, help: String, counts: [Count])] = [
        (
            "weir_datapath_seen", "Seen by the programs: IP packets on the wire, and frames of what is not IP",
            [Count { $0.seen }]
        ),
        (
            "weir_datapath_skb", "The same as the kernel carries it, one for each skb, link header included",
            [Count { $0.skb }]
        ),
        ("weir_datapath_gap", "Carried while another program had removed Weir's; in no record", [Count { $0.gap }]),
        (
            "weir_datapath_denied", "Dropped by decision, or what was to leave and never did",
            [Count(isRare: true) { $0.denied.seen }]
        ),
        (
            "weir_account", "Where what was seen was counted",
            [
                Count(part: "flows") { $0.flows }, Count(part: "overflow", isRare: true) { $0.overflow },
                Count(part: "remainder", isRare: true) { $0.remainder },
                Count(part: "not_ip", isRare: true) { $0.notIP },
                Count(part: "unparsed", isRare: true) { $0.unparsed },
            ]
        ),
    ]

    func write(to writer: inout MetricsWriter) {
        let kernel = board.kernel
        let accounts = kernel.reading.accounts
        let labels = labels.labels(of: accounts)
        for (name, help, counts) in Self.counts {
            for isBytes in [false, true] {
                let unit = isBytes ? "bytes" : "packets"
                writer.family("\(name)_\(unit)", .counter, "\(help); \(unit).")
                Self.write(accounts, labels, counts, isBytes: isBytes, to: &writer)
            }
        }
        writeTotals(kernel, to: &writer)
        writeTable(kernel, to: &writer)
        writeDrops(kernel, to: &writer)
    }

    private static func write(
        _ accounts: [InterfaceAccount],
        _ labels: [MetricLabels],
        _ counts: [Count],
        isBytes: Bool,
        to writer: inout MetricsWriter
    ) {
        // An account has half a kilobyte: it is not copied.
        accounts.withUnsafeBufferPointer { accounts in
            for place in accounts.indices {
                for count in counts {
                    let ingress = count.value(accounts[place].ingress)
                    if !count.isRare || ingress != .zero {
                        writer.sample(labels[place], count.ingress, isBytes ? ingress.bytes : ingress.packets)
                    }
                    let egress = count.value(accounts[place].egress)
                    if !count.isRare || egress != .zero {
                        writer.sample(labels[place], count.egress, isBytes ? egress.bytes : egress.packets)
                    }
                }
            }
        }
    }

    private func writeTotals(_ kernel: RunBoard.Kernel, to writer: inout MetricsWriter) {
        writer.family(
            "weir_account_unaccounted_packets",
            .gauge,
            "Packets that no part of the account explains: 0, or Weir is wrong."
        )
        writer.sample(.none, kernel.reading.unaccounted)
        writer.family(
            "weir_account_in_flight_packets",
            .gauge,
            "Packets that were counted in the kernel after the last scan."
        )
        writer.sample(.none, kernel.reading.inFlight)
        writer.family("weir_datapath_interfaces", .gauge, "Interfaces that are watched, by what is behind them.")
        for role in [InterfaceRole.host, .workload] {
            let count = kernel.reading.watched.count { $0.role == role }
            writer.sample(MetricLabels(["role": role.name]), UInt64(count))
        }
        writer.family(
            "weir_datapath_reattachments",
            .counter,
            "Interfaces from which another program removed Weir's, which are back."
        )
        writer.sample(.none, kernel.reattachments)
        var reasons = UnparsedReasons()
        reasons.add(kernel.reading.gone)
        kernel.reading.watched.withUnsafeBufferPointer { accounts in
            for place in accounts.indices { reasons.add(accounts[place]) }
        }
        writer.family(
            "weir_datapath_unparsed_frames",
            .counter,
            "Frames without a readable IP header, by which header is at fault."
        )
        for (name, value) in [
            ("link", reasons.link), ("network", reasons.network), ("extension", reasons.extension),
            ("transport", reasons.transport),
        ] {
            writer.sample(MetricLabels(["header": name]), value)
        }
    }

    private func writeTable(_ kernel: RunBoard.Kernel, to writer: inout MetricsWriter) {
        let gauges: [(String, String, Int)] = [
            ("weir_table_flows", "Flows in the flow table after the last scan.", kernel.reading.liveFlows),
            ("weir_table_slots", "Slots of the flow table.", kernel.reading.slots),
            ("weir_overflow_flows", "Flows that are counted outside of the table.", kernel.reading.overflowFlows),
        ]
        for (name, help, value) in gauges {
            writer.family(name, .gauge, help)
            writer.sample(.none, UInt64(value))
        }
        writer.family("weir_ring_events", .counter, "Packets that found no slot and went through the ring.")
        writer.sample(.none, kernel.reading.ringEvents)
        writer.family("weir_ring_peak_ratio", .gauge, "The largest part of the ring that was in use, since the start.")
        writer.sample(.none, kernel.reading.ringPeak)
        writer.family(
            "weir_overflow_folded_flows",
            .counter,
            "Flows outside of the table that made room for another interface's."
        )
        writer.sample(.none, kernel.reading.losses.foldedFlows)
        writer.family("weir_datapath_scan_duration_seconds", .histogram, "How long it took to read the flow table.")
        writer.sample(.none, kernel.scans)
    }

    private func writeDrops(_ kernel: RunBoard.Kernel, to writer: inout MetricsWriter) {
        writer.family("weir_datapath_drops_seen", .gauge, "1 if the kernel reports dropped packets with a reason.")
        writer.sample(.none, UInt64(kernel.countsDrops ? 1 : 0))
        writer.family("weir_datapath_dropped_packets", .counter, "Packets that the kernel dropped, by its reason.")
        guard !kernel.drops.isEmpty else { return }
        let present = Set(kernel.reading.watched.map(\.name))
        var sums: [String: [String: (packets: UInt64, isDecision: Bool)]] = [:]
        for drop in kernel.drops {
            let interface = present.contains(drop.interface) ? drop.interface : kernel.reading.gone.name
            let former = sums[interface]?[drop.reason.name]?.packets ?? 0
            sums[interface, default: [:]][drop.reason.name] = (former + drop.packets, drop.reason.isDecision)
        }
        for (interface, reasons) in sums.sorted(by: { $0.key < $1.key }) {
            for (reason, value) in reasons.sorted(by: { $0.key < $1.key }) {
                let meaning = value.isDecision ? "denied" : "failure"
                writer.sample(
                    MetricLabels(["interface": interface, "reason": reason, "meaning": meaning]),
                    value.packets
                )
            }
        }
    }
}

extension UnparsedReasons {
    /// Adds the counts of both directions of an interface.
    fileprivate mutating func add(_ account: borrowing InterfaceAccount) {
        add(account.ingress.unparsedReasons)
        add(account.egress.unparsedReasons)
    }

    private mutating func add(_ other: UnparsedReasons) {
        link += other.link
        network += other.network
        `extension` += other.extension
        transport += other.transport
    }
}

/// The labels of interfaces, made once for each name.
private final class InterfaceLabels: Sendable {
    private let known = Mutex<[String: MetricLabels]>([:])

    /// Returns the labels of accounts, in their order, and removes labels of other accounts.
    func labels(of accounts: [InterfaceAccount]) -> [MetricLabels] {
        known.withLock { known in
            let labels = accounts.map { account in
                if let labels = known[account.name] { return labels }
                let made = MetricLabels(["interface": account.name])
                known[account.name] = made
                return made
            }
            // Interfaces appear and disappear, each with its own name.
            if known.count > 2 * accounts.count + 64 {
                known = Dictionary(zip(accounts.map(\.name), labels)) { first, _ in first }
            }
            return labels
        }
    }
}
