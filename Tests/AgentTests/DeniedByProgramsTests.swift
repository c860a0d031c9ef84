import Agent
import ForeignPrograms
import Glibc
import Lab
import Testing

/// Drops by other programs and by the kernel's own checks are exactly the denied records.
@Suite(.serialized, .needsRoot)
struct DeniedByProgramsTests {
    /// A program on an interface of the node, and a path through it.
    struct Case: Sendable, CustomTestStringConvertible {
        var program: DroppingProgram
        var interface: String
        var source: PolicyNode.Place
        var destination: PolicyNode.Place
        var reporter: String
        var policies: [String]?
        var reason: String
        var arguments: [String] = []
        /// A ping socket gets errors from its own node's queues, and retries without end.
        var attempts: [Attempt] { Attempt.all.filter { source != .node || $0.proto != .icmp } }
        var testDescription: String {
            "\(program) on \(interface), \(source) → \(destination) \(arguments.joined(separator: " "))"
        }
    }

    /// The place of a program that drops: behind Weir's on the way in, before or behind it on the way out.
    static let cases =
        [
            ("clsact", DroppingProgram.clsact(isEgress: false)), ("tcx", .clsact(isEgress: false)),
            ("tcx", .tcx(isEgress: false)),
        ]
        .map { mode, program in
            Case(
                program: program,
                interface: "caliclient",
                source: .client,
                destination: .db,
                reporter: "src",
                policies: PolicyNode.hit("client", "deny", 0),
                reason: "TC_INGRESS",
                arguments: ["--attach", mode]
            )
        }
        + [
            ("clsact", DroppingProgram.clsact(isEgress: true)), ("clsact", .tcx(isEgress: true)),
            ("tcx", .clsact(isEgress: true)),
        ]
        .map { mode, program in
            Case(
                program: program,
                interface: "eth0",
                source: .client,
                destination: .remote,
                reporter: "src",
                policies: PolicyNode.hit("client", "deny", 1),
                reason: "TC_EGRESS",
                arguments: ["--attach", mode]
            )
        }
        + [
            ("clsact", DroppingProgram.clsact(isEgress: true)), ("clsact", .tcx(isEgress: true)),
            ("tcx", .clsact(isEgress: true)), ("tcx", .tcx(isEgress: true)),
        ]
        .map { mode, program in
            Case(
                program: program,
                interface: "eth0",
                source: .node,
                destination: .outside,
                reporter: "src",
                policies: nil,
                reason: "TC_EGRESS",
                arguments: ["--attach", mode]
            )
        }
        // On the way to a workload of the node: its interface's program counts them, and they never leave.
        + [DroppingProgram.clsact(isEgress: true), .tcx(isEgress: true)].map { program in
            Case(
                program: program,
                interface: "calidb",
                source: .client,
                destination: .db,
                reporter: "src",
                policies: PolicyNode.hit("client", "deny", 0),
                reason: "TC_EGRESS",
                arguments: ["--attach", "tcx"]
            )
        }
        + [false, true].flatMap { isGeneric in
            [
                (PolicyNode.Place.client, PolicyNode.Place.db, "src", PolicyNode.hit("client", "deny", 0)),
                (.remote, .web, "dst", PolicyNode.hit("web", "deny", 1)),
                (.outside, .node, "dst", nil),
            ]
            .map { source, destination, reporter, policies in
                Case(
                    program: .xdp(isGeneric: isGeneric),
                    interface: source == .client ? "caliclient" : "eth0",
                    source: source,
                    destination: destination,
                    reporter: reporter,
                    policies: policies,
                    reason: "XDP"
                )
            }
        }

    @Test(arguments: cases)
    func packetsDroppedByProgramsAreDenied(_ test: Case) throws {
        let lab = try PolicyNode()
        let program = try test.program.attach(to: test.interface, in: lab.node)
        let weir = try lab.run(["--flush-interval", WeirRun.endless, "--poll-interval", "20ms"] + test.arguments)
        var sent: [Attempt: Count] = [:]
        for attempt in test.attempts {
            sent[attempt] = try attempt.make(from: test.source, to: test.destination, in: lab)
        }
        try lab.waitUntilQuiet()
        try weir.finish()
        withExtendedLifetime(program) {}

        let isSource = test.reporter == "src"
        let expected = try test.attempts.map { attempt in
            let denied = try #require(sent[attempt])
            return VerdictRecord(
                action: "deny",
                reporter: test.reporter,
                proto: attempt.protocolName,
                source: try lab.end(test.source, isIPv6: attempt.isIPv6, towards: test.destination),
                destination: try lab.end(test.destination, isIPv6: attempt.isIPv6, towards: test.source),
                port: attempt.recordedPort,
                enforced: test.policies,
                pending: test.policies,
                inbound: isSource ? Count() : denied,
                outbound: isSource ? denied : Count(),
                flows: attempt.flows,
                started: attempt.flows,
                droppedIn: isSource ? 0 : Int(denied.packets),
                droppedOut: isSource ? Int(denied.packets) : 0,
                reason: test.reason
            )
        }
        expectSame(try weir.verdicts(), expected)
        let total = sent.values.reduce(Count(), +)
        // The kernel's own counters have the same total, except for packets of this node, which never reach the cable, and for
        // those that XDP drops, which veth does not count for their sender.
        if test.source != .node, test.program != .xdp(isGeneric: false) {
            #expect(try lab.wire(test.source == .remote ? .outside : test.source).sent == total)
        }
        let report = try weir.report()
        #expect(report.balanced)
        #expect(Count(report.totals.ingress.denied.seen) + Count(report.totals.egress.denied.seen) == total)
    }

