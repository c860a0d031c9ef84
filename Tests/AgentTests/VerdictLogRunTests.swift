import Datapath
import FlowModel
import Glibc
import Lab
import Logging
import Testing

@testable import Agent

/// Runs that read the log rules of the packet filter.
@Suite(.serialized, .needsRoot)
struct VerdictLogRunTests {
    private func dropping(_ prefix: String, group: Int) -> String {
        """
        table inet test {
            chain c { type filter hook input priority 0
                udp dport 7 counter log prefix "\(prefix)" group \(group) drop
            }
        }
        """
    }

    @Test func runReadsGroupsAndReportsTotals() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let weir = try WeirRun(in: cable.node, folder, ["--nflog-group", "5,6", "--nflog-group", "9"])
        try weir.waitFor("reading the verdicts of log rules")
        #expect(weir.process.errors.contains("groups=\"5 6 9\""))
        try cable.node.nft(dropping("[UFW BLOCK] ", group: 6))
        try cable.node.nft(
            """
            table inet other {
                chain c { type filter hook input priority -1
                    udp dport 7 log prefix "what is this" group 9
                }
            }
            """
        )
        _ = try cable.toNode().udpAttempt(count: 100, port: 7)
        try weir.waitFor("log prefix without a verdict")
        #expect(weir.process.errors.contains("prefix=\"what is this\""))
        try weir.finish()
        #expect(weir.process.errors.contains("log rules read"))
        for word in ["packets=200", "judged=100", "without_verdict=100", "lost=0", "unparsed=0"] {
            #expect(weir.process.errors.contains(word), "\(weir.process.errors)")
        }
        // Once for the prefix, not for the packet.
        #expect(weir.process.errors.split(separator: "\n").filter { $0.contains("without a verdict") }.count == 1)
        #expect(try weir.report().balanced)
    }

    @Test func groupInUsePreventsStart() throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        let first = try WeirRun(in: cable.node, folder, ["--nflog-group", "5"])
        let second = try cable.node.start(
            [WeirProgram.path, "run", "--nflog-group", "4", "--nflog-group", "5", "--duration", "5s", "--no-pin"],
            keepingIn: folder
        )
        #expect(second.wait() == 1)
        let errors = second.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix("error: listen to log group 5: ") == true, "\(second.errors)")
        #expect(second.errors.contains("another program reads it"))
        #expect(!second.errors.contains("watching"))
        try first.finish()
    }

    /// The message that the test posts when the interfaces are watched.
    private static let watching = ClockReading(monotonic: -1, boot: -1, wall: -1)

    /// A verdict arrives after the birth of its flow, and before its end.
    @Test func verdictsArriveBetweenBirthAndEndOfFlow() throws {
        let cable = try Cable()
        try cable.node.nft(dropping("DPI3|np/shop/security.base", group: 5))
        let mailbox = Mailbox<Pipeline.Message>(limit: 100_000)
        let stop = StopSource()
        let node = cable.node
        let work = try BackgroundWork {
            try node.enter()
            var configuration = AgentConfiguration()
            configuration.pollInterval = .milliseconds(100)
            configuration.nflogGroups = [5]
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            var collector = Collector(
                configuration,
                datapath: try Datapath(DatapathConfiguration(tableSlots: 1024)),
                verdicts: try VerdictReader(configuration.nflogGroups, logger: logger),
                inventory: InventoryKeeper(
                    hostName: "test",
                    hasSources: false,
                    policyFormat: configuration.policyFormat
                ),
                mailbox: mailbox,
                stop: stop,
                plan: StopPlan(stop),
                losses: LossBoard(),
                board: RunBoard(),
                intervals: LiveIntervals(configuration)
            )
            try collector.run { _ = mailbox.offer(.flush(Self.watching)) }
            mailbox.insist(.end(.now))
        }
        // The collector stops also after a failure here, so that nothing waits for it for ever.
        defer { stop.stop() }
        var batches: [FlowBatch] = []
        reading: while true {
            switch mailbox.next() {
            case .flush(Self.watching):
                for port in 3000..<3010 as Range<UInt16> {
                    _ = try cable.toNode().udpAttempt(count: 20, port: 7, sourcePort: port)
                }
                stop.stop()
            case .flows(let batch): batches.append(batch)
            case .end: break reading
            case .inventory, .cluster, .flush, .lastEpoch, .mark, .reload: continue
            }
        }
        try work.value()

        var keys: [UInt32: FlowKey] = [:]
        var ended: Set<UInt32> = []
        var counted: [UInt16: UInt64] = [:]
        for batch in batches {
            for birth in batch.births { keys[birth.flowID] = birth.key }
            for verdict in batch.verdicts {
                let flow = keys.first {
                    $0.value.near == verdict.packets.source && $0.value.nearPort == verdict.packets.sourcePort
                }
                #expect(flow != nil && !ended.contains(flow?.key ?? 0), "\(verdict)")
                #expect(verdict.rule.hit == "security|shop/security.base|deny|3")
                #expect(verdict.rule.direction == .ingress && verdict.rule.action == .deny)
                #expect(verdict.packets.destinationPort == 7)
                counted[verdict.packets.sourcePort, default: 0] += verdict.traffic.packets
            }
            ended.formUnion(batch.ends)
        }
        #expect(counted == Dictionary(uniqueKeysWithValues: (3000..<3010).map { ($0, 20) }))
    }
}

extension TrafficPath {
    /// Sends datagrams that need not arrive, and does not wait for them.
    func udpAttempt(count: Int, port: UInt16, sourcePort: UInt16 = 0) throws -> TrafficResult {
        try TrafficPath(from: client, to: server, at: address, timeout: .milliseconds(20))
            .udp(count: count, port: port, sourcePort: sourcePort)
    }
}
