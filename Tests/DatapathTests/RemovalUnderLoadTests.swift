import CWeir
import FlowModel
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Interfaces that are removed while packets cross them as fast as the machine makes them.
    @Suite("Removal under load")
    struct RemovalUnderLoadTests {
        @Test(arguments: [AttachMode.auto, .clsact])
        func countsAllPacketsOfRemovedInterface(_ mode: AttachMode) throws {
            let namespace = try NetworkNamespace()
            let configuration = DatapathConfiguration(
                interfaces: InterfaceSelection(include: ["a*", "b*"]),
                tableSlots: 4096,
                attachMode: mode
            )
            let monitor = try Monitor(in: namespace, configuration)
            let rounds = 5
            for round in 0..<rounds {
                try namespace.ipBatch([
                    "link add a\(round) type veth peer name b\(round)", "link set a\(round) up",
                    "link set b\(round) up",
                ])
                try monitor.follow()
                let sweep = try FlowSweep(flows: 300, from: LabAddress("10.1.0.3"), to: LabAddress("10.1.0.2"))
                let load = try BackgroundWork {
                    let sender = try FrameSender("a\(round)", in: namespace)
                    // Until the interface is gone.
                    do { while true { try sender.send(sweep, count: 300) } } catch is LabError {}
                }
                // The sweep is under way, and the table was read meanwhile.
                try monitor.settle("b\(round)", ingress: 20_000)
                try namespace.ip("link del a\(round)")
                try load.value()
                let isGone = try eventually {
                    try monitor.follow()
                    return try monitor.perform { $0.watchedCount } == 0
                }
                #expect(isGone)
            }
            try monitor.stop()
            #expect(monitor.accounts.count == 2 * rounds)
            #expect(monitor.accounts.filter { !$0.isBalanced }.isEmpty)
            let entered = monitor.accounts.map(\.ingress)
            #expect(entered.reduce(0) { $0 + $1.seen.packets } >= UInt64(20_000 * rounds))
            let counted = entered.reduce(TrafficCounters.zero) { $0 + $1.flows + $1.overflow + $1.remainder }
            #expect(monitor.handedOn.ingress == counted)
            #expect(monitor.contradictions.isEmpty)
        }
    }
}
