import Agent
import Foundation
import Lab
import Testing

/// Disagreements of kernel and policies: the record has the kernel's action, and the log names the pair.
@Suite(.serialized, .needsRoot)
struct DeniedDisagreementTests {
    private static let dropped = "the kernel dropped what policies allow"
    private static let letThrough = "the kernel let through what policies deny"

    /// Returns the number of log lines with a text.
    private func count(_ text: String, in weir: WeirRun) -> Int {
        weir.process.errors.components(separatedBy: text).count - 1
    }

    /// Calls the web server's port 7 from the database until the records of several intervals have it, and the log has the
    /// disagreement `lines` times.
    ///
    /// A flow that begins within a second of the start may be older: it has records, but is not logged.
    private func callRepeatedly(
        _ weir: WeirRun,
        in lab: PolicyNode,
        action: String,
        _ text: String,
        lines: Int = 1
    ) throws {
        let path = TrafficPath(
            from: try lab.namespace(of: .db),
            to: try lab.namespace(of: .web),
            at: try lab.address(of: .web, isIPv6: false, towards: .db),
            timeout: .milliseconds(20)
        )
        let isThere = try eventually(within: .seconds(20)) {
            _ = try path.udp(count: 3, port: 7)
            usleep(50_000)
            let records = (try? weir.verdicts()) ?? []
            return records.filter { $0.action == action && $0.reporter == "src" && $0.started > 0 }.count >= 3
                && self.count(text, in: weir) >= lines
        }
        try #require(isThere, "\(weir.lines)")
    }

    /// No policy denies the database the web server.
    @Test(arguments: [false, true])
    func recordsAndLogsDropsOfAllowedTraffic(showsAll: Bool) throws {
        let lab = try PolicyNode()
        try lab.node.nft(
            """
            table inet verdicts {
            counter denied {}
            chain closed {
            type filter hook forward priority 0;
            iifname calidb udp dport != 5353 counter name denied drop;
            }
            }

            """
        )
        let weir = try lab.run(["--aggregation-denied", "2"] + (showsAll ? ["--mismatches"] : []))
        try callRepeatedly(weir, in: lab, action: "deny", Self.dropped, lines: showsAll ? 3 : 1)
        try lab.waitUntilQuiet()
        try weir.finish()

        let (records, counters) = (try weir.verdicts(), try lab.firewallCounters())
        #expect(records.allSatisfy { $0.action == "deny" && $0.reporter == "src" && $0.enforced == PolicyNode.profile })
        #expect(records.outbound == counters["denied"])
        let lines = count(Self.dropped, in: weir)
        #expect(showsAll ? lines >= 3 : lines == 1, "\(weir.process.errors)")
        #expect(count(Self.letThrough, in: weir) == 0)
        let line = try #require(weir.process.errors.split(separator: "\n").first { $0.contains(Self.dropped) })
        for word in ["shop/db-7d4f9c-*", "shop/web-7d4f9c-*", "reporter=src", "NETFILTER_DROP", PolicyNode.profile[0]] {
            #expect(line.contains(word), "\(line)")
        }
    }

    /// A policy that no firewall enforces.
    @Test func recordsAndLogsPassedTrafficThatPoliciesDeny() throws {
        let lab = try PolicyNode(
            policies: """
                apiVersion: projectcalico.org/v3
                kind: NetworkPolicy
                metadata: {name: default.web, namespace: shop}
                spec: {selector: app == 'web', types: [Ingress], ingress: [{action: Deny}]}

                """
        )
        let weir = try lab.run(["--aggregation-allowed", "2"])
        try callRepeatedly(weir, in: lab, action: "allow", Self.letThrough)
        try lab.waitUntilQuiet()
        try weir.finish()

        let (records, wire) = (try weir.verdicts(), try lab.wire(.web))
        #expect(records.allSatisfy { $0.action == "allow" && $0.reason == nil })
        #expect(records.filter { $0.reporter == "src" }.allSatisfy { $0.enforced == PolicyNode.profile })
        #expect(records.filter { $0.reporter == "dst" }.allSatisfy { $0.enforced == PolicyNode.hit("web", "deny", 0) })
        #expect(records.filter { $0.reporter == "dst" }.inbound == wire.received)
        #expect(count(Self.letThrough, in: weir) == 1, "\(weir.process.errors)")
        #expect(count(Self.dropped, in: weir) == 0)
    }

    // MARK: Without policies

    /// A host without an inventory: dropped packets are denied, without a policy.
    @Test(arguments: [false, true])
    func hostWithoutInventoryRecordsDenialsWithoutPolicies(isIPv6: Bool) throws {
        let folder = try TemporaryFolder()
        let cable = try Cable()
        try cable.node.nft(
            """
            table inet verdicts {
            counter come {}
            counter go {}
            chain input { type filter hook input priority 0; udp dport 2000 counter name come drop; }
            chain output { type filter hook output priority 0; udp dport 2001 counter name go drop; }
            }

            """
        )
        let weir = try WeirRun(
            in: cable.node,
            folder,
            ["--aggregation-allowed", "1", "--extended-fields", "--flush-interval", WeirRun.endless, "--host", "plain"]
        )
        let before = try cable.counters
        try send(cable.toNode(isIPv6: isIPv6), port: 2000)
        // The sender gets the firewall's error.
        #expect(throws: LabError.self) { try send(cable.toPeer(isIPv6: isIPv6), port: 2001) }
        try cable.waitUntilQuiet()
        try weir.finish()

        let counters = try FirewallCounters.read(in: cable.node)
        let records = try weir.verdicts()
        #expect(records.count == 2)
        #expect(records.allSatisfy { $0.action == "deny" && $0.enforced == nil && $0.pending == nil })
        #expect(records.allSatisfy { $0.reason == "NETFILTER_DROP" && $0.flows == 1 && $0.service == "-/- null" })
        let (inward, outward) = (records.filter { $0.reporter == "dst" }, records.filter { $0.reporter == "src" })
        #expect(inward.inbound == counters["come"])
        #expect(inward.outbound == Count())
        #expect(outward.outbound == counters["go"])
        #expect(outward.inbound == Count())
        #expect(inward.map(\.destination.name) == ["plain"])
        #expect(outward.map(\.source.name) == ["plain"])
        let wire = try cable.counters.since(before)
        #expect(inward.inbound.packets == wire.receivedPackets)
        #expect(inward.inbound.bytes == wire.receivedBytes - 14 * wire.receivedPackets)
        #expect(wire.sentPackets == 0)
        #expect(try weir.report().balanced)
    }

    private func send(_ path: TrafficPath, port: UInt16) throws {
        var path = path
        path.timeout = .milliseconds(20)
        _ = try path.udp(count: 40, size: 100, port: port, sourcePort: 3000)
    }
}
