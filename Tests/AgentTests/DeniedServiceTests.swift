import Agent
import ForeignPrograms
import Foundation
import Lab
import Testing

/// Denials behind address translation: records name the backend and the service.
@Suite(.serialized, .needsRoot)
struct DeniedServiceTests {
    /// A call of a translated address, and its expected records.
    struct Case: Sendable, CustomTestStringConvertible {
        var source: PolicyNode.Place
        var called: String
        var isUDP = false
        var calledPort: UInt16
        /// The expected records: reporter, action and hits.
        var records: [(reporter: String, action: String, policies: [String])]
        var service: String
        var testDescription: String { "\(source) → \(called) \(isUDP ? "udp" : "tcp") \(calledPort)" }
        var isIPv6: Bool { called.contains(":") }
        /// Behind the translation.
        var port: Int { isUDP ? 5353 : 8080 }
    }

    static let cases =
        [("10.96.0.10", false), ("fd96::10", false), ("10.96.0.10", true)].map { address, isUDP in
            Case(
                source: .client,
                called: address,
                isUDP: isUDP,
                calledPort: isUDP ? 53 : 80,
                records: [("src", "deny", PolicyNode.hit("client", "deny", isUDP ? 3 : 2))],
                service: isUDP ? "shop/names 53" : "shop/web 80"
            )
        }
        + [("10.96.0.10", false), ("fd96::10", true)].map { address, isUDP in
            Case(
                source: .db,
                called: address,
                isUDP: isUDP,
                calledPort: isUDP ? 53 : 80,
                records: [
                    ("src", "allow", PolicyNode.profile),
                    ("dst", "deny", PolicyNode.hit("web", "deny", isUDP ? 3 : 2)),
                ],
                service: isUDP ? "shop/names 53" : "shop/web 80"
            )
        }
        + [
            Case(
                source: .outside,
                called: ClusterNode.nodeAddress,
                calledPort: ClusterNode.nodePort,
                records: [("dst", "deny", PolicyNode.hit("web", "deny", 2))],
                service: "shop/web 30080"
            )
        ]

    @Test(arguments: cases)
    func recordsNameBackend(_ test: Case) throws {
        let lab = try PolicyNode()
        let family = test.isIPv6 ? "ip6" : "ip"
        let backend = try lab.address(of: .web, isIPv6: test.isIPv6, towards: test.source)
        try lab.node.nft(
            """
            table inet verdicts {
            counter denied {}
            chain closed {
            type filter hook forward priority 0;
            \(family) daddr \(backend) th dport \(test.port) counter name denied drop;
            }
            }

            """
        )
        let weir = try lab.run(["--flush-interval", WeirRun.endless, "--poll-interval", "20ms"])
        try call(test, in: lab)
        try lab.waitUntilQuiet()
        try weir.finish()

        let denied = try #require(try lab.firewallCounters()["denied"])
        #expect(denied.packets == (test.isUDP ? 30 : 2))
        let expected = try test.records.map { reporter, action, policies in
            let (isSource, isDenied) = (reporter == "src", action == "deny")
            return VerdictRecord(
                action: action,
                reporter: reporter,
                proto: test.isUDP ? "udp" : "tcp",
                source: try lab.end(test.source, isIPv6: test.isIPv6, towards: .node),
                destination: try lab.end(.web, isIPv6: test.isIPv6, towards: test.source),
                port: test.port,
                service: test.service,
                enforced: policies,
                pending: policies,
                inbound: isSource ? Count() : denied,
                outbound: isSource ? denied : Count(),
                flows: test.isUDP ? 1 : 2,
                started: test.isUDP ? 1 : 2,
                droppedIn: isDenied && !isSource ? Int(denied.packets) : 0,
                droppedOut: isDenied && isSource ? Int(denied.packets) : 0,
                reason: isDenied ? "NETFILTER_DROP" : nil
            )
        }
        expectSame(try weir.verdicts(), expected)
        #expect(try lab.wire(test.source).sent == denied)
        #expect(try lab.wire(.web) == (Count(), Count()))
        #expect(try weir.report().balanced)
    }

    private func call(_ test: Case, in lab: PolicyNode) throws {
        let namespace = try lab.namespace(of: test.source)
        let address = try LabAddress(test.called)
        guard test.isUDP else {
            let path = TrafficPath(from: namespace, to: namespace, at: address, timeout: .milliseconds(20))
            for _ in 0..<2 { #expect(try path.tcpAttempt(port: test.calledPort) == .timedOut) }
            return
        }
        let source = try lab.address(of: test.source, isIPv6: test.isIPv6, towards: .node)
        let packet = Packet.udp(from: source, port: 3000, to: address, port: test.calledPort, payload: [1, 2, 3])
        let node: [UInt8] = [0xee, 0xee, 0xee, 0xee, 0xee, 0xee]
        try FrameSender("eth0", in: namespace).send(Packet.ethernet(destination: node, payload: packet), times: 30)
    }

    /// Denied at the uplink, when the source already has the node's address: before the last hook of the firewall, or by a
    /// program.
    @Test(arguments: [true, false])
    func attributesMasqueradedDropsToPod(isProgram: Bool) throws {
        let lab = try PolicyNode()
        let weir = try lab.run(["--flush-interval", WeirRun.endless, "--poll-interval", "20ms", "--attach", "clsact"])
        var program: AttachedProgram?
        if isProgram {
            program = try DroppingProgram.clsact(isEgress: true).attach(to: "eth0", in: lab.node)
        } else {
            try lab.node.nft(
                """
                table ip verdicts {
                chain closed {
                type filter hook postrouting priority 300;
                ip saddr \(ClusterNode.nodeAddress) tcp sport 40000-40999 drop;
                }
                }

                """
            )
        }
        let path = TrafficPath(
            from: try lab.namespace(of: .client),
            to: lab.cluster.outside,
            at: try LabAddress(ClusterNode.outsideAddress),
            timeout: .milliseconds(20)
        )
        for _ in 0..<3 { #expect(try path.tcpAttempt(port: 443) == .timedOut) }
        try lab.waitUntilQuiet()
        try weir.finish()
        withExtendedLifetime(program) {}

        let sent = try lab.wire(.client).sent
        #expect(sent.packets == 3)
        let expected = VerdictRecord(
            action: "deny",
            reporter: "src",
            proto: "tcp",
            source: try lab.end(.client, isIPv6: false, towards: .outside),
            destination: try lab.end(.outside, isIPv6: false, towards: .client),
            port: 443,
            enforced: PolicyNode.hit("client", "deny", 4),
            pending: PolicyNode.hit("client", "deny", 4),
            outbound: sent,
            flows: 3,
            started: 3,
            droppedOut: 3,
            reason: isProgram ? "TC_EGRESS" : "NETFILTER_DROP"
        )
        expectSame(try weir.verdicts(), [expected])
        #expect(try weir.report().balanced)
    }
}
