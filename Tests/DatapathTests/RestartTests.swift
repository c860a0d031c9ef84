import CWeir
import FlowModel
import Glibc
import Lab
import Testing

@testable import Datapath

extension KernelTests {
    /// Agents that are killed, and agents that continue with their tables.
    @Suite("Restart")
    struct RestartTests {
        @Test("packets before, between and after two agents are reported once", arguments: [AttachMode.auto, .clsact])
        func restartReportsEachPacketOnce(_ mode: AttachMode) throws {
            let scene = try RestartScene(mode)
            let first = try scene.agent()
            let size = UInt64(try scene.deliver(10))
            try first.scanAndCommit()
            let written = first.handedOn
            try scene.deliver(5)
            try first.scan()
            try first.die()
            try scene.deliver(7)
            let second = try scene.agent()
            let isResumed = second.notices.contains { if case .resumed(_, 1) = $0 { true } else { false } }
            #expect(isResumed)
            try scene.deliver(3)
            try second.stop()
            #expect(written.ingress.packets + second.handedOn.ingress.packets >= 25)
            let account = try second.account(of: "eth0")
            #expect(account.isBalanced)
            #expect(account.ingress.skb.packets == (try scene.entered()))
            #expect(account.ingress.seen == account.ingress.notIP + written.ingress + second.handedOn.ingress)
            let flow = try #require(second.flows.first { $0.key.nearPort == 1000 })
            #expect(flow.value.ingress == TrafficCounters(packets: 15, bytes: 15 * size))
            #expect(second.contradictions.isEmpty)
            #expect(scene.bpffs.pins.isEmpty)
            let qdiscs = try scene.cable.right.command(["tc", "qdisc", "show", "dev", "eth0"])
            #expect(!qdiscs.contains("clsact"))
        }

        @Test("an agent that leaves its programs counting closes its account with its last scan")
        func finalAccountIsBalanced() throws {
            let scene = try RestartScene()
            let first = try scene.agent()
            try scene.cable.send(times: 10)
            try scene.arrive()
            let (last, later) = try first.perform { datapath in
                datapath.leave()
                _ = try datapath.scan(closesEpoch: true) { _ in }
                let last = datapath.finalAccounts
                // Traffic continues before the report.
                try scene.cable.send(times: 5)
                try scene.arrive()
                let isBehind = datapath.accounts.contains { !$0.isBalanced }
                #expect(isBehind)
                return (last, datapath.finalAccounts)
            }
            for accounts in [last, later] {
                let account = try #require(accounts.first { $0.name == "eth0" })
                #expect(account.isBalanced && account.ingress.seen.packets >= 10)
            }
            try first.die()
            let second = try scene.agent()
            try second.stop()
            #expect(try second.account(of: "eth0").ingress.skb.packets == scene.entered())
        }

        @Test("a flow that continues is not a new connection")
        func continuedFlowIsMarkedAsResumed() throws {
            let scene = try RestartScene()
            let first = try scene.agent()
            try scene.deliver(1)
            try first.scanAndCommit()
            try first.die()
            let second = try scene.agent()
            try second.scan()
            let number = try #require(second.living.first { $0.value.nearPort == 1000 }?.key)
            #expect(second.resumed.contains(number))
            try second.die()
        }

        @Test("flows that left the table before their records were written are in the remainder")
        func unwrittenFlowsAreInRemainder() throws {
            let scene = try RestartScene()
            try scene.cable.right.nft(
                "table ip weirtest { chain input { type filter hook input priority 0; counter drop; }; }"
            )
            try scene.cable.right.ip("route replace default via 10.1.0.1 dev eth0")
            let first = try scene.agent()
            // More flows than slots: some come through the ring, and some through neither.
            let sweep = try FlowSweep(flows: 20_000, from: LabAddress("10.200.0.250"), to: LabAddress("10.1.0.2"))
            let sender = try FrameSender("eth0", in: scene.cable.left)
            try sender.send(sweep, count: 20_000)
            try scene.arrive()
            try first.scanAndCommit()
            let written = first.handedOn
            let deniedBefore = first.denied
            try sender.send(sweep, count: 20_000)
            try scene.arrive()
            try first.scan()
            try first.die()
            let second = try scene.agent()
            try second.scan()
            // The reason is not a lack of room in this agent.
            let (losses, remainder) = try second.perform { datapath in
                let accounts = datapath.watchedAccounts
                return (
                    datapath.losses,
                    accounts.reduce(0) { $0 + $1.ingress.remainder.packets + $1.egress.remainder.packets }
                )
            }
            #expect(losses.unwrittenPackets > 0)
            #expect(losses.packets + losses.unwrittenPackets == remainder)
            try second.stop()
            let account = try second.account(of: "eth0")
            #expect(account.isBalanced)
            #expect(account.ingress.seen.packets >= 40_000)
            #expect(account.ingress.seen == account.ingress.notIP + written.ingress + second.handedOn.ingress)
            #expect(account.ingress.denied.seen == deniedBefore + second.denied)
            #expect(second.contradictions.isEmpty)
        }

