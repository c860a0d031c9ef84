import Agent
import Foundation
import Lab
import Testing

/// A gateway between two networks, with host endpoints on both interfaces, and a firewall that enforces their policies.
private struct Gateway {
    let gateway: NetworkNamespace
    let client: NetworkNamespace
    let server: NetworkNamespace
    let folder: TemporaryFolder
    private let earlier: InterfaceCounters

    static let entrance = "eth0"
    static let exit = "eth1"

    init() throws {
        folder = try TemporaryFolder()
        (gateway, client, server) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
        _ = try VethPair(
            VethEnd(gateway, interface: Self.entrance, addresses: ["192.0.2.1/24", "2001:db8:1::1/64"]),
            VethEnd(client, addresses: ["192.0.2.10/24", "2001:db8:1::10/64"])
        )
        _ = try VethPair(
            VethEnd(gateway, interface: Self.exit, addresses: ["198.51.100.1/24", "2001:db8:2::1/64"]),
            VethEnd(server, addresses: ["198.51.100.20/24", "2001:db8:2::20/64"])
        )
        let off = ["tso": false, "gso": false, "gro": false, "tx": false]
        for interface in [Self.entrance, Self.exit] { try gateway.setOffloads(interface, off) }
        for end in [client, server] { try end.setOffloads("eth0", off) }
        try client.ip("route add default via 192.0.2.1")
        try client.ip("-6 route add default via 2001:db8:1::1")
        try server.ip("route add default via 198.51.100.1")
        try server.ip("-6 route add default via 2001:db8:2::1")
        try gateway.nft(Self.firewall)
        try Self.objects.write(toFile: folder.file("objects.yaml"), atomically: true, encoding: .utf8)
        try gateway.setSysctl("net.ipv4.ip_forward", "1")
        try gateway.setSysctl("net.ipv6.conf.all.forwarding", "1")
        earlier = try gateway.counters(of: Self.entrance)
    }

    private static let firewall = """
        table inet policies {
          counter pre {}
          counter in {}
          counter out {}
          chain prerouting {
            type filter hook prerouting priority mangle
            iifname "eth0" udp dport 2002 counter name pre drop
          }
          chain forward {
            type filter hook forward priority 0
            iifname "eth0" udp dport 2003 counter name in drop
          }
          chain postrouting {
            type filter hook postrouting priority 0
            oifname "eth1" udp dport 2004 counter name out drop
          }
          chain translated {
            type nat hook prerouting priority dstnat
            ip daddr 192.0.2.1 tcp dport 30080 dnat ip to 198.51.100.20:8080
            ip6 daddr 2001:db8:1::1 tcp dport 30080 dnat ip6 to [2001:db8:2::20]:8080
          }
        }
        """

    private static let objects = """
        apiVersion: projectcalico.org/v3
        kind: HostEndpoint
        metadata: {name: gw-eth0, labels: {role: entrance}}
        spec: {node: gw, interfaceName: eth0}
        ---
        apiVersion: projectcalico.org/v3
        kind: HostEndpoint
        metadata: {name: gw-eth1, labels: {role: exit}}
        spec: {node: gw, interfaceName: eth1}
        ---
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: default.pre}
        spec:
          selector: role == 'entrance'
          types: [Ingress]
          preDNAT: true
          applyOnForward: true
          ingress:
          - {action: Deny, protocol: UDP, destination: {ports: [2002]}}
          - {action: Allow, protocol: TCP, destination: {ports: [30080]}}
        ---
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: default.in}
        spec:
          selector: role == 'entrance'
          types: [Ingress]
          applyOnForward: true
          ingress:
          - {action: Deny, protocol: UDP, destination: {ports: [2003]}}
          - {action: Allow}
        ---
        apiVersion: projectcalico.org/v3
        kind: GlobalNetworkPolicy
        metadata: {name: default.out}
        spec:
          selector: role == 'exit'
          types: [Egress]
          applyOnForward: true
          egress:
          - {action: Deny, protocol: UDP, destination: {ports: [2004]}}
          - {action: Allow}

        """

