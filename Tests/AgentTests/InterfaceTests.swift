import Agent
import Foundation
import Lab
import Testing

/// Interfaces that appear, change and disappear during a run, and their roles.
@Suite(.serialized, .needsRoot)
struct InterfaceTests {
    @Test func followsInterfaceFromCreationToDeletion() throws {
        let folder = try TemporaryFolder()
        let (node, peer) = (try NetworkNamespace(), try NetworkNamespace())
        let weir = try WeirRun(in: node, folder, watching: [], ["--interface", "dyn*"])
        try weir.waitFor("no interface matches yet: waiting for one")
        _ = try VethPair(
            VethEnd(node, interface: "dyn0", addresses: ["10.1.0.1/24"]),
            VethEnd(peer, addresses: ["10.1.0.2/24"])
        )
        try weir.waitFor("watching dyn0 ")
        let path = TrafficPath(from: peer, to: node, at: try LabAddress("10.1.0.1"))
        #expect(try path.udp(count: 100, size: 72, port: 7).serverReceived.messages == 100)

        try node.ip("link set dyn0 down")
        try node.ip("link set dyn0 name dyn1")
        try node.ip("link set dyn1 up")
        try weir.waitFor("dyn0 is now dyn1\n")
        try node.ip("neighbour replace 10.1.0.2 dev dyn1 lladdr 02:00:00:00:00:02 nud permanent")
        let isUp = try eventually { try peer.command(["ip", "link", "show", "eth0"]).contains("state UP") }
        try #require(isUp)
        #expect(try path.udp(count: 50, size: 72, port: 7).serverReceived.messages == 50)

        try node.ip("link delete dyn1")
        try weir.waitFor("no longer watching dyn1 ")
        try weir.finish()
        let report = try weir.report()
        #expect(report.balanced)
        #expect(report.interfaces.map(\.name) == ["dyn1"])
        #expect(Count(report.totals.ingress.seen) == Count(150, 150 * 100))
        let records = try weir.records()
        #expect(RecordSums(records).totalReceived == Count(150, 150 * 100))
        // The flows end with their interface.
        #expect(records.reduce(0) { $0 + $1.flowsCompleted } == Set(records.map(\.forwardTuple)).count)
    }

    @Test func limitedRunRejectsPatternWithoutMatch() throws {
        let folder = try TemporaryFolder()
        let node = try NetworkNamespace()
        let process = try node.start(
            [WeirProgram.path, "run", "--interface", "nothing*", "--duration", "5s"],
            keepingIn: folder
        )
        #expect(process.wait() == 1)
        #expect(process.errors.contains("error: no interface matches 'nothing*'"), "\(process.errors)")
        #expect(process.output == "")
    }

    /// Without patterns the run waits: interfaces may appear while it runs.
    @Test func limitedRunWaitsForFirstInterface() throws {
        let folder = try TemporaryFolder()
        let node = try NetworkNamespace()
        let report = folder.path + "/first.json"
        let process = try node.start(
            [WeirProgram.path, "run", "--duration", "15s", "--report", report],
            keepingIn: folder
        )
        let isWaiting = eventually { process.errors.contains("no interface is selected yet: waiting for one") }
        try #require(isWaiting, "\(process.errors)")
        try node.ip("link add late0 type veth peer name late1")
        #expect(process.wait() == 0, "\(process.errors)")
        let account = try JSONDecoder().decode(AccountReport.self, from: Data(contentsOf: URL(fileURLWithPath: report)))
        #expect(account.balanced)
        #expect(Set(account.interfaces.map(\.name)) == ["late0", "late1"])
    }

    /// A connection between two pods crosses two interfaces, and each side has its record.
    @Test func recordsBothSidesOfPodConnection() throws {
        let folder = try TemporaryFolder()
        let network = try LabNetwork(pods: ["a", "b"])
        let weir = try WeirRun(
            in: network.node,
            folder,
            watching: ["calia", "calib"],
            ["--workload-interface", "cali*"]
        )
        let before = try network.pods.map { try network.node.counters(of: $0.interface) }
        let (a, b) = (try network.pod("a"), try network.pod("b"))
        let path = TrafficPath(from: a.namespace, to: b.namespace, at: b.ipv4)
        _ = try path.tcp(connections: 3, request: 50_000, response: 200_000, port: 80)
        _ = try path.udp(count: 200, size: 72, reply: 172, port: 53)
        // The last acknowledgements of TCP are sent before the ends have seen each other's end; they cross at once.
        try weir.finish()

        let records = try weir.records()
        let source = sums(records.filter { $0.reporter == "src" })
        let destination = sums(records.filter { $0.reporter == "dst" })
        #expect(source.count == 4)
        #expect(Set(source.keys) == Set(destination.keys))
        for (tuple, count) in source {
            #expect(tuple.source == "\(a.ipv4)" && tuple.destination == "\(b.ipv4)")
            // Mirrored: the outbound counts of one side are the inbound counts of the other.
            #expect(count.inbound == destination[tuple]?.outbound)
            #expect(count.outbound == destination[tuple]?.inbound)
        }
        let dns = try #require(source.first { $0.key.destinationPort == 53 })
        #expect(dns.value.outbound == Count(200, 200 * 100))
        #expect(dns.value.inbound == Count(200, 200 * 200))

        let report = try weir.report()
        #expect(report.balanced)
        #expect(report.interfaces.map(\.role) == ["workload", "workload"])
        for (interface, earlier) in zip(report.interfaces, before) {
            let counters = try network.node.counters(of: interface.name).since(earlier)
            #expect(Count(interface.ingress.skb) == counters.received)
            #expect(Count(interface.egress.skb) == counters.sent)
        }
    }

    private func sums(_ records: [RecordLine]) -> [WireTuple: (inbound: Count, outbound: Count)] {
        var sums: [WireTuple: (inbound: Count, outbound: Count)] = [:]
        for record in records {
            sums[record.forwardTuple, default: (Count(), Count())].inbound += record.inbound
            sums[record.forwardTuple, default: (Count(), Count())].outbound += record.outbound
        }
        return sums
    }
}
