import CWeir
import Datapath
import Glibc

/// Measures the cost of a packet in the kernel: the flow counter compared with plain BPF hash-map counters for the same
/// packets.
///
/// Most cases run the programs repeatedly on one packet (BPF_PROG_TEST_RUN) and subtract the time of an empty program. The
/// programs take turns in many short chunks, and the fastest chunk counts. In the cases with many flows each packet is of
/// another flow, in random order. See ``DatapathContention`` for two CPUs and ``DatapathCable`` for packets that are really
/// sent.
package struct DatapathBenchmark {
    /// The text that the names of the cases to run contain; nil runs all.
    package var filter: String?
    /// Whether to run fewer and shorter rounds without the largest tables, which takes a minute instead of several.
    package var isQuick: Bool

    /// Takes all members.
    package init(filter: String? = nil, isQuick: Bool = false) {
        self.filter = filter
        self.isQuick = isQuick
    }

    /// Slots of the table of new flows.
    private static let newFlowSlots = 1 << 17
    private static let newFlows: Int32 = 40_000
    /// A number of flows that no case exceeds in a round.
    private static let manyFlows = 1 << 22

    /// Measures, and reports each case when it is complete.
    ///
    /// - Throws: a `DatapathError` if programs cannot be loaded, a `LabError` if namespaces cannot be created.
    package func run(report: (Measurement) -> Void) throws {
        for frame in [DatapathFrame.ipv4, .ipv6] {
            try runIfChosen("\(frame.name)-1-flow") { try oneFlow($0, frame, report) }
            try runIfChosen("\(frame.name)-super-packet") { try superPacket($0, frame, report) }
            for flows in isQuick ? [1 << 16] : [1 << 16, 1 << 20] {
                try runIfChosen("\(frame.name)-\(flows)-flows") { try knownFlows($0, flows, frame, report) }
            }
            try runIfChosen("\(frame.name)-new-flow") { try newFlow($0, frame, report) }
        }
        try runIfChosen("handshake") { try handshake($0, report) }
        try runIfChosen("dns") { try DatapathCollected.dns($0, rounds: rounds, report) }
        try runIfChosen("tcp-statistics") { try DatapathCollected.statistics($0, rounds: rounds, report) }
        try runIfChosen("owners") { try DatapathCollected.owners($0, rounds: rounds, report) }
        try runIfChosen("full-window") { try fullWindow($0, report) }
        try runIfChosen("two-cpus-one-flow") { try DatapathContention.run($0, rounds: isQuick ? 11 : 41, report) }
        for traffic in DatapathCable.Traffic.allCases {
            try runIfChosen("veth-\(traffic)") { try DatapathCable.run($0, traffic, rounds: isQuick ? 5 : 25, report) }
        }
    }

    private func runIfChosen(_ name: String, _ measure: (String) throws -> Void) rethrows {
        guard let filter, !name.contains(filter) else { return try measure("datapath/\(name)") }
    }

    private var rounds: Int { isQuick ? 20 : 100 }

    /// Rounds and runs of a packet of one known flow, whose chunks are so short that some run without an interruption.
    private static let shortChunk: Int32 = 4000
    private var shortRounds: Int { 20 * rounds }

    // MARK: Cases

    private func oneFlow(_ name: String, _ frame: DatapathFrame, _ report: (Measurement) -> Void) throws {
        let bench = try DatapathPrograms(flows: 1, slots: Int(WEIR_MIN_SLOTS))
        let best = try bench.above(
            [.flows, .hash, .hashLong, .hashClock],
            frame,
            times: Self.shortChunk,
            rounds: shortRounds
        )
        report(.packet(name, best[0], best[1], "BPF hash map, atomics, same parser"))
        report(.packet("\(name)-long", best[0], best[2], "the same with the long parser only"))
        report(.packet("\(name)-clock", best[0], best[3], "the same as the first, and bpf_ktime_get_ns"))
    }

    /// A TCP super-packet of two segments.
    private func superPacket(_ name: String, _ frame: DatapathFrame, _ report: (Measurement) -> Void) throws {
        let bench = try DatapathPrograms(flows: 1, slots: Int(WEIR_MIN_SLOTS))
        let best = try bench.above(
            [.flows, .hash, .hashLong],
            frame.superPacket,
            times: Self.shortChunk,
            rounds: shortRounds
        )
        report(.packet(name, best[0], best[1], "BPF hash map, atomics, same parser"))
        report(.packet("\(name)-long", best[0], best[2], "the same with the long parser only"))
    }

    private func knownFlows(
        _ name: String,
        _ flows: Int,
        _ frame: DatapathFrame,
        _ report: (Measurement) -> Void
    ) throws {
        let bench = try DatapathPrograms(flows: flows, slots: 2 * flows)
        // Every flow begins before the measurement.
        for program in [DatapathPrograms.Program.flows, .hash] {
            _ = try bench.time(program, frame, times: Int32(flows))
        }
        let best = try bench.above([.flows, .hash], frame, times: 1 << 14, rounds: rounds)
        report(.packet(name, best[0], best[1], "BPF hash map, atomics, same parser"))
    }

    private func newFlow(_ name: String, _ frame: DatapathFrame, _ report: (Measurement) -> Void) throws {
        var best = [Double](repeating: .infinity, count: 3)
        for _ in 0..<rounds / 7 {
            // Each round has new maps, because a flow is new only once.
            let bench = try DatapathPrograms(flows: Self.manyFlows, slots: Self.newFlowSlots)
            for (index, program) in [DatapathPrograms.Program.empty, .flows, .hash].enumerated() {
                best[index] = min(best[index], try bench.time(program, frame, times: Self.newFlows))
            }
        }
        report(.packet(name, best[1] - best[0], best[2] - best[0], "BPF hash map, insert"))
    }

    /// Measures the cost of timing handshakes: an established flow's packet, and a flow's first packet.
    private func handshake(_ name: String, _ report: (Measurement) -> Void) throws {
        let without = try DatapathPrograms(flows: 1, slots: Int(WEIR_MIN_SLOTS))
        let with = try DatapathPrograms(flows: 1, slots: Int(WEIR_MIN_SLOTS), timesHandshakes: true)
        var known = (with: Double.infinity, without: Double.infinity)
        for _ in 0..<rounds {
            known.without = min(known.without, try without.above([.flows], .ipv4, times: 20_000, rounds: 1)[0])
            known.with = min(known.with, try with.above([.flows], .ipv4, times: 20_000, rounds: 1)[0])
        }
        report(.packet("\(name)-known-flow", known.with, known.without, "handshakes not timed"))
        var new = (with: Double.infinity, without: Double.infinity)
        for _ in 0..<rounds / 7 {
            let without = try DatapathPrograms(flows: Self.manyFlows, slots: Self.newFlowSlots)
            let with = try DatapathPrograms(flows: Self.manyFlows, slots: Self.newFlowSlots, timesHandshakes: true)
            new.without = min(new.without, try without.above([.flows], .opening, times: Self.newFlows, rounds: 1)[0])
            new.with = min(new.with, try with.above([.flows], .opening, times: Self.newFlows, rounds: 1)[0])
        }
        report(.packet("\(name)-new-flow", new.with, new.without, "handshakes not timed"))
    }

    /// All windows are full: every packet is of another flow and goes through the ring; the hash map's insert fails.
    private func fullWindow(_ name: String, _ report: (Measurement) -> Void) throws {
        var best = [Double](repeating: .infinity, count: 3)
        for _ in 0..<7 {
            let bench = try DatapathPrograms(flows: Self.manyFlows, slots: Int(WEIR_MIN_SLOTS))
            for program in [DatapathPrograms.Program.flows, .hash] {
                _ = try bench.time(program, .ipv4, times: 20_000)
            }
            for (index, program) in [DatapathPrograms.Program.empty, .flows, .hash].enumerated() {
                best[index] = min(best[index], try bench.time(program, .ipv4, times: Self.newFlows))
            }
        }
        let against = "full BPF hash map, insert fails, packet not counted"
        report(.packet(name, best[1] - best[0], best[2] - best[0], against))
    }
}

extension Measurement {
    /// A time of a packet, ns.
    static func packet(_ name: String, _ value: Double, _ baseline: Double, _ against: String) -> Measurement {
        Measurement(name, unit: "ns/packet", value: value, baseline: baseline, against: against)
    }
}
