import Agent
import Foundation
import Lab
import Testing

/// A pod that floods, the agent's resident memory, and the records of the pod beside it.
@Suite(.serialized, .needsRoot)
struct MemoryLimitTests {
    private static let limit = 160 << 20

    /// One number of `/proc/PID/status`, in bytes.
    private static func memory(_ name: String, of process: ChildProcess) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.id)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("\(name):") })
        let kilobytes = try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) })
        return kilobytes << 10
    }

    @Test func aFloodStaysWithinTheLimitAndCostsTheOtherPodNothing() throws {
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
        let destination = try LabAddress("10.9.9.9")
        let flood = try FlowSweep(flows: 400_000, from: try LabAddress("10.1.0.2"), to: destination, port: 9)
        let quiet = try FlowSweep(flows: 300, from: try LabAddress("10.2.0.2"), to: destination, port: 53)
        let floodSender = try FrameSender("eth0", in: attacker)
        let quietSender = try FrameSender("eth0", in: victim)
        for part in 0..<4 {
            try floodSender.send(flood.template, times: 100_000) { frame, number in
                flood.change(&frame, part * 100_000 + number)
            }
            try quietSender.send(quiet.template, times: 75) { frame, number in
                quiet.change(&frame, part * 75 + number)
            }
        }
        let isGivenBack = try eventually(within: .seconds(40)) {
            try Self.memory("VmRSS", of: weir.process) < idle + (64 << 20)
        }
        let left = try Self.memory("VmRSS", of: weir.process)
        #expect(isGivenBack, "\(left >> 20) MiB, idle \(idle >> 20) MiB")
        #expect(try Self.memory("VmHWM", of: weir.process) < Self.limit)
        let counters = try node.counters(of: "flood0")
        try weir.finish()

        let records = try weir.records()
        let victims = records.filter { $0.destinationPort == 53 }
        #expect(victims.reduce(0) { $0 + $1.flowsStarted } == 300)
        #expect(victims.reduce(Count()) { $0 + $1.outbound } == Count(300, 300 * 46))
        let flooded = records.filter { $0.destinationPort == 9 || $0.destinationPort == nil && $0.outbound != Count() }
        #expect(flooded.reduce(0) { $0 + $1.outbound.packets } >= 400_000)
        let report = try weir.report()
        #expect(report.balanced)
        let interface = try #require(report.interfaces.first { $0.name == "flood0" })
        #expect(interface.ingress.skb.packets == counters.receivedPackets)
        #expect(try #require(report.records).unrecorded.transit.packets == 0)
    }
}
