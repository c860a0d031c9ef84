import Agent
import Foundation
import Lab
import Testing

/// The end of a run, and the beginning of the next.
@Suite(.serialized, .needsRoot)
struct LifeTests {
    // MARK: End

    @Test(arguments: [0, 2, 5])
    func signalAfterLastPacketLosesNothing(_ milliseconds: UInt32) throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let wire = try WireCounters(in: cable.node)
        let weir = try WeirRun(in: cable.node, folder)
        let sent = try cable.toNode().udp(count: 3_000, size: 72)
        usleep(milliseconds * 1000)
        try weir.finish()

        try #require(sent.serverReceived.messages == 3_000)
        let sums = RecordSums(try weir.records())
        #expect(sums.received == (try wire.flows()))
        #expect(sums.totalReceived == Count(3_000, 300_000))
        let report = try weir.report()
        #expect(report.balanced)
        #expect(Count(report.totals.ingress.seen) == Count(3_000, 300_000))
    }

    /// The program timeout(1) does the same: it signals its child and then the process group.
    @Test func repeatedSignalsLoseNothing() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        for pause in [0, 0, 0, 100, 300, 1_000, 3_000, 10_000] as [UInt32] {
            let weir = try WeirRun(in: cable.node, folder, ["--flush-interval", WeirRun.endless])
            let sent = try cable.toNode().udp(count: 10, size: 72)
            try #require(sent.serverReceived.messages == 10)
            weir.process.signal(SIGTERM)
            usleep(pause)
            weir.process.signal(SIGTERM)
            weir.process.signal(SIGINT)
            try weir.waitForEnd()
            #expect(RecordSums(try weir.records()).totalReceived == Count(10, 1_000), "signals \(pause) us apart")
            #expect(try weir.report().balanced)
        }
    }

    /// Hundreds of thousands of flows are new to the agent when it gets the signal to stop.
    ///
    /// The number of flows with records of their own depends on the machine. On every machine all packets are in records, and
    /// the stop takes ten seconds at the most.
    @Test func stopWithManyNewFlowsEndsWithinTenSeconds() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let weir = try WeirRun(
            in: cable.node,
            folder,
            ["--flush-interval", "60s", "--poll-interval", "60s", "--table-slots", "1048576"]
                + ["--aggregation-allowed", "2"]
        )
        let (peer, node) = (try LabAddress("10.1.0.2"), try LabAddress("10.1.0.1"))
        let flows = 400_000
        try FrameSender("eth0", in: cable.peer).send(FlowSweep(flows: flows, from: peer, to: node), count: flows)
        let start = ContinuousClock.now
        try weir.finish()
        #expect(ContinuousClock.now - start < .seconds(10))
        let report = try weir.report()
        #expect(report.balanced)
        #expect(report.totals.ingress.seen.packets >= UInt64(flows))
        #expect(RecordSums(try weir.records()).totalReceived.packets >= UInt64(flows))
    }

    @Test func hangUpSignalLosesNothing() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let weir = try WeirRun(in: cable.node, folder, ["--flush-interval", WeirRun.endless])
        weir.process.signal(SIGHUP)
        try weir.waitFor("SIGHUP: files of outputs are opened again")
        try weir.waitFor("settings read again")
        let sent = try cable.toNode().udp(count: 10, size: 72)
        try #require(sent.serverReceived.messages == 10)
        try weir.finish()
        #expect(RecordSums(try weir.records()).totalReceived == Count(10, 1_000))
    }

    @Test func runEndsAfterDuration() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let start = ContinuousClock.now
        let weir = try WeirRun(in: cable.node, folder, ["--duration", "10s"])
        let sent = try cable.toNode().udp(count: 100, size: 72)
        try weir.waitForEnd()

        #expect(ContinuousClock.now - start >= .seconds(10))
        #expect(try weir.report().balanced)
        #expect(RecordSums(try weir.records()).totalReceived == Count(100, 100 * 100))
        #expect(sent.serverReceived.messages == 100)
    }

    // MARK: Restart

    /// Two connections that outlive a run, one to the node and one from it.
    @Test func secondRunKeepsOrientationOfRunningConnections() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let wire = try WireCounters(in: cable.node)
        let called = try Call(from: cable.peer, to: cable.node, "10.1.0.1", port: 5201, folder)
        let calling = try Call(from: cable.node, to: cable.peer, "10.1.0.2", port: 5202, folder)
        for _ in 0..<2 {
            let weir = try WeirRun(in: cable.node, folder)
            // After so many packets of each connection both are in the table.
            let before = try arrivals(wire)
            let areBusy = try eventually {
                let now = try arrivals(wire)
                return now.called > before.called + 300 && now.calling > before.calling + 300
            }
            try #require(areBusy && called.isRunning && calling.isRunning)
            try weir.finish()

            let records = try weir.records()
            let report = try weir.report()
            let sums = RecordSums(records)
            #expect(report.balanced)
            #expect(Count(report.totals.ingress.seen) == sums.totalReceived)
            #expect(Count(report.totals.egress.seen) == sums.totalSent)
            expectOrientation(records, port: 5201, reporter: "dst", from: "10.1.0.2")
            expectOrientation(records, port: 5202, reporter: "src", from: "10.1.0.1")
        }
    }

    /// Returns the numbers of packets of the connections to the node and from it.
    private func arrivals(_ wire: WireCounters) throws -> (called: UInt64, calling: UInt64) {
        let flows = try wire.flows()
        let called = flows.filter { $0.key.destinationPort == 5201 }.values
        let calling = flows.filter { $0.key.sourcePort == 5202 }.values
        return (called.reduce(0) { $0 + $1.packets }, calling.reduce(0) { $0 + $1.packets })
    }

    /// Checks that all records of a server's port name the client as the source.
    private func expectOrientation(_ records: [RecordLine], port: UInt16, reporter: String, from client: String) {
        let ours = records.filter { $0.sourcePort == port || $0.destinationPort == port }
        #expect(ours.contains { $0.forward.packets > 20 && $0.backward.packets > 20 })
        for record in ours {
            #expect(record.destinationPort == port)
            #expect(record.sourceAddress == client)
            #expect(record.reporter == reporter)
        }
    }
}

/// A connection of iperf3 with steady traffic for the lifetime of this object.
private struct Call {
    private let server: ChildProcess
    private let client: ChildProcess

    init(
        from source: NetworkNamespace,
        to destination: NetworkNamespace,
        _ address: String,
        port: Int,
        _ folder: TemporaryFolder
    ) throws {
        server = try destination.start(["iperf3", "-s", "-p", "\(port)"], keepingIn: folder)
        try #require(try eventually { try destination.command(["ss", "-Hltn"]).contains(":\(port) ") })
        let rate = ["-t", "600", "-b", "8M", "-l", "1000", "--forceflush"]
        client = try source.start(["iperf3", "-c", address, "-p", "\(port)"] + rate, keepingIn: folder)
        let client = client
        try #require(eventually { client.output.contains("connected to") }, "\(client.errors)")
    }

    /// Whether the connection is still there.
    var isRunning: Bool { !client.hasEnded && !server.hasEnded }
}
