import CWeir
import FlowModel
import Glibc
import Lab
import Synchronization
import Testing

@testable import Datapath

extension KernelTests {
    /// No packet is lost between the reading of a slot and its retirement: packets arrive as fast as the machine sends
    /// them, and every scan ends every flow.
    @Suite("Retirement under load")
    struct RetireUnderLoadTests {
        @Test func everyPacketIsCountedOnce() throws {
            let counter = try TestRunCounter.fresh()
            let fence = try counter.programs.fence()
            let load = try Load(on: counter.programs)
            var (ingress, egress) = (TrafficCounters.zero, TrafficCounters.zero)
            var (births, ends) = (0, 0)
            func take(_ batch: FlowBatch) {
                ingress += batch.ingress
                egress += batch.egress
                births += batch.births.count
                ends += batch.ends.count
            }
            // Until the flows were cut into many pieces.
            let isEnough = try eventually {
                take(try counter.scan(ending: true, fence: { () throws(DatapathError) in try fence.wait() }))
                return births >= 500 && load.packets >= 20_000_000
            }
            #expect(isEnough, "\(births) births, \(load.packets) packets")
            let sent = try load.stop()
            take(try counter.scan(ending: true))
            #expect(ingress == sent[.ingress])
            #expect(egress == sent[.egress])
            #expect(births == ends)
            #expect(counter.usedSlots.isEmpty)
            #expect((0..<counter.table.slots.count).allSatisfy { !counter.isOccupied($0) })
            #expect(counter.account(.ingress).isBalanced)
            #expect(counter.account(.egress).isBalanced)
        }

        /// The same on a real interface, with the datapath's own scans between changes of the network.
        @Test func framesOnACableAreCountedOnce() throws {
            let cable = try Cable()
            var timeouts = FlowTimeouts()
            timeouts.udp = 0
            let monitor = try Monitor(
                in: cable.right,
                DatapathConfiguration(tableSlots: 1024, attachMode: .tcx, timeouts: timeouts)
            )
            let sweep = try FlowSweep(flows: 200, from: LabAddress("10.1.0.3"), to: LabAddress("10.1.0.2"))
            let frames = 300_000
            let left = cable.left
            let load = try BackgroundWork {
                // Every flow sends briefly, pauses, and resumes after 200 others.
                try FrameSender("eth0", in: left).send(sweep.template, times: frames) { frame, number in
                    sweep.change(&frame, number / 64)
                }.messages
            }
            // A cable may drop frames under load; its own counters show how many.
            #expect(
                try eventually {
                    try monitor.scan()
                    let counters = try left.counters(of: "eth0")
                    return counters.sentPackets + counters.dropped >= frames
                }
            )
            #expect(try load.value() == frames)
            let received = try cable.right.counters(of: "eth0").receivedPackets
            try monitor.settle("eth0", ingress: received)
            try monitor.stop()
            let account = try monitor.account(of: "eth0")
            #expect(account.isBalanced)
            #expect(account.ingress.remainder == .zero)
            // Now and then a flow finds its window full.
            let counted = account.ingress.flows + account.ingress.overflow
            #expect(counted == TrafficCounters(packets: received, bytes: received * 46))
            let flows = monitor.flows.filter { $0.key.proto == .udp }
            #expect(flows.values.reduce(.zero) { $0 + $1.ingress } == account.ingress.seen)
            #expect(flows.count == 200)
            #expect(monitor.births > 400, "\(monitor.births) births: flows were not cut")
            #expect(monitor.contradictions.isEmpty)
        }
    }
}

/// Two threads that send packets of several flows through `lo`, one in each direction, until `stop()` is called.
private final class Load {
    private let workers: [BackgroundWork<[Direction: TrafficCounters]>]
    private let progress = Progress()

    private final class Progress: Sendable {
        let packets = Atomic(0)
        let isOver = Atomic(false)
    }

    private static let flows: UInt16 = 8
    /// Packets of one call.
    private static let burst: Int32 = 250

    init(on programs: borrowing KernelPrograms) throws {
        let progress = progress
        let directions: [(Direction, Int32)] = [
            (.ingress, try programs.program("weir_ingress")), (.egress, try programs.program("weir_egress")),
        ]
        workers = try directions.map { direction, program in
            try BackgroundWork { [direction: try Self.send(direction, program, progress)] }
        }
    }

    deinit {
        progress.isOver.store(true, ordering: .relaxed)
    }

    private static func send(
        _ direction: Direction,
        _ program: Int32,
        _ progress: Progress
    ) throws -> TrafficCounters {
        var sent = TrafficCounters.zero
        var number: UInt16 = 0
        while !progress.isOver.load(ordering: .relaxed) {
            let port = 1000 + number % flows
            let datagram =
                direction == .ingress ? Frame.udp(from: port, to: 53) : Frame.udp(from: 53, to: port, payload: 9)
            let packet =
                direction == .ingress
                ? Frame.ipv4(17, datagram)
                : Frame.ipv4(17, datagram, source: Frame.server4, destination: Frame.client4)
            _ = try ProgramTestRun.run(program, frame: Frame.inIPv4(packet), times: burst)
            sent += TrafficCounters(packets: UInt64(burst), bytes: UInt64(burst) * UInt64(packet.count))
            number &+= 1
            progress.packets.add(Int(burst), ordering: .relaxed)
        }
        return sent
    }

    /// The number of packets that were sent so far, in both directions.
    var packets: Int { progress.packets.load(ordering: .relaxed) }

    /// Ends the load, and returns the traffic sent in each direction.
    func stop() throws -> [Direction: TrafficCounters] {
        progress.isOver.store(true, ordering: .relaxed)
        return try workers.reduce(into: [:]) { sums, worker in sums.merge(try worker.value()) { $0 + $1 } }
    }
}
