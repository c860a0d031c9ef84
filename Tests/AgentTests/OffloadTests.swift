import Agent
import Foundation
import Lab
import Testing

/// Super-packets: their segments are counted as on the wire.
@Suite(.serialized, .needsRoot)
struct OffloadTests {
    /// Bytes of headers of a TCP packet with timestamps; the opening packet of each side has 8 more bytes of options
    /// (RFC 9293 section 3.1, RFC 7323 section 3.2).
    private func headers(of count: Count, isIPv6: Bool) -> UInt64 {
        count.packets * ((isIPv6 ? 40 : 20) + 32) + 8
    }

    /// Bytes of records are the payload of the sockets and the headers of the recorded packets.
    @Test(arguments: [false, true])
    func bytesEqualPayloadPlusHeaders(_ isIPv6: Bool) throws {
        // A machine that is too busy sends some segments twice; such a round proves nothing.
        let isProven = try eventually(within: .seconds(120)) { try isRoundWithoutRetransmissions(isIPv6) }
        #expect(isProven)
    }

    /// A cable whose ends wait for acknowledgements of the last segments, however late these are on a busy machine: no
    /// probe for the loss of a tail (RFC 8985 section 7), which sends them once more.
    private func patientCable() throws -> Cable {
        let cable = try Cable(offloads: true)
        for end in [cable.node, cable.peer] { try end.setSysctl("net.ipv4.tcp_early_retrans", "0") }
        return cable
    }

    private func isRoundWithoutRetransmissions(_ isIPv6: Bool) throws -> Bool {
        let folder = try TemporaryFolder()
        let cable = try patientCable()
        let weir = try WeirRun(in: cable.node, folder)
        let before = try cable.counters
        let payload = try cable.toNode(isIPv6: isIPv6).tcp(request: 30_000_000, response: 10_000_000)
        try cable.waitUntilQuiet()
        try weir.finish()
        guard try retransmissions(cable.node) + retransmissions(cable.peer) == 0 else { return false }

        let sums = RecordSums(try weir.records())
        let (received, sent) = (sums.totalReceived, sums.totalSent)
        #expect(received.bytes - headers(of: received, isIPv6: isIPv6) == UInt64(payload.serverReceived.bytes))
        #expect(sent.bytes - headers(of: sent, isIPv6: isIPv6) == UInt64(payload.clientReceived.bytes))

        let (report, counters) = (try weir.report(), try cable.counters.since(before))
        #expect(report.balanced)
        #expect(Count(report.totals.ingress.skb) == counters.received)
        #expect(Count(report.totals.egress.skb) == counters.sent)
        #expect(Count(report.totals.ingress.seen) == received)
        #expect(Count(report.totals.egress.seen) == sent)
        // Otherwise there were no super-packets to test.
        #expect(report.totals.ingress.skb.packets < received.packets / 2)
        return true
    }

    private func retransmissions(_ namespace: NetworkNamespace) throws -> Int {
        let lines = try namespace.command(["cat", "/proc/net/snmp"]).split(separator: "\n")
        let tcp = lines.filter { $0.hasPrefix("Tcp: ") }.map { $0.split(separator: " ") }
        let column = try #require(tcp.first?.firstIndex(of: "RetransSegs"))
        return try #require(tcp.last.flatMap { Int($0[column]) })
    }

    /// The payload agrees with the counts of iperf3.
    @Test func payloadAgreesWithIperf() throws {
        let folder = try TemporaryFolder()
        let cable = try patientCable()
        let server = try cable.node.start(["iperf3", "-s", "-1"], keepingIn: folder)
        try #require(try eventually { try cable.node.command(["ss", "-Hltn"]).contains(":5201 ") })
        let weir = try WeirRun(in: cable.node, folder)
        let text = try cable.peer.command(["iperf3", "-J", "-c", "10.1.0.1", "-n", "20M"])
        #expect(server.wait() == 0)
        try cable.waitUntilQuiet()
        try weir.finish()

        let end = try JSONDecoder().decode(IperfResult.self, from: Data(text.utf8)).end
        // The data connection is the larger of the two; it begins with a cookie of 37 bytes.
        let flows = RecordSums(try weir.records()).received
        let data = try #require(flows.values.max { $0.bytes < $1.bytes })
        let payload = data.bytes - headers(of: data, isIPv6: false)
        // The server ends the connection while the last segments may be in flight.
        #expect(payload >= end.received.bytes + 37)
        // By the kernel's count, because the client's own count omits retransmissions after its last reading.
        if try retransmissions(cable.peer) == 0 { #expect(payload <= end.sent.bytes + 37) }
        #expect(try weir.report().balanced)
    }

    /// `iperf3 -J`, the sums of both ends.
    private struct IperfResult: Decodable {
        var end: End

        struct End: Decodable {
            var sent: Sum
            var received: Sum

            enum CodingKeys: String, CodingKey {
                case sent = "sum_sent"
                case received = "sum_received"
            }
        }

        struct Sum: Decodable {
            var bytes: UInt64
        }
    }
}
