import Agent
import Foundation
import Lab
import Testing

/// The whole program against independent counters: nftables at both ends of a cable, the kernel's own counters of the
/// interface, and arithmetic.
@Suite(.serialized, .needsRoot)
struct ExactnessTests {
    @Test(arguments: TrafficCase.all)
    func recordsEqualWireCounters(_ traffic: TrafficCase) throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let (received, sent) = (try WireCounters(in: cable.node), try WireCounters(in: cable.peer))
        let reader = try RecordListener(folder.file("socket"))
        let copy = try reader.readOne()
        let weir = try WeirRun(in: cable.node, folder, ["--output", "unix:\(reader.path)"] + traffic.arguments)
        let before = try cable.counters

        let expectation = try traffic.send(cable)
        try cable.waitUntilQuiet()
        try weir.waitForRecords {
            try $0.totalReceived == received.total() && $0.totalSent == sent.total()
        }
        try weir.finish()

        let records = try weir.records()
        let sums = RecordSums(records)
        expectSame(sums.received.withoutPorts, try received.pairs())
        expectSame(sums.sent.withoutPorts, try sent.pairs())
        if !traffic.isFragmented {
            expectSame(sums.received.withPorts, try received.flows())
            expectSame(sums.sent.withPorts, try sent.flows())
        }
        if let count = expectation.received { #expect(sums.totalReceived == count) }
        if let count = expectation.sent { #expect(sums.totalSent == count) }
        try check(try weir.report(), sums, try cable.counters.since(before))
        #expect(try copy.value().split(separator: "\n") == weir.lines)
    }

    /// Expects that every packet is in a reported flow, and that the device counted the same packets, with an Ethernet header
    /// of 14 bytes more.
    private func check(_ report: AccountReport, _ sums: RecordSums, _ counters: InterfaceCounters) throws {
        #expect(report.balanced)
        #expect(report.interfaces.map(\.name) == ["eth0"])
        let (ingress, egress) = (report.totals.ingress, report.totals.egress)
        #expect(Count(ingress.seen) == sums.totalReceived)
        #expect(Count(egress.seen) == sums.totalSent)
        for direction in [ingress, egress] {
            #expect(Count(direction.remainder) == Count())
            #expect(Count(direction.notIP) == Count())
            #expect(Count(direction.unparsed) == Count())
        }
        let (received, sent) = (Count(ingress.seen), Count(egress.seen))
        #expect(Count(received.packets, received.bytes + 14 * received.packets) == counters.received)
        #expect(Count(sent.packets, sent.bytes + 14 * sent.packets) == counters.sent)
        #expect(Count(ingress.skb) == counters.received)
    }

    /// Reports the first differences of records and wire only, because both in full would fill screens.
    private func expectSame(
        _ records: [WireTuple: Count],
        _ wire: [WireTuple: Count],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let differences = Set(records.keys).union(wire.keys).filter { records[$0] != wire[$0] }
        let samples = differences.prefix(5).map { tuple in
            "\(tuple): \(records[tuple] ?? Count()) in records, \(wire[tuple] ?? Count()) on the wire"
        }
        #expect(
            differences.isEmpty,
            "\(differences.count) of \(wire.count) differ: \(samples)",
            sourceLocation: sourceLocation
        )
    }

    // MARK: Packets without records

    @Test func packetsWithoutRecordAreInAccount() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let weir = try WeirRun(in: cable.node, folder)
        let sender = try FrameSender("eth0", in: cable.peer)

        let ours = try cable.toNode().udp(count: 100, size: 72)
        // To an address that is not the node's: seen, in a flow, in no record.
        let (peer, nobody) = (try LabAddress("10.1.0.2"), try LabAddress("10.9.9.9"))
        let sweep = try FlowSweep(flows: 50, from: peer, to: nobody, payload: 72)
        try sender.send(sweep, count: 300)
        // ARP's EtherType, and an IPv4 header that ends too early.
        try sender.send(Packet.ethernet(type: 0x0806, payload: [UInt8](repeating: 0, count: 46)), times: 20)
        try sender.send(Packet.ethernet(type: 0x0800, payload: [0x45, 0, 0, 20]), times: 7)
        try cable.waitUntilQuiet()
        try weir.waitForRecords { $0.totalReceived == Count(100, 100 * 100) }
        try weir.finish()

        #expect(ours.serverReceived.messages == 100)
        let ingress = try weir.report().totals.ingress
        #expect(try weir.report().balanced)
        #expect(RecordSums(try weir.records()).totalReceived == Count(100, 100 * 100))
        #expect(Count(ingress.flows) + Count(ingress.overflow) == Count(400, 400 * 100))
        #expect(Count(ingress.notIP) == Count(20, 20 * 60))
        #expect(Count(ingress.unparsed) == Count(7, 7 * 18))
        #expect(ingress.unparsedReasons.network == 7)
        #expect(Count(ingress.seen) == Count(427, 400 * 100 + 20 * 60 + 7 * 18))
    }

    // MARK: VLANs

    @Test func vlanTaggedPacketsAreFlows() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let weir = try WeirRun(in: cable.node, folder)
        let before = try cable.counters
        let (node, peer) = (try LabAddress("10.1.0.1"), try LabAddress("10.1.0.2"))
        let payload = [UInt8](repeating: 1, count: 72)
        let come = Packet.udp(from: peer, port: 4000, to: node, port: 53, payload: payload)
        let go = Packet.udp(from: node, port: 53, to: peer, port: 4000, payload: payload)

        for tags in [[VLANTag(5)], [VLANTag(5, .service), VLANTag(6)]] {
            try FrameSender("eth0", in: cable.peer).send(Packet.ethernet(tags: tags, payload: come), times: 300)
            try FrameSender("eth0", in: cable.node).send(Packet.ethernet(tags: tags, payload: go), times: 200)
        }
        try cable.waitUntilQuiet()
        try weir.waitForRecords {
            $0.totalReceived == Count(600, 600 * 100) && $0.totalSent == Count(400, 400 * 100)
        }
        try weir.finish()

        let records = try weir.records()
        #expect(Set(records.map(\.forwardTuple)).count == 1)
        let sums = RecordSums(records)
        #expect(sums.totalReceived == Count(600, 600 * 100))
        #expect(sums.totalSent == Count(400, 400 * 100))
        let (report, counters) = (try weir.report(), try cable.counters.since(before))
        #expect(report.balanced)
        // The kernel takes the outer tag, 4 bytes, off a received frame before any program sees it (skb_vlan_untag).
        let untagged = Count(report.totals.ingress.skb)
        #expect(Count(untagged.packets, untagged.bytes + 4 * untagged.packets) == counters.received)
        #expect(Count(report.totals.egress.skb) == counters.sent)
    }
}

extension [WireTuple: Count] {
    /// The counts of protocols whose ports a counter on the wire reads, too.
    fileprivate var withPorts: Self { filter { $0.key.proto == "tcp" || $0.key.proto == "udp" } }
}