        @Test(
            "a table of another size is read to its end, and each packet is in one of the two",
            arguments: [
                AttachMode.auto, .clsact,
            ]
        )
        func tableOfOtherSizeIsDrained(_ mode: AttachMode) throws {
            var scene = try RestartScene(mode)
            let first = try scene.agent()
            try scene.deliver(10)
            try first.scanAndCommit()
            let written = first.handedOn
            try first.die()
            scene.configuration.tableSlots = 2048
            // Traffic continues while the programs are replaced.
            let cable = scene.cable
            let traffic = try BackgroundWork { try cable.send(times: 20_000) }
            let second = try scene.agent()
            let isDraining = second.notices.contains { if case .draining = $0 { true } else { false } }
            #expect(isDraining)
            try second.scanAndCommit()
            _ = try traffic.value()
            try scene.arrive()
            let old = scene.bpffs.pins.filter { $0.contains("-1024-") }
            #expect(old.isEmpty)
            try second.stop()
            try scene.expectTwoTables(of: second, after: written)
        }

        @Test("a table of another version is read without its flows", arguments: [false, true])
        func tableOfOtherVersionIsReadWithoutFlows(diesAgain: Bool) throws {
            let scene = try RestartScene()
            let first = try scene.agent()
            try scene.deliver(10)
            try first.scanAndCommit()
            let written = first.handedOn
            // Unrecorded packets: in the table, in the ring, and drained but not written.
            try scene.deliver(5)
            try first.scan()
            try first.die()
            try scene.deliver(7)
            try scene.changeTableVersion()
            if diesAgain {
                let lost = try scene.agent()
                try lost.scan()
                try lost.die()
            }
            let cable = scene.cable
            let traffic = try BackgroundWork { try cable.send(times: 20_000) }
            let last = try scene.agent()
            let isDraining = last.notices.contains { if case .drainingTotals = $0 { true } else { false } }
            #expect(isDraining)
            try last.scanAndCommit()
            _ = try traffic.value()
            try scene.arrive()
            #expect(scene.bpffs.pins.filter { $0.contains("/v5-") }.isEmpty)
            #expect(try last.perform { $0.losses.unwrittenPackets } >= 12)
            try last.stop()
            try scene.expectTwoTables(of: last, after: written)
        }

