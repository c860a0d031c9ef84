import Agent
import Foundation
import Lab
import Testing

/// A program that does not run for a while, as when its node is out of memory or CPU time: the kernel counts on.
@Suite(.serialized, .needsRoot)
struct StoppedAgentTests {
    private static let flows = 2_000

    @Test func suspendedAgentLosesNothing() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let weir = try WeirRun(in: cable.node, folder, ["--poll-interval", "100ms", "--table-slots", "16384"])
        let wire = try WireCounters(in: cable.node)
        let sender = try FrameSender("eth0", in: cable.peer)
        let sweep = try FlowSweep(
            flows: Self.flows,
            from: try LabAddress("10.1.0.2"),
            to: try LabAddress("10.1.0.1")
        )
        // Half of the flows begin before the suspension, the others during it.
        try sender.send(sweep, count: Self.flows / 2)
        weir.process.signal(SIGSTOP)
        #expect(eventually { weir.process.state == "T" })
        for _ in 0..<300 { try sender.send(sweep, count: Self.flows) }
        #expect(weir.process.state == "T")
        weir.process.signal(SIGCONT)
        try sender.send(sweep, count: Self.flows)
        try cable.waitUntilQuiet()
        try weir.finish()

        let received = RecordSums(try weir.records()).received.filter { $0.key.proto == "udp" }
        let expected = try wire.flows().filter { $0.key.proto == "udp" }
        let different = expected.keys.filter { received[$0] != expected[$0] }
        #expect(different.isEmpty && received.count == expected.count, "\(different.prefix(3))")
        #expect(received.count == Self.flows)
        #expect(try weir.report().balanced)
    }
}

extension ChildProcess {
    /// The state of the process in /proc: `T` is stopped.
    fileprivate var state: Character? {
        let text = (try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)) ?? ""
        // Behind the name, which is in parentheses and may hold anything.
        return text.lastIndex(of: ")").flatMap { text[$0...].dropFirst(2).first }
    }
}
