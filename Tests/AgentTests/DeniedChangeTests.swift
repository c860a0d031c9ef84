import Agent
import Foundation
import Lab
import Testing

/// Policies that change while there is traffic: nothing is lost and nothing is counted twice.
@Suite(.serialized, .needsRoot)
struct DeniedChangeTests {
    private let lab: PolicyNode

    init() throws {
        lab = try PolicyNode(policies: Self.policies("Allow"))
        // Super-packets would be one packet in the interface's counters.
        try lab.disableOffloads()
        try lab.node.nft(
            """
            table inet verdicts {
            counter denied {}
            chain closed { type filter hook forward priority 0; }
            }

            """
        )
    }

    /// Policies that allow or deny the client the database, and a staged one that denies it.
    private static func policies(_ action: String, staged: Bool = false) -> String {
        let kinds = staged ? ["StagedNetworkPolicy", "NetworkPolicy"] : ["NetworkPolicy"]
        return kinds.map { kind in
            let isStaged = kind == "StagedNetworkPolicy"
            return """
                apiVersion: projectcalico.org/v3
                kind: \(kind)
                metadata: {name: default.\(isStaged ? "wish" : "client"), namespace: shop}
                spec:
                  order: \(isStaged ? 1 : 2)
                  selector: app == 'client'
                  types: [Egress]
                  egress:
                  - {action: \(isStaged ? "Deny" : action), destination: {selector: app == 'db'}}
                  - {action: Allow}

                """
        }.joined(separator: "---\n")
    }

    private static let allowed = PolicyNode.hit("client", "allow", 0)
    private static let denied = PolicyNode.hit("client", "deny", 0)

    private func traffic() throws -> [SteadyTraffic] {
        let (client, database) = (try lab.namespace(of: .client), try lab.namespace(of: .db))
        let address = try lab.address(of: .db, isIPv6: false, towards: .client)
        // The kernel tries again once a second at least.
        try client.setSysctl("net.ipv4.tcp_rto_max_ms", "1000")
        return try [(true, 2000), (false, 2001), (false, 2002)].map { isStream, port in
            try SteadyTraffic(isStream: isStream, from: client, to: database, at: address, port: port, pause: 3)
        }
    }

    /// Waits until all three connections have new records of the client that meet a condition.
    private func wait(_ weir: WeirRun, for name: String, _ isRight: (VerdictRecord) -> Bool) throws {
        let known = weir.lines.count
        let isThere = eventually(within: .seconds(20)) {
            let news = (try? weir.lines.dropFirst(known).map { try VerdictRecord($0) }) ?? []
            return Set(news.filter { $0.reporter == "src" && isRight($0) }.map(\.port)).count == 3
        }
        try #require(isThere, "no records that are \(name): \(weir.lines.suffix(8).joined(separator: "\n"))")
    }

    // MARK: Allow, deny, allow

    @Test func verdictChangeSplitsCounters() throws {
        let weir = try lab.run(["--poll-interval", "50ms"])
        let traffic = try traffic()
        try wait(weir, for: "allowed") { $0.action == "allow" && $0.pending == Self.allowed }

        try lab.write(policies: Self.policies("Deny"))
        try wait(weir, for: "allowed still") { $0.action == "allow" && $0.pending == Self.denied }
        let (client, database) = (
            try lab.address(of: .client, isIPv6: false, towards: .db),
            try lab.address(of: .db, isIPv6: false, towards: .client)
        )
        try lab.node.nft(
            "add rule inet verdicts closed ip saddr \(client) ip daddr \(database) counter name denied drop"
        )
        // Retries come in every interval.
        for _ in 0..<3 {
            try wait(weir, for: "denied") {
                $0.action == "deny" && $0.outbound.packets > 0 && $0.enforced == Self.denied
            }
        }
        try lab.write(policies: Self.policies("Allow"))
        try wait(weir, for: "denied still") { $0.action == "deny" && $0.pending == Self.allowed }
        try lab.node.nft("flush chain inet verdicts closed")
        try wait(weir, for: "allowed again") { $0.action == "allow" && $0.inbound.packets + $0.outbound.packets > 0 }

        // A connection that is closed while Weir runs completes, if Weir runs for long enough.
        for connection in traffic { try connection.pause() }
        try lab.silencePods()
        try weir.finish()
        for connection in traffic { try connection.end() }
        try expectAccounted(weir)
        for port in 2000...2002 { try expectSplit(weir.verdicts().filter { $0.port == port }) }
    }

