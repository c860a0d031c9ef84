import CWeir
import Datapath
import Glibc

/// What a packet costs in the kernel: the flow counter beside a plain BPF hash-map counter of the same packets, both
/// above an empty program, by BPF_PROG_TEST_RUN.
public enum DatapathBenchmark {
    private static let slots = 1 << 18
    private static let newFlows: Int32 = 50_000
    private static let rounds = 7

    /// Measures established flows, new flows and full windows.
    ///
    /// - Throws: a `DatapathError` when the programs cannot be loaded.
    public static func run(report: (Measurement) -> Void) throws {
        try establishedFlow(report)
        try manyFlows(report)
        try newFlow(report)
        try fullWindow(report)
    }

    // MARK: Cases

    private static func establishedFlow(_ report: (Measurement) -> Void) throws {
        let bench = try Programs(slots: slots)
        let times: Int32 = 1_000_000
        let best = try bench.interleaved(
            ["bench_empty", "bench_flows", "bench_hash", "bench_hash_clock"],
            times: times
        )
        let above = best.map { $0 - best[0] }
        report(
            Measurement(
                "datapath/established-flow",
                unit: "ns/packet",
                value: above[1],
                baseline: above[3],
                against: "BPF hash map, atomics, last-seen time (bpf_ktime_get_ns)"
            )
        )
        report(
            Measurement(
                "datapath/established-flow-no-clock",
                unit: "ns/packet",
                value: above[1],
                baseline: above[2],
                against: "BPF hash map, atomics, no time"
            )
        )
    }

    private static func manyFlows(_ report: (Measurement) -> Void) throws {
        let bench = try Programs(slots: slots, rotationMask: 0xffff)
        let best = try bench.interleaved(
            ["bench_rotate_empty", "bench_rotate_flows", "bench_rotate_hash_clock"],
            times: 1 << 18
        )
        report(
            Measurement(
                "datapath/65536-established-flows",
                unit: "ns/packet",
                value: best[1] - best[0],
                baseline: best[2] - best[0],
                against: "BPF hash map, atomics, last-seen time"
            )
        )
    }

    private static func newFlow(_ report: (Measurement) -> Void) throws {
        var best = [Double](repeating: .infinity, count: 3)
        for _ in 0..<rounds {
            // Fresh maps for each round: a flow is new only once.
            let bench = try Programs(slots: slots)
            for (index, name) in ["bench_rotate_empty", "bench_rotate_flows", "bench_rotate_hash"].enumerated() {
                best[index] = min(best[index], try bench.time(name, times: newFlows))
            }
        }
        report(
            Measurement(
                "datapath/new-flow",
                unit: "ns/packet",
                value: best[1] - best[0],
                baseline: best[2] - best[0],
                against: "BPF hash map, insert"
            )
        )
    }

    /// All windows full: every packet of another flow goes through the ring; the hash map's insert fails.
    private static func fullWindow(_ report: (Measurement) -> Void) throws {
        var best = [Double](repeating: .infinity, count: 3)
        for _ in 0..<rounds {
            let bench = try Programs(slots: Int(WEIR_MIN_SLOTS), hashEntries: UInt32(WEIR_MIN_SLOTS))
            for name in ["bench_rotate_flows", "bench_rotate_hash"] {
                _ = try bench.time(name, times: 20_000)
            }
            for (index, name) in ["bench_rotate_empty", "bench_rotate_flows", "bench_rotate_hash"].enumerated() {
                best[index] = min(best[index], try bench.time(name, times: newFlows))
            }
        }
        report(
            Measurement(
                "datapath/full-window",
                unit: "ns/packet",
                value: best[1] - best[0],
                baseline: best[2] - best[0],
                against: "full BPF hash map, insert fails, packet not counted"
            )
        )
    }
}

/// The benchmark's programs with maps of their own.
private struct Programs: ~Copyable {
    private let programs: KernelPrograms
    private let interfaces: InterfaceTable

    /// 64 bytes of Ethernet, IPv4 and TCP: 10.0.0.1:40000 to 10.0.0.2:443, ACK.
    private static let frame: [UInt8] =
        [0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 0x08, 0x00]
        + [0x45, 0, 0, 50, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
        + [0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]
        + [UInt8](repeating: 0, count: 10)

    private static let loopback: UInt32 = 1

    init(slots: Int, hashEntries: UInt32 = 1 << 18, rotationMask: UInt32 = .max) throws {
        let programs = try KernelPrograms(.bench, tableSlots: slots, ringBytes: 64 << 20) {
            object throws(DatapathError) in
            try object.setEntries(hashEntries, of: "hash_counters")
            try object.setConstant(rotationMask, named: "rotation_mask")
        }
        let interfaces = try programs.interfaces()
        _ = interfaces.add(Link(index: Self.loopback, name: "lo", type: UInt16(ARPHRD_ETHER), flags: 0))
        self.programs = programs
        self.interfaces = interfaces
    }

    /// Mean time of one run, ns, of one measurement.
    func time(_ name: String, times: Int32) throws -> Double {
        let program = try programs.program(name)
        return Double(
            try ProgramTestRun.run(program, frame: Self.frame, ifindex: Self.loopback, times: times).nanoseconds
        )
    }

    /// The fastest mean of each program, measured in turn.
    func interleaved(_ names: [String], times: Int32) throws -> [Double] {
        var best = [Double](repeating: .infinity, count: names.count)
        for _ in 0..<7 {
            for (index, name) in names.enumerated() {
                best[index] = min(best[index], try time(name, times: times))
            }
        }
        return best
    }
}
