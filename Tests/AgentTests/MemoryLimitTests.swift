import Agent
import Foundation
import Lab
import Testing

/// A pod that floods, the agent's resident memory, and the records of the pod beside it.
///
/// The test does not depend on the speed of the machine: it reads the agent's progress from its records.
@Suite(.serialized, .needsRoot)
struct MemoryLimitTests {
    private static let limit = 160 << 20
    private static let flooded = 400_000
    private static let quiet = 300

    /// Returns a number of `/proc/PID/status`, in bytes.
    private static func memory(_ name: String, of process: ChildProcess) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.id)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("\(name):") })
        let kilobytes = try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) })
        return kilobytes << 10
    }

    /// Sends the flows of both pods in four alternating parts, so that the quiet pod's flows begin while the table is full.
    private static func send(from attacker: NetworkNamespace, and victim: NetworkNamespace) throws {
        let destination = try LabAddress("10.9.9.9")
        let flood = try FlowSweep(flows: flooded, from: try LabAddress("10.1.0.2"), to: destination, port: 9)
        let calm = try FlowSweep(flows: quiet, from: try LabAddress("10.2.0.2"), to: destination, port: 53)
        let floodSender = try FrameSender("eth0", in: attacker)
        let calmSender = try FrameSender("eth0", in: victim)
        for part in 0..<4 {
            try floodSender.send(flood.template, times: flooded / 4) { frame, number in
                flood.change(&frame, part * flooded / 4 + number)
            }
            try calmSender.send(calm.template, times: quiet / 4) { frame, number in
                calm.change(&frame, part * quiet / 4 + number)
            }
        }
    }

    @Test func floodStaysWithinLimitAndOtherPodLosesNothing() throws {
        let folder = try TemporaryFolder()
        let (node, attacker, victim) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
        _ = try VethPair(VethEnd(node, interface: "flood0", addresses: ["10.1.0.1/16"]), VethEnd(attacker))
        _ = try VethPair(VethEnd(node, interface: "quiet0", addresses: ["10.2.0.1/16"]), VethEnd(victim))
        let weir = try WeirRun(
            in: node,
            folder,
            watching: ["flood0", "quiet0"],
            [
                "--workload-interface", "*0", "--memory-limit", "160M", "--aggregation-allowed", "2",
                "--flush-interval", "2s",
            ]
        )
        let idle = try Self.memory("VmRSS", of: weir.process)
        try Self.send(from: attacker, and: victim)
        let isWritten = try eventually(within: .seconds(300)) {
            usleep(200_000)
            let packets = try weir.records().reduce(0) { $0 + $1.outbound.packets }
            return packets >= UInt64(Self.flooded + Self.quiet)
        }
        #expect(isWritten)
        let isGivenBack = try eventually(within: .seconds(60)) {
            try Self.memory("VmRSS", of: weir.process) < idle + (64 << 20)
        }
        let left = try Self.memory("VmRSS", of: weir.process)
        #expect(isGivenBack, "\(left >> 20) MiB, idle \(idle >> 20) MiB")
        #expect(try Self.memory("VmHWM", of: weir.process) < Self.limit)
        let counters = try node.counters(of: "flood0")
        try weir.finish()

        let records = try weir.records()
        let victims = records.filter { $0.destinationPort == 53 }
        #expect(victims.reduce(0) { $0 + $1.flowsStarted } == Self.quiet)
        #expect(victims.reduce(Count()) { $0 + $1.outbound } == Count(300, 300 * 46))
        let flooded = records.filter { $0.destinationPort == 9 || $0.destinationPort == nil && $0.outbound != Count() }
        #expect(flooded.reduce(0) { $0 + $1.outbound.packets } >= UInt64(Self.flooded))
        let report = try weir.report()
        #expect(report.balanced)
        let interface = try #require(report.interfaces.first { $0.name == "flood0" })
        #expect(interface.ingress.skb.packets == counters.receivedPackets)
        #expect(try #require(report.records).unrecorded.transit.packets == 0)
    }
}
