import Lab
import Testing

@Suite("Traffic", .needsRoot)
struct TrafficTests {
    @Test(arguments: [false, true], [(1, 0, 0), (1, 1, 1), (200, 100, 2000), (2, 3_000_000, 5_000_000)])
    func tcpDeliversAllBytes(_ isIPv6: Bool, _ plan: (connections: Int, request: Int, response: Int)) throws {
        let result = try Cable().path(isIPv6: isIPv6).tcp(
            connections: plan.connections,
            request: plan.request,
            response: plan.response,
            port: 80
        )
        let requests = TrafficCount(messages: plan.connections, bytes: plan.connections * plan.request)
        let responses = TrafficCount(messages: plan.connections, bytes: plan.connections * plan.response)
        #expect(result.clientSent == requests)
        #expect(result.serverReceived == requests)
        #expect(result.serverSent == responses)
        #expect(result.clientReceived == responses)
    }

    @Test(arguments: [false, true], [(1, 0), (5000, 100), (300, 1472), (40, 4000), (20, 65507)])
    func udpDeliversAllDatagrams(_ isIPv6: Bool, _ plan: (count: Int, size: Int)) throws {
        let result = try Cable().path(isIPv6: isIPv6).udp(count: plan.count, size: plan.size)
        let all = TrafficCount(messages: plan.count, bytes: plan.count * plan.size)
        #expect(result.clientSent == all)
        #expect(result.serverReceived == all)
        #expect(result.serverSent == TrafficCount())
    }

    @Test(arguments: [false, true])
    func udpUsesGivenPorts(_ isIPv6: Bool) throws {
        let cable = try Cable()
        try cable.right.nft(
            """
            table inet lab {
                chain input {
                    type filter hook input priority 0;
                    udp sport 5353 udp dport 53 counter packets 0 bytes 0
                }
            }
            """
        )
        let result = try cable.path(isIPv6: isIPv6).udp(count: 500, size: 40, reply: 120, port: 53, sourcePort: 5353)
        #expect(result.serverReceived == TrafficCount(messages: 500, bytes: 20_000))
        #expect(result.serverSent == TrafficCount(messages: 500, bytes: 60_000))
        #expect(result.clientReceived == result.serverSent)
        #expect(try cable.right.command(["nft", "list", "ruleset"]).contains("counter packets 500 "))
    }

    @Test func pacedTrafficTakesExpectedTime() throws {
        let path = try Cable().path()
        var result = TrafficResult()
        let duration = try ContinuousClock().measure { result = try path.udp(count: 51, perSecond: 500) }
        #expect(result.serverReceived.messages == 51)
        #expect(duration >= .milliseconds(100))
    }

    @Test(arguments: [false, true], [(1, 0), (2000, 56), (30, 8000)])
    func pingsAreAnswered(_ isIPv6: Bool, _ plan: (count: Int, size: Int)) throws {
        let cable = try Cable()
        let result = try cable.path(isIPv6: isIPv6).ping(count: plan.count, size: plan.size, identifier: 4711)
        let all = TrafficCount(messages: plan.count, bytes: plan.count * (plan.size + 8))
        #expect(result.clientSent == all)
        #expect(result.clientReceived == all)
        let answered =
            try isIPv6
            ? cable.right.protocolCounter6("Icmp6OutEchoReplies") : cable.right.protocolCounter("Icmp", "OutEchoReps")
        #expect(answered == plan.count)
    }

    @Test(arguments: [false, true], [UInt8(253), 132])
    func rawIPDeliversOtherProtocols(_ isIPv6: Bool, _ proto: UInt8) throws {
        let path = try Cable().path(isIPv6: isIPv6)
        for (count, size) in [(1000, 40), (20, 5000)] {
            let result = try path.rawIP(proto: proto, payload: [UInt8](repeating: 9, count: size), count: count)
            #expect(result.clientSent == TrafficCount(messages: count, bytes: count * size))
            #expect(result.serverReceived == result.clientSent)
        }
    }

    @Test func largeDatagramsAreFragmented() throws {
        let cable = try Cable()
        _ = try cable.path().udp(count: 30, size: 4000)
        _ = try cable.path(isIPv6: true).udp(count: 30, size: 4000)
        #expect(try cable.right.protocolCounter("Ip", "ReasmOKs") == 30)
        #expect(try cable.right.protocolCounter("Ip", "ReasmReqds") == 90)
        #expect(try cable.right.protocolCounter6("Ip6ReasmOKs") == 30)
    }

    // MARK: Failures

    private static func rules(_ rule: String) -> String {
        "table inet lab {\n chain input { type filter hook input priority 0; meta l4proto \(rule); }\n }"
    }

    @Test func resultExcludesDroppedPackets() throws {
        let cable = try Cable()
        try cable.right.nft(Self.rules("{ udp, icmp } drop"))
        var path = try cable.path()
        path.timeout = .milliseconds(50)
        #expect(try path.udp(count: 10).clientSent.messages == 10)
        #expect(try path.udp(count: 10).serverReceived.messages == 0)
        #expect(try path.ping(count: 10).clientReceived.messages == 0)
    }

    @Test func droppedConnectionTimesOut() throws {
        let cable = try Cable()
        try cable.right.nft(Self.rules("tcp drop"))
        var path = try cable.path()
        path.timeout = .milliseconds(50)
        #expect(throws: LabError.timeout(operation: "TCP to 10.1.0.2 port 80", progress: "no connection")) {
            try path.tcp(port: 80)
        }
        #expect(try path.tcpAttempt(port: 80) == .timedOut)
    }

    @Test func rejectedConnectionIsRefused() throws {
        let cable = try Cable()
        #expect(try cable.path().tcpAttempt(port: 80) == .refused)
        try cable.right.nft(Self.rules("tcp reject with tcp reset"))
        #expect(throws: LabError.system(operation: "TCP to 10.1.0.2 port 80", code: 111)) {
            try cable.path().tcp(port: 80)
        }
    }

    @Test func reportsAddressMissingOnServer() throws {
        let cable = try Cable()
        let path = TrafficPath(from: cable.left, to: cable.right, at: try LabAddress("10.9.9.9"))
        let error = #expect(throws: LabError.self) { try path.udp(count: 1, port: 7) }
        #expect(error?.description == "bind to 10.9.9.9 port 7: Cannot assign requested address (errno 99)")
    }
}
