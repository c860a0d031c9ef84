import Agent
import Lab
import Testing

/// Denied packets at full speed, while the kernel's table is read all the time: none of them is recorded as allowed.
@Suite(.serialized, .needsRoot)
struct DeniedFloodTests {
    private let lab: PolicyNode

    init() throws {
        lab = try PolicyNode()
        try lab.node.nft(
            """
            table inet verdicts {
            counter flood {}
            chain closed {
            type filter hook forward priority 0;
            iifname "caliclient" counter name flood drop;
            }
            }

            """
        )
    }

    /// One flow, or many new ones.
    @Test(arguments: [1, 20_000])
    func recordsEachPacketOfFloodAsDenied(flows: Int) throws {
        let weir = try lab.run(["--flush-interval", "1s", "--poll-interval", "10ms"])
        let (client, database) = (
            try lab.address(of: .client, isIPv6: false, towards: .db),
            try lab.address(of: .db, isIPv6: false, towards: .client)
        )
        let frame = Packet.ethernet(
            destination: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee],
            payload: Packet.udp(from: client, port: 3000, to: database, port: 2000, payload: [1, 2, 3])
        )
        let sender = try FrameSender("eth0", in: try lab.namespace(of: .client))
        let count = 200_000
        try sender.send(frame, times: count) { frame, number in
            // The source port, behind the headers of Ethernet and IP; the checksum stays wrong, and nothing checks it.
            let port = UInt16(truncatingIfNeeded: 3000 + number * flows / count)
            frame[34] = UInt8(port >> 8)
            frame[35] = UInt8(port & 0xff)
        }
        try lab.waitUntilQuiet()
        let denied = try #require(try lab.firewallCounters()["flood"])
        // A run that ends while much traffic is not yet processed records the rest in less detail.
        let areRecorded = try eventually { try weir.verdicts().outbound == denied }
        #expect(areRecorded)
        try weir.finish()
        #expect(denied.packets > 0)
        let records = try weir.verdicts()
        #expect(records.with("allow").isEmpty, "\(records)")
        #expect(records.outbound == denied)
        #expect(records.inbound == Count())
        #expect(records.reduce(0) { $0 + $1.started } == flows)
        let odd = records.filter { $0.droppedOut != $0.outbound.packets || ($0.droppedOut > 0) != ($0.reason != nil) }
        #expect(odd.isEmpty, "\(odd)")
        #expect(try weir.report().balanced)
        #expect(records.outbound == (try lab.wire(.client).sent))
    }
}