    func run(_ arguments: [String] = []) throws -> WeirRun {
        try WeirRun(
            in: gateway,
            folder,
            watching: [Self.entrance, Self.exit],
            [
                "--inventory", folder.file("objects.yaml"), "--host", "gw", "--policy-scope", "all",
                "--extended-fields",
                "--flush-interval", WeirRun.endless,
            ] + arguments
        )
    }

    func path(to address: String, _ timeout: Duration = .seconds(5)) throws -> TrafficPath {
        TrafficPath(from: client, to: server, at: try LabAddress(address), timeout: timeout)
    }

    /// The traffic of the entrance since the beginning: IP packets and IP bytes.
    func wire() throws -> (received: Count, sent: Count) {
        let counters = try gateway.counters(of: Self.entrance).since(earlier)
        func ip(_ count: Count) -> Count { Count(count.packets, count.bytes - 14 * count.packets) }
        return (ip(counters.received), ip(counters.sent))
    }

    func waitUntilQuiet() throws {
        var last = try wire()
        var quietSince = ContinuousClock.now
        try #require(
            try eventually {
                let now = try wire()
                if now != last { (last, quietSince) = (now, .now) }
                return ContinuousClock.now - quietSince > .milliseconds(100)
            }
        )
    }
}

/// A record of what a host endpoint forwarded.
private struct ForwardedRecord: Decodable {
    struct Policies: Decodable {
        var enforced_policies: [String]
        var pending_policies: [String]
        var transit_policies: [String]?
    }

    var reporter: String
    var action: String
    var proto: String
    var source_ip: String
    var dest_ip: String
    var dest_port: UInt16?
    var policies: Policies?
    var num_flows: Int
    var num_flows_started: Int
    var packets_in: UInt64
    var packets_out: UInt64
    var bytes_in: UInt64
    var bytes_out: UInt64
    var transit_packets_in: UInt64
    var transit_packets_out: UInt64
    var transit_bytes_in: UInt64
    var transit_bytes_out: UInt64
    var dropped_packets_in: UInt64

    var inbound: Count { Count(transit_packets_in, transit_bytes_in) }
    var outbound: Count { Count(transit_packets_out, transit_bytes_out) }
    var own: Count { Count(packets_in + packets_out, bytes_in + bytes_out) }
}

/// Connections that a gateway forwards, and the decisions of its host endpoints' policies.
@Suite(.serialized, .needsRoot)
struct ForwardedTrafficTests {
    private static let allowed = ["0|default|default.in|allow|1", "1|default|default.out|allow|1"]

    private static let translated = [
        "0|default|default.pre|allow|1", "1|default|default.in|allow|1", "2|default|default.out|allow|1",
    ]

    private static func records(_ weir: WeirRun) throws -> [ForwardedRecord] {
        try weir.lines.map { try JSONDecoder().decode(ForwardedRecord.self, from: Data($0.utf8)) }
    }

