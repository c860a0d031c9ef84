import CWeir
import FlowModel
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// A flood of one workload takes no room from the others.
    @Suite("Shares")
    struct ShareTests {
        /// A pod sends more tuples than fit anywhere, and meanwhile another one opens some hundred flows.
        @Test func floodDoesNotDisplaceOtherFlows() throws {
            var configuration = DatapathConfiguration(tableSlots: 1 << 14, ringBytes: 1 << 20)
            configuration.overflowFlows = 1 << 14
            let lab = try DropLab(configuration)
            let flood = try BackgroundWork { [namespace = lab.a.namespace, to = lab.network.nodeIPv4] in
                let sweep = try FlowSweep(flows: 1_000_000, from: LabAddress("10.200.0.1"), to: to)
                return try FrameSender("eth0", in: namespace).send(sweep, count: 1_000_000).messages
            }
            // Until the flood has filled the table.
            #expect(
                try eventually {
                    try lab.monitor.scan()
                    return try lab.monitor.account(of: "calia").ingress.remainder != .zero
                }
            )
            let sender = try FrameSender("eth0", in: lab.b.namespace)
            for port in 1...300 as ClosedRange<UInt16> {
                let packet = Packet.udp(from: lab.b.ipv4, port: 1000 + port, to: lab.network.nodeIPv4, port: 9)
                for _ in 0..<3 { try sender.send(Packet.ethernet(payload: packet)) }
                if port % 50 == 0 { try lab.monitor.scan() }
            }
            #expect(try flood.value() == 1_000_000)
            let sent = try lab.a.namespace.counters(of: "eth0").sentPackets
            try lab.monitor.settle("calia", ingress: sent)
            try lab.monitor.settle("calib", ingress: 900)
            try lab.monitor.stop()
            for name in ["calia", "calib"] { #expect(try lab.monitor.account(of: name).isBalanced) }
            let (attacker, victim) = try (lab.monitor.account(of: "calia"), lab.monitor.account(of: "calib"))
            // The victim: every flow by itself.
            #expect(victim.ingress.remainder == .zero)
            let flows = lab.monitor.flows.filter { $0.key.interfaceIndex == victim.index && $0.key.proto == .udp }
            #expect(flows.count == 300)
            #expect(flows.values.allSatisfy { $0.ingress == TrafficCounters(packets: 3, bytes: 84) })
            // The attacker: what has no room is reported, to the packet and to the byte.
            #expect(attacker.ingress.remainder.packets > 500_000)
            let reported = try #require(lab.monitor.remainders[attacker.index])
            #expect(reported.ingress == attacker.ingress.remainder)
            let inFlows = lab.monitor.flows.filter { $0.key.interfaceIndex == attacker.index }
                .values.reduce(TrafficCounters.zero) { $0 + $1.ingress }
            let rest = attacker.ingress.notIP + attacker.ingress.unparsed
            #expect(inFlows + reported.ingress + rest == attacker.ingress.seen)
            #expect(lab.monitor.contradictions.isEmpty)
        }

        /// Claims beyond the limit are refused, but not those of an interface below its share.
        @Test func reservesShareOfInterface() throws {
            let counter = try TestRunCounter.fresh()
            var port: UInt16 = 1
            func fill() throws {
                for _ in 0..<2000 {
                    try counter.run(Frame.inIPv4(Frame.ipv4(17, Frame.udp(from: port))))
                    port += 1
                }
            }
            try fill()
            let limit = SharePlan.slotLimit(slots: counter.table.slots.count)
            #expect(counter.table.shares.usedSlots == limit)
            counter.interfaces.shares.set(position: counter.position, slots: limit + 20, ring: 0)
            try fill()
            #expect(counter.table.shares.usedSlots == limit + 20)
            #expect(counter.usedSlots.count == limit + 20)
            // Freed slots can be claimed at once.
            #expect(try counter.scan(ending: true).ends.count == limit + 20)
            #expect(counter.table.shares.usedSlots == 0)
            try fill()
            #expect(counter.table.shares.usedSlots == limit + 20)
        }
    }
}

/// Room outside of the table is shared like the table.
@Suite("Overflow flows")
struct OverflowFlowsTests {
    private static func key(_ interface: UInt32, _ port: UInt16) -> FlowKey {
        FlowKey(
            interfaceIndex: interface,
            near: IPAddress(10, 0, 0, 1),
            far: IPAddress(10, 0, 0, 2),
            nearPort: port,
            farPort: 9,
            proto: .udp
        )
    }

    @Test func quietInterfaceTakesRoomFromLargest() {
        var flows = OverflowFlows(capacity: 1000)
        var folded: [UInt16] = []
        func add(_ interface: UInt32, _ port: UInt16) -> Int? {
            flows.add(Self.key(interface, port), position: Int(interface)) { _, flow in
                folded.append(flow.key.nearPort)
                #expect(flow.key.interfaceIndex == 1)
            }
        }
        let taken = (1...2000 as ClosedRange<UInt16>).filter { add(1, $0) != nil }
        #expect(taken == Array(1...1000))
        #expect(folded.isEmpty)
        for port in 1...300 as ClosedRange<UInt16> { #expect(add(2, port) != nil) }
        // The newest flows were removed first.
        #expect(Set(folded) == Set((1001 - UInt16(folded.count))...1000))
        #expect((300..<300 + 64).contains(folded.count))
        #expect(flows.count <= 1000)
        // Half is what each of two may have.
        for port in 301...2000 as ClosedRange<UInt16> { _ = add(2, port) }
        #expect(flows.count == 1000)
        #expect((1...2000 as ClosedRange<UInt16>).filter { flows.index(of: Self.key(2, $0)) != nil }.count == 500)
        #expect((1...2000 as ClosedRange<UInt16>).filter { flows.index(of: Self.key(1, $0)) != nil }.count == 500)
        // The one that has half may not take more from the other.
        #expect(add(1, 3000) == nil)
    }

    /// Any order of births and ends keeps indices, keys and the members of interfaces together.
    @Test(arguments: 1...5 as ClosedRange<UInt64>)
    func everyFlowIsFoundByItsKey(_ seed: UInt64) {
        var numbers = RepeatableNumbers(seed: seed)
        var flows = OverflowFlows(capacity: 50)
        var model: [FlowKey: Int] = [:]
        for _ in 0..<5000 {
            let key = Self.key(UInt32.random(in: 1...5, using: &numbers), UInt16.random(in: 1...60, using: &numbers))
            if let index = model[key] {
                #expect(flows.index(of: key) == index)
                flows.remove(index)
                model[key] = nil
            } else if let index = flows.add(
                key,
                position: Int(key.interfaceIndex),
                fold: { index, flow in
                    #expect(model[flow.key] == index)
                    model[flow.key] = nil
                }
            ) {
                #expect(!model.values.contains(index))
                model[key] = index
            } else {
                #expect(flows.count == 50)
            }
            #expect(flows.count == model.count)
            for (key, index) in model { #expect(flows[index].key == key && flows[index].isLive) }
        }
    }
}