        @Test("a table of another version without a description stays")
        func keepsTableWithoutDescription() throws {
            let scene = try RestartScene()
            let first = try scene.agent()
            try scene.deliver(10)
            try first.die()
            try scene.changeTableVersion()
            for pin in scene.bpffs.pins where pin.hasSuffix("/description") { #expect(unlink(pin) == 0) }
            let second = try scene.agent()
            let isUnreadable = second.notices.contains { if case .unreadable = $0 { true } else { false } }
            #expect(isUnreadable)
            try second.scanAndCommit()
            try second.stop()
            #expect(scene.bpffs.pins.contains { $0.contains("/v5-") && $0.hasSuffix("/flows") })
            #expect(!scene.bpffs.pins.contains { $0.contains("/v\(WEIR_ABI_VERSION)-") || $0.hasSuffix("/drop") })
        }

        @Test("a table that was read, and whose records were not written, is read again")
        func uncommittedTableIsDrainedAgain() throws {
            var scene = try RestartScene()
            let first = try scene.agent()
            try scene.deliver(10)
            try first.die()
            scene.configuration.tableSlots = 2048
            let second = try scene.agent()
            try second.scan()
            #expect(second.handedOn.ingress.packets >= 10)
            try second.die()
            let third = try scene.agent()
            try third.scan()
            // Its flows, which have not ended, are read again, too.
            #expect(try third.perform { $0.losses.unwrittenPackets } == 0)
            try third.stop()
            let accounts = third.accounts.filter { $0.name == "eth0" }
            let ip = accounts.reduce(TrafficCounters.zero) { $0 + $1.ingress.seen.since($1.ingress.notIP) }
            #expect(third.handedOn.ingress == ip)
            #expect(ip.packets >= 10)
        }

        /// The first table's notes about the second one must not apply to a later table of the second's layout.
        @Test("tables that alternate, each read by an agent that is killed, lose nothing")
        func alternatingTablesLoseNothing() throws {
            var scene = try RestartScene()
            var written = TrafficCounters.zero
            // Each row: the table, and whether the agent lives until its first records are written.
            for (slots, isWritten) in [(1024, true), (2048, true), (1024, true), (2048, false)] {
                scene.configuration.tableSlots = slots
                let agent = try scene.agent()
                try scene.deliver(200)
                if isWritten { try agent.scanAndCommit() } else { try agent.scan() }
                if isWritten { written = written + agent.handedOn.ingress }
                try agent.die()
            }
            scene.configuration.tableSlots = 1024
            let last = try scene.agent()
            try last.stop()
            let packets = written.packets + last.handedOn.ingress.packets
            let entered = try scene.entered()
            #expect(packets >= 800 && packets <= entered)
            #expect(scene.bpffs.pins.isEmpty)
        }

        @Test("an interface that went away meanwhile is closed, and a new one is watched")
        func followsInterfacesAcrossRestart() throws {
            let scene = try RestartScene()
            try scene.cable.right.ip("link add gone0 type veth peer name gone1")
            for name in ["gone0", "gone1"] { try scene.cable.right.ip("link set \(name) up") }
            let first = try scene.agent()
            let packet = Packet.udp(
                from: try LabAddress("10.2.0.1"),
                port: 1,
                to: try LabAddress("10.2.0.2"),
                port: 2,
                payload: [1]
            )
            try FrameSender("gone1", in: scene.cable.right).send(Packet.ethernet(payload: packet), times: 5)
            let hasTraffic = try eventually {
                try first.scan()
                return try first.account(of: "gone0").ingress.seen.packets > 0
            }
            try #require(hasTraffic)
            try first.scanAndCommit()
            try first.die()
            try scene.cable.right.ip("link del gone0")
            try scene.cable.right.ip("link add new0 type veth peer name new1")
            let second = try scene.agent()
            try second.scan()
            #expect(Set(second.detached) == ["gone0", "gone1"])
            #expect(Set(second.attached).isSuperset(of: ["eth0", "new0", "new1"]))
            let gone = try second.account(of: "gone0")
            #expect(gone.isBalanced)
            #expect(gone.ingress.seen.packets > 0)
            try second.stop()
            #expect(scene.bpffs.pins.isEmpty)
        }

        @Test("a second agent is rejected, and its error has the process ID of the first")
        func rejectsSecondAgent() throws {
            let scene = try RestartScene()
            let first = try scene.agent()
            #expect(throws: DatapathError.running(pid: getpid())) { _ = try scene.agent() }
            // In another network namespace it may run.
            let other = try Monitor(in: scene.cable.left, scene.configuration)
            try other.stop()
            try first.stop()
            try scene.agent().stop()
        }

        @Test("all pins and programs that an agent leaves can be removed", arguments: [AttachMode.auto, .clsact])
        func removeAllRemovesPinsAndPrograms(_ mode: AttachMode) throws {
            let scene = try RestartScene(mode)
            let first = try scene.agent()
            #expect(throws: (any Error).self) {
                try scene.cable.right.run { try Datapath.removeAll(bpffs: scene.bpffs.path) }
            }
            try first.die()
            #expect(!scene.bpffs.pins.isEmpty)
            let removal = try scene.cable.right.run { try Datapath.removeAll(bpffs: scene.bpffs.path) }
            #expect(removal.interfaces == ["eth0"])
            #expect(scene.bpffs.pins.isEmpty)
            #expect(!PinFolder.entries(of: scene.bpffs.path).contains("weir"))
            let qdiscs = try scene.cable.right.command(["tc", "qdisc", "show", "dev", "eth0"])
            #expect(!qdiscs.contains("clsact"))
            let again = try scene.cable.right.run { try Datapath.removeAll(bpffs: scene.bpffs.path) }
            #expect(again.isEmpty)
        }

        @Test("an agent runs without bpffs, and reports that it is not pinned")
        func runsWithoutBPFFS() throws {
            var scene = try RestartScene()
            scene.configuration.bpffs = "/proc"
            let monitor = try scene.agent()
            let isUnpinned = monitor.notices.contains { if case .unpinned = $0 { true } else { false } }
            #expect(isUnpinned)
            try monitor.stop()
            scene.configuration.pinning = .always
            #expect(throws: DatapathError.self) { _ = try scene.agent() }
        }
    }
}