    private func expectAccounted(_ weir: WeirRun) throws {
        let (records, dropped) = (try weir.verdicts(), try #require(try lab.firewallCounters()["denied"]))
        let (client, database) = (try lab.wire(.client), try lab.wire(.db))
        let (own, theirs) = (records.filter { $0.reporter == "src" }, records.filter { $0.reporter == "dst" })
        #expect(own.outbound == client.sent)
        #expect(own.inbound == client.received)
        #expect(theirs.inbound == database.received)
        #expect(theirs.outbound == database.sent)
        #expect(own.with("deny").outbound == dropped)
        #expect(own.with("allow").outbound == database.received)
        #expect(theirs.with("deny").isEmpty)
        let report = try weir.report()
        #expect(report.balanced)
        #expect(Count(report.totals.ingress.seen) == client.sent + database.sent, "after Weir had ended")
        #expect(Count(report.totals.ingress.denied.seen) == dropped)
    }

    /// The client's records of one connection.
    private func expectSplit(_ records: [VerdictRecord]) throws {
        let own = records.filter { $0.reporter == "src" }
        let (allowed, denied) = (own.with("allow"), own.with("deny"))
        #expect(allowed.allSatisfy { $0.reason == nil && $0.droppedOut == 0 })
        let odd = allowed.filter { $0.enforced != Self.allowed }
        #expect(odd.isEmpty, "\(odd)")
        #expect(denied.allSatisfy { $0.enforced == Self.denied || $0.enforced == Self.allowed })
        #expect(denied.allSatisfy { $0.reason == "NETFILTER_DROP" || $0.outbound == Count() })
        #expect(denied.allSatisfy { $0.droppedOut == Int($0.outbound.packets) })
        func number(_ records: [VerdictRecord], _ of: (VerdictRecord) -> Int) -> Int {
            records.reduce(0) { $0 + of($1) }
        }
        // Allowed, denied by one rule, denied although the new rule allows it by then, allowed.
        let byRule = denied.filter { $0.enforced == Self.denied }
        #expect(number(byRule) { $0.started } == 1)
        #expect(number(byRule) { $0.completed } == 1)
        #expect(number(denied) { $0.completed } == number(denied) { $0.started })
        // A verdict that ends and returns within an interval starts and completes once there.
        let (started, completed) = (number(allowed) { $0.started }, number(allowed) { $0.completed })
        #expect(started >= 2)
        #expect(completed >= 1 && completed <= started)
        // The records of the destination do not change.
        let theirs = records.filter { $0.reporter == "dst" }
        #expect(theirs.allSatisfy { $0.enforced == PolicyNode.profile && $0.action == "allow" })
        #expect(number(theirs) { $0.started } == 1)
        #expect(number(theirs) { $0.completed } == 0)
    }

    // MARK: Staged

    @Test func stagedPolicyChangesPendingPolicies() throws {
        let weir = try lab.run()
        let traffic = try traffic()
        try wait(weir, for: "allowed") { $0.action == "allow" && $0.pending == Self.allowed }
        try lab.write(policies: Self.policies("Allow", staged: true))
        let wish = ["0|default|shop/default.staged:wish|deny|0"]
        try wait(weir, for: "pending") { $0.pending == wish }
        try lab.write(policies: Self.policies("Allow"))
        try wait(weir, for: "not pending any more") { $0.pending == Self.allowed }
        // A connection that is closed while Weir runs completes, if Weir runs for long enough.
        for connection in traffic { try connection.pause() }
        try lab.silencePods()
        try weir.finish()
        for connection in traffic { try connection.end() }
        let own = try weir.verdicts().filter { $0.reporter == "src" }
        #expect(own.allSatisfy { $0.enforced == Self.allowed && $0.action == "allow" && $0.completed == 0 })
        #expect(own.reduce(0) { $0 + $1.started } == 3)
        // The pending policies change once, and then change back.
        for port in 2000...2002 {
            let pending = own.filter { $0.port == port }.map(\.pending)
            #expect(zip(pending, pending.dropFirst()).filter { $0 != $1 }.count == 2)
        }
        try expectAccounted(weir)
    }
}
