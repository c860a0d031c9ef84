import CWeir
import Datapath
import Lab
import Synchronization

/// Two CPUs that count packets of one flow and one direction at the same time.
///
/// The result is the median of many rounds: the fastest would be a round in which the two did not run at the same time.
enum DatapathContention {
    private static let times: Int32 = 100_000

    /// Measures if there are two CPUs; each value is the mean of both.
    static func run(_ name: String, rounds: Int, _ report: (Measurement) -> Void) throws {
        let cpus = usableCPUs().prefix(2)
        guard cpus.count == 2 else { return }
        let bench = try DatapathPrograms(flows: 1, slots: 1024)
        let programs = try [DatapathPrograms.Program.empty, .flows, .hash].map { try bench.descriptor($0) }
        var times = [[Double]](repeating: [], count: programs.count)
        for _ in 0..<rounds {
            for (index, program) in programs.enumerated() {
                times[index].append(try together(program, Array(cpus)))
            }
        }
        let median = times.map { $0.sorted()[$0.count / 2] }
        report(
            .packet(name, median[1] - median[0], median[2] - median[0], "BPF hash map, atomics, same parser; medians")
        )
    }

    /// Mean time of a run, ns, while each CPU runs the program.
    private static func together(_ program: Int32, _ cpus: [Int32]) throws -> Double {
        let ready = Ready()
        let work = try cpus.map { cpu in
            try BackgroundWork {
                _ = weir_cpu_stay(cpu)
                ready.count.wrappingAdd(1, ordering: .relaxed)
                while ready.count.load(ordering: .relaxed) < 2 {}
                return try ProgramTestRun.run(program, frame: DatapathFrame.ipv4.bytes, times: times).nanoseconds
            }
        }
        return try work.reduce(0) { $0 + Double(try $1.value()) } / Double(cpus.count)
    }

    private final class Ready: Sendable {
        let count = Atomic(0)
    }

    /// The CPUs that this thread may run on.
    private static func usableCPUs() -> [Int32] {
        (0..<max(0, weir_possible_cpus())).filter { weir_cpu_is_allowed($0) }
    }
}
