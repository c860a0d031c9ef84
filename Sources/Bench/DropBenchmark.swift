import CWeir
import Datapath
import FlowModel
import Glibc

/// Measures the cost of the program that counts drops for each packet that the kernel drops.
///
/// The kernel measures the program (BPF_ENABLE_STATS) while packets are really dropped: they enter a network namespace of the
/// benchmark through a tun device, and the reverse path filter drops them. The time of an empty program at the same tracepoint,
/// including the kernel's clock, is subtracted. The baseline is the whole cost of such a packet, from the write to its drop,
/// while nothing is attached.
package enum DropBenchmark {
    private static let packets = 100_000
    private static let rounds = 7

    /// Measures reasons that are ignored, interfaces that are not watched, and a denied flow.
    ///
    /// - Throws: a `DatapathError` if the kernel has no drop reasons, or if programs cannot be loaded.
    package static func run(report: (Measurement) -> Void) throws {
        guard case .available(let reasons) = DropReasons.read() else {
            throw DatapathError.unsupportedKernel(feature: "reasons for drops", since: "5.17", advice: "")
        }
        let flood = try Flood()
        let packet = try fastest(of: rounds) { try flood.send(packets) } / Double(packets)
        // This kernel has no such reason, so that every drop is ignored.
        let none = DropReasons(names: [0: "NETFILTER_DROP"])
        for (name, reasons, isWatched) in [
            ("ignored-reason", none, true), ("unwatched-interface", reasons, false), ("denied-flow", reasons, true),
        ] {
            report(
                Measurement(
                    "drops/\(name)",
                    unit: "ns/packet",
                    value: try programTime(reasons, isWatched: isWatched, flood),
                    baseline: packet,
                    against: "the packet's whole way to its drop, without a program"
                )
            )
        }
    }

    /// Mean time of one run of the program above an empty one, the fastest of several rounds, ns.
    private static func programTime(_ reasons: DropReasons, isWatched: Bool, _ flood: borrowing Flood) throws -> Double
    {
        let bench = try KernelPrograms(.bench, tableSlots: Int(WEIR_MIN_SLOTS), ringBytes: 4096)
        let empty = try bench.program("bench_empty_drop")
        let link = bpf_raw_tracepoint_open(nil, empty)
        guard link >= 0 else {
            throw DatapathError.system(operation: "attach an empty program", errno: -link, advice: "")
        }
        defer { close(link) }
        let programs = try KernelPrograms(.flows, tableSlots: 1 << 16, ringBytes: 4096, drops: reasons)
        let interfaces = try programs.interfaces()
        let counter = try programs.dropCounter()
        try counter?.begin()
        let tun = Link(index: flood.ifindex, name: "tun0", type: UInt16(ARPHRD_NONE), flags: 0)
        if isWatched, let position = interfaces.add(tun) { counter?.watch(tun.index, position: position) }
        let drop = try programs.program("weir_drop")

        let statistics = bpf_enable_stats(BPF_STATS_RUN_TIME)
        guard statistics >= 0 else {
            throw DatapathError.system(operation: "enable BPF statistics", errno: -statistics, advice: "")
        }
        defer { close(statistics) }
        var best = Double.infinity
        for _ in 0..<rounds {
            let before = (RunTime(of: drop), RunTime(of: empty))
            try flood.send(packets)
            let mean = RunTime(of: drop).mean(since: before.0) - RunTime(of: empty).mean(since: before.1)
            best = min(best, mean)
        }
        // The two clocks that are subtracted differ by some nanoseconds from round to round.
        return max(0, best)
    }

    /// The kernel's measurement of a program.
    private struct RunTime {
        var nanoseconds: UInt64
        var runs: UInt64

        init(of program: Int32) {
            var info = bpf_prog_info()
            var size = UInt32(MemoryLayout<bpf_prog_info>.size)
            _ = bpf_obj_get_info_by_fd(program, &info, &size)
            (nanoseconds, runs) = (info.run_time_ns, info.run_cnt)
        }

        func mean(since earlier: RunTime) -> Double {
            Double(nanoseconds - earlier.nanoseconds) / Double(max(1, runs - earlier.runs))
        }
    }
}

/// Packets that enter a network namespace through a tun device, and that its reverse path filter drops.
///
/// The calling thread is in the namespace as long as this exists.
private struct Flood: ~Copyable {
    let ifindex: UInt32
    private let home: Int32
    private let device: Int32

    /// 10.1.2.3:1000 to 255.255.255.255:2000, UDP with 22 bytes of payload: no route leads back to the sender.
    private static let packet: [UInt8] =
        [0x45, 0, 0, 50, 0, 0, 0, 0, 64, 17, 0x6e, 0xb5, 10, 1, 2, 3, 255, 255, 255, 255]
        + [0x03, 0xe8, 0x07, 0xd0, 0, 30, 0, 0] + [UInt8](repeating: 0, count: 22)

    init() throws(DatapathError) {
        let home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        var result = weir_netns_unshare()
        let device = result < 0 ? result : weir_netns_tun("tun0")
        if device >= 0 { result = weir_netns_set_up("tun0") }
        guard home >= 0, device >= 0, result >= 0, Self.filter("all"), Self.filter("tun0") else {
            if home >= 0 {
                _ = weir_netns_enter(home)
                close(home)
            }
            throw .system(operation: "make a network namespace with a tun device", errno: errno, advice: "run as root")
        }
        self.home = home
        self.device = device
        ifindex = if_nametoindex("tun0")
    }

    deinit {
        _ = weir_netns_enter(home)
        close(home)
        close(device)
    }

    /// Enables the reverse path filter.
    private static func filter(_ interface: String) -> Bool {
        let file = open("/proc/sys/net/ipv4/conf/\(interface)/rp_filter", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return false }
        defer { close(file) }
        return write(file, "1", 1) == 1
    }

    /// Sends packets; each is dropped before this returns.
    func send(_ packets: Int) throws {
        for _ in 0..<packets {
            guard write(device, Self.packet, Self.packet.count) == Self.packet.count else {
                throw DatapathError.system(operation: "send through a tun device", errno: errno, advice: "")
            }
        }
    }
}
