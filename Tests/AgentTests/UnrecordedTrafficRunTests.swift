import Agent
import Foundation
import Lab
import Testing

/// Traffic in a balanced account may be in no record: a router without an inventory forwards flows of which neither end is its
/// own.
@Suite(.serialized, .needsRoot)
struct UnrecordedTrafficRunTests {
    /// A client and a server, and a router between them without an inventory.
    private struct RoutedNetwork {
        let router: NetworkNamespace
        let client: NetworkNamespace
        let server: NetworkNamespace
        let path: TrafficPath

        init() throws {
            (router, client, server) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
            _ = try VethPair(
                VethEnd(router, interface: "eth0", addresses: ["10.1.0.1/24"]),
                VethEnd(client, addresses: ["10.1.0.2/24"])
            )
            _ = try VethPair(
                VethEnd(router, interface: "eth1", addresses: ["10.2.0.1/24"]),
                VethEnd(server, addresses: ["10.2.0.2/24"])
            )
            try router.setSysctl("net.ipv4.ip_forward", "1")
            try client.ip("route add default via 10.1.0.1")
            try server.ip("route add default via 10.2.0.1")
            path = TrafficPath(from: client, to: server, at: try LabAddress("10.2.0.2"))
        }
    }

    @Test func countsAndLogsUnrecordedTraffic() throws {
        let folder = try TemporaryFolder()
        let routed = try RoutedNetwork()
        let weir = try WeirRun(in: routed.router, folder, watching: ["eth0", "eth1"])
        _ = try routed.path.udp(count: 500, size: 72, port: 7)
        try weir.waitFor("traffic is in no record: neither end is known to be this host or one of its workloads")
        try weir.finish()
        let report = try weir.report()
        let records = try #require(report.records)
        #expect(report.balanced)
        #expect(records.unrecorded.transit.packets >= 1_000)
        let flows = report.totals.ingress.flows.packets + report.totals.egress.flows.packets
        #expect(records.recorded.packets + records.unrecorded.transit.packets == flows)
        #expect(weir.process.errors.contains("--workload-interface"))
    }

    @Test func trafficReportedElsewhereIsNotUnrecorded() throws {
        let folder = try TemporaryFolder()
        let routed = try RoutedNetwork()
        let weir = try WeirRun(
            in: routed.router,
            folder,
            watching: ["eth0", "eth1"],
            ["--workload-interface", "eth0"]
        )
        _ = try routed.path.udp(count: 500, size: 72, port: 7)
        try weir.finish()
        let report = try weir.report()
        let records = try #require(report.records)
        #expect(records.unrecorded.transit.packets == 0)
        #expect(records.elsewhere.packets >= 500)
        let flows = report.totals.ingress.flows.packets + report.totals.egress.flows.packets
        #expect(records.recorded.packets + records.elsewhere.packets == flows)
        #expect(!weir.process.errors.contains("traffic is in no record"))
    }
}
