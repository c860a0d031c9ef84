import Agent
import Foundation
import Lab
import Testing

/// Packets that the firewall drops or refuses, on every path through the node, are exactly the denied records.
@Suite(.serialized, .needsRoot)
struct DeniedFlowTests {
    /// A path through the node that the firewall closes, and the records of both ends.
    struct Way: Sendable, CustomTestStringConvertible {
        var source: PolicyNode.Place
        var destination: PolicyNode.Place
        var hook: String
        var records: [Side]
        var testDescription: String { "\(source) → \(destination)" }
    }

    /// The expected record of an end.
    struct Side: Sendable {
        var reporter: String
        var action: String
        var policies: [String]?
        /// Whether the packets pass the interface of the reporting end, and so do the answers.
        var isOnTheWay: Bool
    }

    static let ways = [
        Way(
            source: .client,
            destination: .db,
            hook: "forward",
            records: [source("deny", PolicyNode.hit("client", "deny", 0))]
        ),
        Way(
            source: .client,
            destination: .web,
            hook: "forward",
            records: [
                source("allow", PolicyNode.hit("client", "allow", 5)),
                destination(PolicyNode.hit("web", "deny", 0), isOnTheWay: false),
            ]
        ),
        Way(
            source: .client,
            destination: .remote,
            hook: "forward",
            records: [source("deny", PolicyNode.hit("client", "deny", 1))]
        ),
        Way(
            source: .remote,
            destination: .web,
            hook: "forward",
            records: [destination(PolicyNode.hit("web", "deny", 1), isOnTheWay: false)]
        ),
        Way(source: .outside, destination: .node, hook: "input", records: [destination(nil, isOnTheWay: true)]),
        Way(source: .node, destination: .outside, hook: "output", records: [source("deny", nil, isOnTheWay: false)]),
        // No policy denies these two; the source records them.
        Way(source: .db, destination: .node, hook: "input", records: [source("deny", PolicyNode.profile)]),
        Way(source: .node, destination: .db, hook: "output", records: [source("deny", nil, isOnTheWay: false)]),
    ]

    private static func source(_ action: String, _ policies: [String]?, isOnTheWay: Bool = true) -> Side {
        Side(reporter: "src", action: action, policies: policies, isOnTheWay: isOnTheWay)
    }

    private static func destination(_ policies: [String]?, isOnTheWay: Bool) -> Side {
        Side(reporter: "dst", action: "deny", policies: policies, isOnTheWay: isOnTheWay)
    }

    @Test(arguments: ways, ["drop", "reject"])
    func bothEndsRecordVerdictsOfTheirPolicies(_ way: Way, verdict: String) throws {
        let lab = try PolicyNode()
        try close(way, verdict, in: lab)
        let weir = try lab.run(["--flush-interval", WeirRun.endless, "--poll-interval", "20ms"])
        for attempt in Attempt.all { try attempt.make(from: way.source, to: way.destination, in: lab) }
        try lab.waitUntilQuiet()
        try weir.finish()

        let counted = try lab.firewallCounters()
        var expected: [VerdictRecord] = []
        for attempt in Attempt.all {
            let denied = try #require(counted[attempt.name])
            #expect(denied.packets > 0)
            for side in way.records {
                expected.append(try record(side, way, attempt, denied, isRefused: verdict == "reject", in: lab))
            }
        }
        let records = try weir.verdicts()
        // The errors that the node sends are allowed.
        let errors = records.filter { $0.action == "allow" && $0.source.name == "node-1" && $0.proto.hasPrefix("icmp") }
        expectSame(records.filter { !errors.contains($0) }, expected)
        #expect(errors.isEmpty || verdict == "reject")
        try expectAccounted(records, way, in: lab)
        try expectDenied(weir, counted)
    }

    /// A rule for each attempt, in the only direction that it is made.
    private func close(_ way: Way, _ verdict: String, in lab: PolicyNode) throws {
        let rules = try Attempt.all.map { attempt in
            let family = attempt.isIPv6 ? "ip6" : "ip"
            let address = try lab.address(of: way.destination, isIPv6: attempt.isIPv6, towards: way.source)
            let refusal = attempt.proto == .tcp ? "reject with tcp reset" : "reject"
            return "\(family) daddr \(address) \(attempt.match) counter name \(attempt.name) "
                + (verdict == "reject" ? refusal : verdict)
        }
        try lab.node.nft(
            """
            table inet verdicts {
            \(Attempt.all.map { "counter \($0.name) {}" }.joined(separator: "\n"))
            chain closed {
            type filter hook \(way.hook) priority 0;
            \(rules.joined(separator: "\n"))
            }
            }

            """
        )
    }

    private func record(
        _ side: Side,
        _ way: Way,
        _ attempt: Attempt,
        _ denied: Count,
        isRefused: Bool,
        in lab: PolicyNode
    ) throws -> VerdictRecord {
        let isSource = side.reporter == "src"
        // A reset is a bare header of TCP.
        let reset = denied.packets * (attempt.isIPv6 ? 60 : 40)
        let answers =
            isRefused && attempt.proto == .tcp && side.isOnTheWay ? Count(denied.packets, reset) : Count()
        let isDenied = side.action == "deny"
        return VerdictRecord(
            action: side.action,
            reporter: side.reporter,
            proto: attempt.protocolName,
            source: try lab.end(way.source, isIPv6: attempt.isIPv6, towards: way.destination),
            destination: try lab.end(way.destination, isIPv6: attempt.isIPv6, towards: way.source),
            port: attempt.recordedPort,
            enforced: side.policies,
            pending: side.policies,
            inbound: isSource ? answers : denied,
            outbound: isSource ? denied : answers,
            flows: attempt.flows,
            started: attempt.flows,
            droppedIn: isDenied && !isSource ? Int(denied.packets) : 0,
            droppedOut: isDenied && isSource ? Int(denied.packets) : 0,
            reason: isDenied ? "NETFILTER_DROP" : nil
        )
    }

    // MARK: Sums

    /// The records of both ends have the packets on their cables and those that were denied before they reached a cable.
    private func expectAccounted(_ records: [VerdictRecord], _ way: Way, in lab: PolicyNode) throws {
        for pod in [PolicyNode.Place.client, .web, .db] {
            let own = records.reported(by: try lab.end(pod, isIPv6: false, towards: .node).name)
            let wire = try lab.wire(pod)
            #expect(own.outbound == wire.sent, "\(pod)")
            #expect(own.inbound == wire.received + own.with("deny").filter { $0.reporter == "dst" }.inbound, "\(pod)")
        }
        guard way.source == .outside || way.destination == .outside else { return }
        let (own, wire) = (records.reported(by: "node-1"), try lab.wire(.outside))
        #expect(own.inbound == wire.sent)
        #expect(own.outbound == wire.received + own.with("deny").filter { $0.reporter == "src" }.outbound)
    }

    private func expectDenied(_ weir: WeirRun, _ counted: [String: Count]) throws {
        let report = try weir.report()
        #expect(report.balanced)
        let (ingress, egress) = (report.totals.ingress.denied.seen, report.totals.egress.denied.seen)
        #expect(Count(ingress) + Count(egress) == counted.values.reduce(Count(), +))
        #expect(try weir.verdicts().with("deny").map { $0.inbound.packets + $0.outbound.packets }.reduce(0, +) > 0)
    }
}
