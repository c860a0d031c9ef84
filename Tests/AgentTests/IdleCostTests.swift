import Foundation
import Lab
import Testing

/// The cost of a run on an idle node.
@Suite(.needsRoot)
struct IdleCostTests {
    /// The most resident memory in KiB; a program that is not optimized has more code, of which 11 MiB are the HTTP server's.
    private static var memoryBudget: Int {
        #if DEBUG
        56 << 10
        #else
        48 << 10
        #endif
    }

    @Test func idleRunStaysWithinBudgets() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let weir = try WeirRun(in: cable.node, folder)
        // The run returns memory that only its start needed.
        let isOver = try eventually {
            try memory("VmHWM", of: weir.process) - memory("VmRSS", of: weir.process) > 4 << 10
        }
        let (start, used) = (ContinuousClock.now, try cpuTime(of: weir.process))
        // A measurement over three seconds of doing nothing.
        usleep(3_000_000)
        let elapsed = start.duration(to: .now) / .seconds(1)
        let share = (try cpuTime(of: weir.process) - used) / elapsed
        let resident = try memory("VmRSS", of: weir.process)
        print("idle: \(share * 100) % of a core, \(resident) KiB resident")

        // Budgets of a node agent; the share is loose, because the program may be a debug build on a busy machine.
        #expect(isOver && resident <= Self.memoryBudget)
        #expect(share <= 0.05)
        try weir.finish()
    }

    /// Seconds of CPU that a process used, user and system (proc(5), /proc/pid/stat).
    private func cpuTime(of process: ChildProcess) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(process.id)/stat", encoding: .utf8)
        // The second field is the name in parentheses, which may hold spaces; utime and stime are the 14th and 15th.
        let fields = try #require(text.split(separator: ")").last).split(separator: " ")
        let ticks = try #require(Double(fields[11])) + #require(Double(fields[12]))
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Returns a number of `/proc/PID/status`, in KiB.
    private func memory(_ name: String, of process: ChildProcess) throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(process.id)/status", encoding: .utf8)
        let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name):") })
        return try #require(Int(line.filter(\.isNumber)))
    }
}
