import CWeir
import Glibc

/// The number and the duration of the runs of one of the programs, as the kernel measured them.
public struct ProgramTime: Sendable, Equatable {
    /// The program's name.
    public var name: String
    /// The number of runs while the kernel measured.
    public var runs: UInt64
    /// The duration of all of these, ns.
    public var nanoseconds: UInt64

    /// Takes all members.
    public init(name: String, runs: UInt64, nanoseconds: UInt64) {
        self.name = name
        self.runs = runs
        self.nanoseconds = nanoseconds
    }
}

extension Datapath {
    /// Run times of the programs for packets and drops since they were loaded, measured by the kernel.
    ///
    /// It measures while any process has a ``ProgramTiming``, or while `kernel.bpf_stats_enabled` is 1.
    public var programTimes: [ProgramTime] {
        var times: [ProgramTime] = []
        for name in ["weir_ingress", "weir_egress"] {
            guard let program = try? programs.program(name) else { continue }
            if let time = ProgramTime(name, of: program) { times.append(time) }
        }
        if let program = drops?.runningProgram, let time = ProgramTime("weir_drop", of: program) { times.append(time) }
        return times
    }
}

extension ProgramTime {
    fileprivate init?(_ name: String, of program: Int32) {
        guard let info = Self.info(of: program) else { return nil }
        self.init(name: name, runs: info.run_cnt, nanoseconds: info.run_time_ns)
    }

    /// The events for which the kernel did not run a program, because the program was already running on their CPU
    /// (`recursion_misses`).
    static func misses(of program: Int32) -> UInt64 { info(of: program)?.recursion_misses ?? 0 }

    private static func info(of program: Int32) -> bpf_prog_info? {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        return unsafe bpf_obj_get_info_by_fd(program, &info, &size) == 0 ? info : nil
    }
}

/// Lets the kernel measure the run time of every BPF program of the machine, as long as this exists.
///
/// A packet costs two more readings of a clock for each program that it passes.
public final class ProgramTiming: Sendable {
    private let descriptor: Int32

    /// Begins to measure.
    ///
    /// - Throws: if the kernel refuses; it requires `CAP_SYS_ADMIN`.
    public init() throws(DatapathError) {
        descriptor = bpf_enable_stats(BPF_STATS_RUN_TIME)
        guard descriptor >= 0 else {
            throw .system(
                operation: "measure the time of BPF programs",
                errno: -descriptor,
                advice: "this needs CAP_SYS_ADMIN at the start; or run sysctl kernel.bpf_stats_enabled=1 for a while"
            )
        }
    }

    deinit {
        close(descriptor)
    }
}