    // MARK: The kernel's own checks

    /// An address that the node has no route to.
    @Test func reversePathFilterDropIsDenied() throws {
        let lab = try PolicyNode()
        try lab.node.setSysctl("net.ipv4.conf.eth0.rp_filter", "1")
        let weir = try lab.run(["--flush-interval", WeirRun.endless, "--poll-interval", "20ms"])
        let (stranger, node) = (try LabAddress("203.0.113.9"), try LabAddress(ClusterNode.nodeAddress))
        let packet = Packet.udp(from: stranger, port: 3000, to: node, port: 2000, payload: [1, 2, 3])
        try FrameSender("eth0", in: lab.cluster.outside).send(Packet.ethernet(payload: packet), times: 25)
        try lab.waitUntilQuiet()
        try weir.finish()
        let source = VerdictRecord.End(type: "net", namespace: "-", name: "-", address: "\(stranger)")
        let record = try denied(udp: Count(25, 25 * 31), from: source, to: .node, "IP_RPFILTER", in: lab)
        expectSame(try weir.verdicts(), [record])
        #expect(try lab.wire(.outside).sent == Count(25, 25 * 31))
        #expect(try weir.report().balanced)
    }

    /// A socket with a filter that accepts nothing.
    @Test func socketFilterDropIsDenied() throws {
        let lab = try PolicyNode()
        let socket = try lab.node.run { try RefusingSocket.open(port: Attempt.port) }
        defer { close(socket) }
        let weir = try lab.run(["--flush-interval", WeirRun.endless, "--poll-interval", "20ms"])
        let (outside, node) = (try LabAddress(ClusterNode.outsideAddress), try LabAddress(ClusterNode.nodeAddress))
        let packet = Packet.udp(from: outside, port: 3000, to: node, port: Attempt.port, payload: [1, 2, 3])
        try FrameSender("eth0", in: lab.cluster.outside).send(Packet.ethernet(payload: packet), times: 25)
        try lab.waitUntilQuiet()
        try weir.finish()
        let source = try lab.end(.outside, isIPv6: false, towards: .node)
        let record = try denied(udp: Count(25, 25 * 31), from: source, to: .node, "SOCKET_FILTER", in: lab)
        expectSame(try weir.verdicts(), [record])
        #expect(try lab.wire(.outside).sent == Count(25, 25 * 31))
        #expect(try weir.report().balanced)
    }

    private func denied(
        udp denied: Count,
        from source: VerdictRecord.End,
        to destination: PolicyNode.Place,
        _ reason: String,
        in lab: PolicyNode
    ) throws -> VerdictRecord {
        VerdictRecord(
            action: "deny",
            reporter: "dst",
            proto: "udp",
            source: source,
            destination: try lab.end(destination, isIPv6: false, towards: .outside),
            port: Int(Attempt.port),
            inbound: denied,
            droppedIn: Int(denied.packets),
            reason: reason
        )
    }

    /// Without a listener the packets are dropped, but no policy or program decided so: the action is allow.
    @Test(arguments: [false, true])
    func dropAtClosedPortIsAllowed(isIPv6: Bool) throws {
        let lab = try PolicyNode()
        let weir = try lab.run(["--flush-interval", WeirRun.endless, "--poll-interval", "20ms"])
        let path = TrafficPath(
            from: try lab.namespace(of: .db),
            to: lab.node,
            at: try lab.address(of: .node, isIPv6: isIPv6, towards: .db)
        )
        for _ in 0..<3 { #expect(try path.tcpAttempt(port: 9) == .refused) }
        let pod = try lab.address(of: .db, isIPv6: isIPv6, towards: .node)
        let packet = Packet.udp(from: pod, port: 3000, to: path.address, port: 9, payload: [1, 2, 3])
        try FrameSender("eth0", in: path.client).send(
            Packet.ethernet(destination: [0xee, 0xee, 0xee, 0xee, 0xee, 0xee], payload: packet),
            times: 7
        )
        try lab.waitUntilQuiet()
        try weir.finish()

        let header: UInt64 = isIPv6 ? 40 : 20
        let calls = try ["tcp", "udp"].map { proto in
            let isTCP = proto == "tcp"
            return VerdictRecord(
                action: "allow",
                reporter: "src",
                proto: proto,
                source: try lab.end(.db, isIPv6: isIPv6, towards: .node),
                destination: try lab.end(.node, isIPv6: isIPv6, towards: .db),
                port: 9,
                enforced: PolicyNode.profile,
                pending: PolicyNode.profile,
                // A reset for each SYN; the errors for datagrams are a flow of their own.
                inbound: isTCP ? Count(3, 3 * (header + 20)) : Count(),
                outbound: isTCP ? Count(3, 3 * (header + 40)) : Count(7, 7 * (header + 11)),
                flows: isTCP ? 3 : 1,
                started: isTCP ? 3 : 1,
                droppedOut: isTCP ? 3 : 7,
                reason: "NO_SOCKET"
            )
        }
        let records = try weir.verdicts()
        expectSame(records.filter { !$0.proto.hasPrefix("icmp") }, calls)
        #expect(records.allSatisfy { $0.action == "allow" })
        let wire = try lab.wire(.db)
        #expect(records.outbound == wire.sent)
        #expect(records.inbound == wire.received)
        let report = try weir.report()
        #expect(report.balanced)
        #expect(Count(report.totals.ingress.denied.seen) + Count(report.totals.egress.denied.seen) == Count())
    }
}