    @Test(arguments: [false, true])
    func recordsEqualInterfaceCounters(isIPv6: Bool) throws {
        let lab = try Gateway()
        let (server, gateway) = isIPv6 ? ("2001:db8:2::20", "2001:db8:1::1") : ("198.51.100.20", "192.0.2.1")
        let weir = try lab.run(["--poll-interval", "20ms"])
        let path = try lab.path(to: server)
        _ = try path.udp(count: 300, size: 100, reply: 60, port: 2001, sourcePort: 3001)
        _ = try path.tcp(connections: 5, request: 20_000, response: 50_000, port: 2001)
        _ = try path.ping(count: 20)
        // Called at the gateway's address, before destination NAT.
        let family = isIPv6 ? "socket.AF_INET6" : "socket.AF_INET"
        let serving =
            "import socket; s = socket.create_server(('\(server)', 8080), family=\(family))\n"
            + "while True: s.accept()[0].close()"
        let listener = try lab.server.start(["python3", "-c", serving], keepingIn: lab.folder)
        defer { listener.signal(SIGKILL) }
        let own = TrafficPath(from: lab.server, to: lab.server, at: try LabAddress(server))
        try #require(try eventually { try own.tcpAttempt(port: 8080) == .connected })
        #expect(try lab.path(to: gateway).tcpAttempt(port: 30_080) == .connected)
        let denied = try lab.path(to: server, .milliseconds(20))
        for port in [2002, 2003, 2004] as [UInt16] {
            _ = try denied.udp(count: 30, size: 100, port: port, sourcePort: port)
        }
        // The server closes its connections some time after the clients have ended.
        try #require(try eventually { try lab.server.command(["ss", "-Htn", "sport = :8080"]).isEmpty })
        try lab.waitUntilQuiet()
        try weir.finish()

        let records = try Self.records(weir)
        #expect(records.allSatisfy { $0.reporter == "fwd" }, "\(records)")
        #expect(records.allSatisfy { $0.own == Count() && $0.inbound + $0.outbound != Count() }, "\(records)")
        #expect(records.allSatisfy { $0.num_flows == 1 && $0.num_flows_started == 1 }, "\(records)")
        #expect(records.allSatisfy { $0.dest_ip == server }, "\(records)")
        let wire = try lab.wire()
        #expect(records.reduce(Count()) { $0 + $1.inbound } == wire.received)
        #expect(records.reduce(Count()) { $0 + $1.outbound } == wire.sent)

        func hits(_ proto: String, _ port: UInt16?) -> Set<[String]> {
            let found = records.filter { $0.proto == proto && (port == nil || $0.dest_port == port) }
            return Set(found.map { $0.policies?.transit_policies ?? [] })
        }
        #expect(records.count == 11)
        #expect(hits("udp", 2001) == [Self.allowed])
        #expect(hits("tcp", 2001) == [Self.allowed])
        #expect(hits(isIPv6 ? "icmp6" : "icmp", nil) == [Self.allowed])
        #expect(hits("tcp", 8080) == [Self.translated])
        #expect(hits("udp", 2002) == [["0|default|default.pre|deny|0"]])
        #expect(hits("udp", 2003) == [["0|default|default.in|deny|0"]])

        let counters = try FirewallCounters.read(in: lab.gateway)
        for (name, port) in [("pre", 2002), ("in", 2003), ("out", 2004)] as [(String, UInt16)] {
            let record = try #require(records.first { $0.dest_port == port }, "no record of \(port)")
            #expect(
                record.action == "deny" && record.inbound == counters[name] && record.dropped_packets_in == 30,
                "\(record)"
            )
        }
        let report = try weir.report()
        #expect(report.balanced)
        #expect(report.records?.unrecorded.transit.packets == 0)
        #expect(!weir.process.errors.contains("traffic is in no record"))
        #expect(!weir.process.errors.contains("no policy governs"))
    }

    /// The log says at the start that there will be no such records.
    @Test func lacksHostEndpointOfOtherHost() throws {
        let lab = try Gateway()
        let weir = try lab.run(["--host", "other"])
        try weir.waitFor("no policy governs forwarded traffic")
        try weir.finish()
    }

    /// Without the option no record has forwarded traffic.
    @Test func forwardedTrafficIsInNoRecordByDefault() throws {
        let lab = try Gateway()
        let weir = try lab.run(["--policy-scope", "endpoint"])
        _ = try lab.path(to: "198.51.100.20").udp(count: 30, size: 100, reply: 60, port: 2001)
        try weir.finish()
        #expect(weir.lines.isEmpty)
    }

    /// Many flushes while connections begin: whichever interface is read first, no record is empty, and none counts twice.
    @Test func noRecordIsEmptyAtIntervalBoundary() throws {
        let lab = try Gateway()
        let weir = try lab.run(["--poll-interval", "10ms", "--flush-interval", "1s"])
        let path = try lab.path(to: "198.51.100.20")
        let end = ContinuousClock.now + .seconds(4)
        var calls = 0
        while ContinuousClock.now < end, calls < 500 {
            _ = try path.udp(count: 2, size: 100, reply: 60)
            calls += 1
        }
        try lab.waitUntilQuiet()
        try weir.finish()
        let records = try Self.records(weir)
        let wire = try lab.wire()
        #expect(records.reduce(Count()) { $0 + $1.inbound } == wire.received)
        #expect(records.reduce(Count()) { $0 + $1.outbound } == wire.sent)
        #expect(records.reduce(0) { $0 + $1.num_flows_started } == calls)
        let odd = records.filter { $0.num_flows_started > 0 && $0.inbound == Count() }
        #expect(odd.isEmpty, "\(odd)")
    }
}
